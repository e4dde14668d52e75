import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  createStrictEndpoint,
  read,
  refreshRequest,
  times,
  tokenRequest,
  type ReadAnswer,
  type StrictEndpoint,
} from '../../test/server/strict-endpoint.js';
import {
  createIdempotentRotation,
  createVersionCheck,
  sqliteStore,
  type Conflict,
  type ServerStore,
  type VersionCheckOptions,
  type VersionStore,
} from './index.js';
import { patiently } from '../../test/support/patiently.js';

let store: ServerStore;
let endpoint: StrictEndpoint;
let conflicts: Conflict[];

beforeEach(() => {
  store = sqliteStore(':memory:');
  endpoint = createStrictEndpoint();
  conflicts = [];
});
afterEach(() => store.close());

const check = (options: Partial<VersionCheckOptions> = {}) =>
  createVersionCheck({ store, onConflict: (one) => conflicts.push(one), ...options })(endpoint.handler);
const at = (version: number | string) => ({ form: { token_version: String(version) } });
const nextOf = (answer: ReadAnswer | undefined) => String(answer?.refresh_token);
const conflictAt = (version: number) => ({
  status: 409,
  error: 'version_conflict',
  current_version: version,
});
const overriding = (methods: Partial<VersionStore>) => ({ versions: { ...store.versions, ...methods } });
const down = () => Promise.reject(new Error('connection refused'));

test('100 duplicates at once: one spend, 99 conflicts', async () => {
  const handler = check();
  const first = await read(handler(tokenRequest({ grant_type: 'authorization_code' })));
  expect(first['token_version']).toBe(1);
  const token = nextOf(first);
  const answers = await Promise.all(times(100, () => read(handler(refreshRequest(token, at(1))))));
  expect(endpoint.spent).toEqual([token]);
  expect(answers.filter(({ status }) => status !== 200)).toEqual(times(99, () => conflictAt(2)));
  const winner = answers.find(({ status }) => status === 200);
  expect(winner?.['token_version']).toBe(2);
  expect((await read(handler(refreshRequest(nextOf(winner), at(2)))))['token_version']).toBe(3);
});

test('refuses an outdated version and an outdated token', async () => {
  const handler = check();
  const first = endpoint.signIn();
  const second = nextOf(await read(handler(refreshRequest(first, at(1)))));
  const outdated = [
    refreshRequest(second, at(1)),
    refreshRequest(first, at(2)),
    refreshRequest(first, at(1)),
  ];
  for (const request of outdated) expect(await read(handler(request))).toEqual(conflictAt(2));
  expect(endpoint.spent).toEqual([first]);
  expect(conflicts.map(({ reason }) => reason)).toEqual(['outdated', 'outdated', 'outdated']);
  expect(JSON.stringify(conflicts)).not.toContain(first);
});

test('gives a version back after a refresh without tokens', async () => {
  const handler = check();
  const token = endpoint.signIn();
  endpoint.instead = () => new Response('', { status: 503 });
  expect((await handler(refreshRequest(token, at(1)))).status).toBe(503);
  endpoint.instead = () => Promise.reject(new Error('upstream'));
  await expect(handler(refreshRequest(token, at(1)))).rejects.toThrow('upstream');
  expect((await read(handler(refreshRequest(token, at(1)))))['token_version']).toBe(2);
});

test('gives a claim back that comes too late', async () => {
  const slow: VersionStore['claim'] = async (...call) => {
    await sleep(150);
    return store.versions.claim(...call);
  };
  const token = endpoint.signIn();
  const release = vi.fn<VersionStore['release']>(async (...call) => store.versions.release(...call));
  const late = check({
    store: overriding({ claim: slow, release }),
    storeTimeoutMs: 100,
    onStoreError: () => {},
  });
  expect((await late(refreshRequest(token, at(1)))).status).toBe(503);
  await vi.waitFor(() => expect(release).toHaveBeenCalledOnce());
  expect((await check()(refreshRequest(token, at(1)))).status).toBe(200);
});

test('follows a client that counts further', async () => {
  const handler = check();
  const second = await read(handler(refreshRequest(endpoint.signIn(), at(1))));
  const third = await read(handler(refreshRequest(nextOf(second), at(7))));
  expect(third['token_version']).toBe(8);
  expect((await handler(refreshRequest(nextOf(third), at(8)))).status).toBe(200);
});

