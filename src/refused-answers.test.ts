// A successful answer that may not be used: another user's, of another type, not bound to the session's key, or no token at all. The server
// has rotated by then.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { jwt } from '../test/support/jwt.js';
import { Origin, pass, watch, type Tab } from '../test/support/tabs.js';
import type { TokenResponse } from './core/types.js';
import type { TokenClient } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const LIFE = 600;
const id = { iss: 'https://as', aud: 'c', sub: 'alice' };

interface World {
  readonly origin: Origin;
  readonly tab: Tab;
  readonly other: Tab;
  /** Refresh tokens, in the order in which they were sent. */
  readonly sent: (string | undefined)[];
  /** For whom they were to be spent. */
  readonly resources: unknown[];
  readonly revoked: string[];
}

/** Alice in two tabs, and a server that gives these answers, one after the other. */
async function signedIn(
  answers: object[],
  client: Partial<TokenClient> = {},
  first: Partial<TokenResponse> = {},
): Promise<World> {
  const origin = new Origin();
  const sent: (string | undefined)[] = [];
  const resources: unknown[] = [];
  const revoked: string[] = [];
  const refresh: TokenClient = {
    ...client,
    async refresh({ refreshToken, resource }) {
      sent.push(refreshToken);
      resources.push(resource);
      return { access_token: 'access-x', expires_in: LIFE, ...answers.shift() };
    },
    async revoke(token) {
      revoked.push(token);
    },
  };
  const open = (): Tab => origin.open({ refresh, proactive: 'never' });
  const [tab, other] = [open(), open()];
  const given = { access_token: 'access-1', refresh_token: 'refresh-1', expires_in: LIFE, id_token: jwt(id) };
  void tab.setSession({ ...given, ...first }, { subject: 'alice' });
  await pass(100);
  return { origin, tab, other, sent, resources, revoked };
}

async function force(tab: Tab): Promise<unknown> {
  const call = watch(tab.getAccessToken({ forceRefresh: true, failFast: true }));
  await pass(1_000);
  return call.outcome();
}

/** Common to every refused answer: a typed error, in both tabs, and the old token, which lives. */
async function expectRefused({ tab, other }: World, message: RegExp): Promise<void> {
  for (const one of [tab, other]) {
    const { status, refreshStatus, subject, error } = one.getSnapshot();
    expect({ status, refreshStatus, subject }).toEqual({
      status: 'signed-in',
      refreshStatus: 'paused',
      subject: 'alice',
    });
    expect(error).toMatchObject({ code: 'ERR_CONFIGURATION', message: expect.stringMatching(message) });
    expect(one.peekAccessToken()).toBe('access-1');
    expect(one.peekIdToken()).toBe(jwt(id));
    const call = watch(one.getAccessToken());
    await pass(10);
    expect(call.outcome()).toBe('access-1');
  }
}

const ofAlice = { access_token: 'access-2', refresh_token: 'refresh-2' };
const dpop = {
  authorize: async () => ({}),
  bind: async () => {},
  check: ({ tokens }: { tokens: TokenResponse }) => {
    if (tokens.access_token === 'of-another-key')
      throw new Error('bound to another key, says of-another-key');
  },
};
const bearer: [object, object] = [{}, {}];
const bound: [object, object] = [dpop, { token_type: 'DPoP' }];

test.each([
  ['an unknown token type', { ...ofAlice, token_type: 'N_A' }, bearer, /token_type/],
  ['DPoP in a Bearer session', { ...ofAlice, token_type: 'DPoP' }, bearer, /token_type/],
  ['Bearer in a DPoP session', { ...ofAlice, token_type: 'Bearer' }, bound, /token_type/],
  ['another key', { ...ofAlice, access_token: 'of-another-key' }, bound, /another key, says \[token\]/],
  ['a line break in the access token', { ...ofAlice, access_token: 'x\r\nEvil: 1' }, bearer, /access_token/],
  ['no ASCII in the access token', { ...ofAlice, access_token: 'tökén' }, bearer, /access_token/],
])('%s: only the new refresh token is kept', async (_name, answer, [client, first], message) => {
  const world = await signedIn([answer, { ...ofAlice, access_token: 'access-3', ...first }], client, first);
  expect(await force(world.tab)).toBe('ERR_CONFIGURATION');
  await expectRefused(world, message);
  expect(world.origin.record).toMatchObject({ version: 2, refreshToken: 'refresh-2' });
  expect(JSON.stringify(world.origin.record)).not.toContain(answer.access_token);
  expect(world.tab.events.map(({ type }) => type)).not.toContain('refresh-succeeded');
  expect(world.tab.events).toContainEqual(
    expect.objectContaining({ type: 'refresh-failed', reason: 'answer_refused' }),
  );
  // Nothing is sent until a person asks for it, and then the new refresh token.
  await pass(LIFE * 500);
  expect(world.sent).toEqual(['refresh-1']);
  expect(await force(world.other)).toBe('access-3');
  expect(world.sent).toEqual(['refresh-1', 'refresh-2']);
  expect(world.other.getSnapshot()).toMatchObject({ version: 3, refreshStatus: 'idle' });
});