test('counts where the server does not rotate', async () => {
  endpoint.rotates = false;
  const handler = check();
  const token = endpoint.signIn();
  for (const version of [1, 2, 3])
    expect((await read(handler(refreshRequest(token, at(version)))))['token_version']).toBe(version + 1);
});

test('adds to an answer and changes nothing else', async () => {
  const handler = check();
  const members = '"access_token": "A", "id": 12345678901234567890, "f": 1.0, "refresh_token"';
  endpoint.instead = () => new Response(`{ ${members}: "R1" }`);
  const signedIn = await handler(tokenRequest({ grant_type: 'authorization_code' }));
  expect(await signedIn.text()).toBe(`{ ${members}: "R1" ,"token_version":1}`);
  endpoint.instead = () => new Response(`{ "token_version": 7, ${members}: "R2" }`);
  const refreshed = await handler(refreshRequest('R1', at(1)));
  expect(await refreshed.text()).toBe(`{ "token_version": 2, ${members}: "R2" }`);
});

test('passes clients without a usable version', async () => {
  const handler = check();
  let token = endpoint.signIn();
  for (const said of ['one', '0', '-1', '1.5', '1e3', '9'.repeat(20)]) {
    const answer = await read(handler(refreshRequest(token, at(said))));
    expect(answer.status).toBe(200);
    token = nextOf(answer);
  }
  expect((await handler(refreshRequest(token))).status).toBe(200);
});

test('does not hand its parameter on', async () => {
  const handler = check({ parameter: 'v' });
  let seen = '';
  endpoint.instead = async (request) => {
    seen = (await request.clone().text()) + request.headers.get('x-tenant');
    return Response.json({ access_token: 'a', refresh_token: 'b' }, { headers: { 'x-from': 'server' } });
  };
  const answer = await handler(refreshRequest('R1', { form: { v: '1' }, headers: { 'x-tenant': 't' } }));
  expect(answer.headers.get('x-from')).toBe('server');
  expect((await read(answer))['v']).toBe(2);
  expect(seen).not.toContain('v=1');
});

test('shows an old token to the server', async () => {
  const handler = check({ detectTheftAfterMs: 0 });
  const first = endpoint.signIn();
  await handler(refreshRequest(first, at(1)));
  await patiently(async () => {
    const answer = await read(handler(refreshRequest(first, at(1))));
    expect(answer).toEqual({ status: 400, error: 'invalid_grant' });
  });
});

test('ends a login that is revoked', async () => {
  const handler = check();
  const second = nextOf(await read(handler(refreshRequest(endpoint.signIn(), at(1)))));
  await handler(tokenRequest({ token: second }));
  expect((await handler(refreshRequest(second, at(1)))).status).toBe(400);
});

test('refuses with 503 while the store is down', async () => {
  const token = endpoint.signIn();
  expect((await check({ store: overriding({ claim: down }) })(refreshRequest(token, at(1)))).status).toBe(
    503,
  );
  expect(endpoint.spent).toEqual([]);
  const open = check({ store: overriding({ claim: down }), whenStoreFails: 'pass' });
  expect((await open(refreshRequest(token, at(1)))).status).toBe(200);
});

test('never costs a sign-in or an answer', async () => {
  const handler = check({ store: overriding({ begin: down, settle: down }) });
  const first = await read(handler(tokenRequest({ grant_type: 'authorization_code' })));
  expect(first.status).toBe(200);
  expect((await handler(refreshRequest(nextOf(first), at(1)))).status).toBe(200);
});

test('behind a session table, a lost answer is repeated', async () => {
  const handler = createIdempotentRotation({ store })(check());
  const token = endpoint.signIn();
  const duplicate = { ...at(1), headers: { 'idempotency-key': 'k' } };
  const first = await read(handler(refreshRequest(token, duplicate)));
  expect(first['token_version']).toBe(2);
  expect(await read(handler(refreshRequest(token, duplicate)))).toMatchObject({
    refresh_token: nextOf(first),
    token_version: 2,
  });
  expect((await read(handler(refreshRequest(nextOf(first), at(2)))))['token_version']).toBe(3);
});

test.each([
  ['store', { rotation: {} }],
  ['parameter', ''],
  ['detectTheftAfterMs', -1],
  ['detectTheftAfterMs', Infinity],
  ['claimMs', 'long'],
])('refuses an unusable %s: %s', (name, value) => {
  expect(() => createVersionCheck({ store, [name]: value })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIGURATION', message: expect.stringContaining(`\`${name}\``) }),
  );
});