test.each([
  ['sub', { ...id, sub: 'mallory' }],
  ['iss', { ...id, iss: 'https://evil' }],
  ['aud', { ...id, aud: 'other' }],
  ['aud', { ...id, aud: ['c', 'other'] }],
  ['sub', { iss: id.iss, aud: id.aud }],
  ['aud', { ...id, aud: [[['c']]] }],
])('another %s in the ID token: nothing is kept', async (claim, claims) => {
  const world = await signedIn([{ ...ofAlice, id_token: jwt(claims) }]);
  expect(await force(world.tab)).toBe('ERR_CONFIGURATION');
  await expectRefused(world, new RegExp(`ID token.*\`${claim}\``));
  expect(world.origin.record).toMatchObject({ version: 1, refreshToken: 'refresh-1' });
  expect(world.revoked).toEqual(['refresh-2']);
  await pass(LIFE * 500);
  expect(world.sent).toEqual(['refresh-1']);
});

// The server may have spent the refresh token, and repeat its answer to that request: a token for another audience.
test("after another user's tokens the same audience is asked for", async () => {
  const foreign = { ...ofAlice, id_token: jwt({ ...id, sub: 'mallory' }) };
  const repeated = { access_token: 'for-b', refresh_token: 'refresh-3' };
  const { tab, other, resources } = await signedIn([foreign, repeated]);
  const call = watch(tab.getAccessToken({ resource: 'https://b.test', failFast: true }));
  await pass(1_000);
  expect(call.outcome()).toBe('ERR_CONFIGURATION');
  expect(await force(other)).toBe('access-x');
  expect(resources).toEqual(['https://b.test', 'https://b.test', undefined]);
  expect(other.peekAccessToken({ resource: 'https://b.test' })).toBe('for-b');
});

test('a refresh token that is none: nothing is kept', async () => {
  const world = await signedIn([{ ...ofAlice, refresh_token: 'x\r\n' }]);
  expect(await force(world.tab)).toBe('ERR_CONFIGURATION');
  await expectRefused(world, /refresh_token/);
  expect(world.origin.record).toMatchObject({ version: 1, refreshToken: 'refresh-1' });
});

test("without rotation the session's own token is not revoked", async () => {
  const world = await signedIn([{ refresh_token: 'refresh-1', id_token: jwt({ ...id, sub: 'mallory' }) }]);
  await force(world.tab);
  expect(world.revoked).toEqual([]);
});

test.each([
  ['the same claims in another form', { ...id, aud: ['c'], at_hash: 'x' }],
  ['one that nobody can read', undefined],
])('an ID token with %s is fine', async (_name, claims) => {
  const given = claims ? jwt(claims) : 'a.b.c.d.e';
  const world = await signedIn([{ ...ofAlice, id_token: given }]);
  expect(await force(world.tab)).toBe('access-2');
  expect(world.tab.peekIdToken()).toBe(given);
});

test.each(['bearer', 'BEARER', undefined])('token type %s is Bearer', async (token_type) => {
  const world = await signedIn([{ ...ofAlice, token_type }]);
  expect(await force(world.tab)).toBe('access-2');
});

test('without a token type the session keeps its own', async () => {
  const [client, first] = bound;
  const world = await signedIn([ofAlice, { ...ofAlice, token_type: 'Bearer' }], client, first);
  expect(await force(world.tab)).toBe('access-2');
  expect(await force(world.tab)).toBe('ERR_CONFIGURATION');
});

test('a life below zero is zero', async () => {
  const world = await signedIn([{ ...ofAlice, expires_in: -1 }]);
  const before = Date.now();
  expect(await force(world.tab)).toBe('access-2');
  expect(world.tab.getSnapshot().expiresAt).toBeLessThan(before + 1_000);
  expect(world.tab.peekAccessToken()).toBeUndefined();
});

test.each([
  [{ token_type: 'mac' }, /token_type/],
  [{ token_type: 'DPoP' }, /dpop: true/],
  [{ access_token: 'x\r\nEvil: 1' }, /characters/],
  [{ refresh_token: 'ü' }, /characters/],
])('setSession refuses %j', async (members, message) => {
  const tab = new Origin().open({ refresh: async () => ({ access_token: 'a' }) });
  const given = tab.setSession({ access_token: 'a', ...members });
  await expect(given).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringMatching(message),
  });
});
