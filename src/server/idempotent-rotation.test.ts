import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createStrictEndpoint,
  read,
  refreshRequest,
  times,
  tokenRequest,
  type ReadAnswer,
  type StrictEndpoint,
} from '../../test/server/strict-endpoint.js';
import { TokenCoordinatorError } from '../core/errors.js';
import {
  createIdempotentRotation,
  createEndpointMonitor,
  sqliteStore,
  type Conflict,
  type IdempotentRotationOptions,
  type RotationStore,
  type ServerStore,
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

const table = (options: Partial<IdempotentRotationOptions> = {}) =>
  createIdempotentRotation({ store, onConflict: (one) => conflicts.push(one), ...options })(endpoint.handler);
const key = (value: string) => ({ headers: { 'idempotency-key': value } });
const nextOf = (answer: ReadAnswer | undefined) => String(answer?.refresh_token);
const reasons = () => conflicts.map(({ reason }) => reason);
/** The store with some methods in place of its own. */
const overriding = (methods: Partial<RotationStore>) => ({ rotation: { ...store.rotation, ...methods } });
const down = () => Promise.reject(new Error('connection refused'));

describe('100 duplicates at once', () => {
  test.each([
    ['with one idempotency key', key('k')],
    ['without any key', {}],
  ])('%s: one spend, one answer', async (_, duplicate) => {
    const handler = table();
    const token = endpoint.signIn();
    const answers = await Promise.all(times(100, () => read(handler(refreshRequest(token, duplicate)))));
    expect(endpoint.spent).toEqual([token]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(nextOf)).size).toBe(1);
    expect(new Set(answers.map((answer) => answer['access_token'])).size).toBe(1);
    const after = await read(handler(refreshRequest(nextOf(answers[0]), duplicate)));
    expect(after.status, 'the pair they all got is the one that lives').toBe(200);
  });

  test('with a key of their own each: 99 conflicts', async () => {
    const handler = table();
    const token = endpoint.signIn();
    const answers = await Promise.all(times(100, (n) => read(handler(refreshRequest(token, key(`k${n}`))))));
    expect(endpoint.spent).toEqual([token]);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused).toEqual(
      times(99, () => ({ status: 409, error: 'version_conflict', current_version: 2 })),
    );
    expect(reasons()).toEqual(times(99, () => 'holder'));
  });

  test('at two instances: one spend, one answer', async () => {
    const [here, there] = [table(), table()];
    const token = endpoint.signIn();
    const answers = await Promise.all(
      times(100, (n) => read((n % 2 ? here : there)(refreshRequest(token, key('k'))))),
    );
    expect(endpoint.spent).toEqual([token]);
    expect(new Set(answers.map(nextOf)).size).toBe(1);
  });
});

describe('gives an answer again to the same holder only', () => {
  test('gives a lost answer again, with its remaining life', async () => {
    endpoint.headers = { 'access-control-allow-origin': 'https://app.example', 'set-cookie': 'a=b' };
    const handler = table();
    const token = endpoint.signIn();
    const first = await read(handler(refreshRequest(token, key('k'))));
    await sleep(1_050);
    const answer = await handler(refreshRequest(token, key('k')));
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(answer.headers.get('idempotent-replayed')).toBe('true');
    expect(await read(answer)).toEqual({ ...first, expires_in: Number(first['expires_in']) - 2 });
    expect(endpoint.spent).toHaveLength(1);
  });

  test('refuses another holder and another question', async () => {
    const handler = table();
    const token = endpoint.signIn();
    await handler(refreshRequest(token, { ...key('k'), form: { scope: 'a b' } }));
    const others = [
      key('x'),
      {},
      { ...key('k'), form: { resource: 'https://other.example' } },
      { ...key('k'), form: { client_id: 'x' } },
      { ...key('k'), form: { scope: 'a' } },
      { headers: { 'idempotency-key': 'k', authorization: 'Basic eA==' }, form: { scope: 'a b' } },
    ];
    for (const other of others) expect((await handler(refreshRequest(token, other))).status).toBe(409);
    const same = { ...key('k'), form: { scope: 'b  a', empty: '' } };
    expect((await handler(refreshRequest(token, same))).status).toBe(200);
    expect(endpoint.spent).toHaveLength(1);
    expect(reasons()).toEqual(['holder', 'holder', 'request', 'request', 'request', 'holder']);
  });

  test("an empty key is none under 'conflict'", async () => {
    const handler = table({ withoutKey: 'conflict' });
    const token = endpoint.signIn();
    const first = await handler(refreshRequest(token, key('')));
    const second = await handler(refreshRequest(token, key('')));
    expect([first.status, second.status]).toEqual([200, 409]);
  });

  test("gives nothing without a key under 'conflict'", async () => {
    const handler = table({ withoutKey: 'conflict' });
    const token = endpoint.signIn();
    const answers = await Promise.all(times(3, () => read(handler(refreshRequest(token)))));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409, 409]);
    expect(reasons()).toEqual(['without-key', 'without-key']);
  });

  test('knows a DPoP key by its proof only', async () => {
    const handler = table({ withoutKey: 'conflict' });
    const token = endpoint.signIn();
    const mine = await generateKeyPair('ES256', { extractable: true });
    const thief = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(mine.publicKey);
    const prove = async (privateKey: CryptoKey, claims: Record<string, unknown> = {}) => ({
      headers: {
        dpop: await new SignJWT({
          jti: crypto.randomUUID(),
          htm: 'POST',
          htu: 'https://issuer.example/token',
        })
          .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
          .setIssuedAt(Number(claims['iat'] ?? Math.floor(Date.now() / 1000)))
          .sign(privateKey),
      },
    });
    const first = await read(handler(refreshRequest(token, await prove(mine.privateKey))));
    const again = await read(handler(refreshRequest(token, await prove(mine.privateKey))));
    expect(again['access_token']).toBe(first['access_token']);
    const old = { iat: Math.floor(Date.now() / 1000) - 3600 };
    for (const other of [await prove(thief.privateKey), await prove(mine.privateKey, old)])
      expect((await handler(refreshRequest(token, other))).status).toBe(409);
  });

  test('answers for the direct predecessor only', async () => {
    const handler = table();
    const first = endpoint.signIn();
    const second = nextOf(await read(handler(refreshRequest(first, key('k')))));
    await handler(refreshRequest(second, key('l')));
    expect((await handler(refreshRequest(first, key('k')))).status).toBe(409);
    expect((await handler(refreshRequest(second, key('l')))).status).toBe(200);
    expect(endpoint.spent).toEqual([first, second]);
    expect(reasons()).toEqual(['outdated']);
  });

  test('leaves a duplicate after the window to the server', async () => {
    const handler = table({ windowMs: 50 });
    const token = endpoint.signIn();
    await handler(refreshRequest(token));
    await patiently(async () => {
      expect((await read(handler(refreshRequest(token)))).status).toBe(400);
    });
    expect(endpoint.spent).toEqual([token, token]);
  });
});

describe('confidential clients', () => {
  const secret = (value: string) => ({ form: { client_secret: value } });

  test('have to bring the secret that was accepted', async () => {
    const handler = table({ withoutKey: 'conflict' });
    const token = endpoint.signIn();
    const first = await read(handler(refreshRequest(token, secret('right'))));
    expect((await handler(refreshRequest(token, secret('wrong')))).status).toBe(409);
    expect((await handler(refreshRequest(token))).status).toBe(409);
    expect(await read(handler(refreshRequest(token, secret('right'))))).toMatchObject({
      access_token: first['access_token'],
    });
  });

  test('are authenticated before they are answered', async () => {
    const authenticate = async (request: Request) => {
      const form = new URLSearchParams(await request.text());
      return form.get('client_assertion')?.startsWith('good') ? 'client 1' : undefined;
    };
    const handler = table({ authenticate, withoutKey: 'conflict' });
    const token = endpoint.signIn();
    const assertion = (value: string) => ({ form: { client_assertion: value } });
    const first = await read(handler(refreshRequest(token, assertion('good 1'))));
    const again = await read(handler(refreshRequest(token, assertion('good 2'))));
    expect(again['access_token']).toBe(first['access_token']);
    for (const bad of [assertion('bad'), {}])
      expect(await read(handler(refreshRequest(token, bad)))).toEqual({
        status: 401,
        error: 'invalid_client',
      });
    expect(endpoint.spent).toEqual([token]);
  });

  test('that fail to authenticate spend nothing', async () => {
    const token = endpoint.signIn();
    const basic = { headers: { authorization: 'Basic eA==' } };
    for (const value of [false, null, undefined, '', 0]) {
      const answer = await table({ authenticate: async () => value })(refreshRequest(token, basic));
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Basic');
    }
    const broken = table({ authenticate: async () => Promise.reject(new Error('directory is down')) });
    expect((await broken(refreshRequest(token))).status).toBe(503);
    expect(endpoint.spent).toEqual([]);
    const open = table({ authenticate: async () => true });
    expect((await open(refreshRequest(token))).status).toBe(200);
  });
});

describe('the endpoint behind', () => {
  test('may answer with numbers above 2^53', async () => {
    const body = (life: string) =>
      `{ "access_token": "A2", "expires_in": ${life}, "id": 12345678901234567890, "f": 1.0, "refresh_token": "R2" }`;
    endpoint.instead = () => new Response(body('60'));
    const handler = table();
    expect(await (await handler(refreshRequest('R1', key('k')))).text()).toBe(body('60'));
    const again = await (await handler(refreshRequest('R1', key('k')))).text();
    const { expires_in: life } = JSON.parse(again) as { expires_in: number };
    expect(again).toBe(body(String(life)));
    expect(life).toBeLessThan(60);
  });

  test('may answer with another success', async () => {
    endpoint.instead = () => Response.json({ access_token: 'A2', refresh_token: 'R2' }, { status: 201 });
    const handler = table();
    expect((await handler(refreshRequest('R1', key('k')))).status).toBe(201);
    expect(await read(handler(refreshRequest('R1', key('k'))))).toMatchObject({ refresh_token: 'R2' });
    expect(endpoint.spent).toEqual([]);
  });

  const json = JSON.stringify({ access_token: 'A2', refresh_token: 'R2', expires_in: 60 });
  const answering = (body: string | Buffer<ArrayBuffer>, codings: string) => {
    const headers = { 'content-encoding': codings, 'content-length': String(body.length) };
    endpoint.instead = () => new Response(body, { headers });
  };

  test.each([
    ['gzip', gzipSync(json)],
    ['GZIP', gzipSync(json)],
    ['x-gzip', gzipSync(json)],
    ['deflate', deflateSync(json)],
    ['br', brotliCompressSync(json)],
    ['identity, gzip', gzipSync(json)],
    ['gzip, br', brotliCompressSync(gzipSync(json))],
  ])('may compress its answer: %s', async (codings, body) => {
    answering(body, codings);
    const handler = table();
    const first = await handler(refreshRequest('R1', key('k')));
    expect(first.headers.get('content-encoding')).toBe(codings);
    expect(Buffer.from(await first.arrayBuffer())).toEqual(body);
    expect(await read(handler(refreshRequest('R1', key('k'))))).toMatchObject({ refresh_token: 'R2' });
    expect(endpoint.spent).toEqual([]);
  });

  test.each([
    [200, json],
    [400, '{"error":"invalid_grant"}'],
  ])('may be a fetch that has decompressed its %i', async (status, body) => {
    const headers = { 'content-encoding': 'gzip', 'content-length': '20' };
    endpoint.instead = () => new Response(body, { status, headers });
    const answer = await table()(refreshRequest('R1'));
    expect(answer.status).toBe(status);
    expect([...answer.headers.keys()]).toEqual(['content-type']);
    expect(await answer.text()).toBe(body);
  });

  test('is asked for an answer without compression', async () => {
    let asked: string | null = '';
    endpoint.instead = (request) => {
      asked = request.headers.get('accept-encoding');
      return new Response('', { status: 500 });
    };
    await table()(refreshRequest('R1', { headers: { 'accept-encoding': 'gzip, br' } }));
    expect(asked).toBe('identity');
  });

  test.each(['compress', 'gzip', 'constructor'])(
    'is reported if it answers in unreadable %s',
    async (coding) => {
      const errors: unknown[] = [];
      answering('no such body', coding);
      const handler = table({ onStoreError: (error) => errors.push(error) });
      const answer = await handler(refreshRequest('R1'));
      expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, coding]);
      expect(await answer.text()).toBe('no such body');
      expect(errors).toEqual([
        expect.objectContaining({
          code: 'ERR_CONFIGURATION',
          message: expect.stringContaining(`"${coding}"`),
        }),
      ]);
    },
  );

  test.each([[1], { name: 'alice' }])('may name a subject that is no text: %j', async (sub) => {
    const claims = Buffer.from(JSON.stringify({ sub })).toString('base64url');
    endpoint.instead = () => Response.json({ access_token: `e30.${claims}.`, refresh_token: 'R2' });
    const failed: unknown[] = [];
    const handler = table({ onStoreError: (error) => failed.push(error) });
    expect((await handler(refreshRequest('R1', key('k')))).status).toBe(200);
    expect(failed).toEqual([]);
  });

  test('is asked again after a refresh that brought nothing', async () => {
    const handler = table();
    const token = endpoint.signIn();
    endpoint.instead = () => new Response('', { status: 503 });
    expect((await handler(refreshRequest(token))).status).toBe(503);
    endpoint.instead = () => Promise.reject(new Error('upstream'));
    await expect(handler(refreshRequest(token))).rejects.toThrow('upstream');
    expect((await handler(refreshRequest(token))).status).toBe(200);
  });

  test('is asked by one duplicate after the other', async () => {
    const handler = table();
    const token = endpoint.signIn();
    endpoint.instead = () => new Response('', { status: 503 });
    const answers = await Promise.all(times(10, () => handler(refreshRequest(token))));
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(1);
    expect(endpoint.spent).toEqual([token]);
  });

  test('is asked every time if it does not rotate', async () => {
    endpoint.rotates = false;
    const handler = table();
    const token = endpoint.signIn();
    const first = await read(handler(refreshRequest(token)));
    const second = await read(handler(refreshRequest(token)));
    expect(second['access_token']).not.toBe(first['access_token']);
  });

  test('gets the request whole, and no abort signal', async () => {
    const token = endpoint.signIn();
    let seen: Request | undefined;
    endpoint.instead = (request) => {
      seen = request;
      return new Response('', { status: 500 });
    };
    const gone = new AbortController();
    const request = new Request(
      refreshRequest(token, { headers: { 'x-tenant': 't', 'content-length': '7' } }),
      {
        signal: gone.signal,
      },
    );
    await table()(request);
    gone.abort();
    expect(seen?.url).toBe('https://issuer.example/token');
    expect(seen?.headers.get('x-tenant')).toBe('t');
    expect(seen?.headers.get('content-length')).toBeNull();
    expect(seen?.signal.aborted).toBe(false);
  });

  test('gets what is no token request untouched', async () => {
    const requests = [
      new Request('https://issuer.example/token'),
      new Request('https://issuer.example/token', { method: 'POST', body: '{"grant_type":"refresh_token"}' }),
      new Request('https://issuer.example/token', { method: 'OPTIONS' }),
    ];
    for (const request of requests) {
      const seen: Request[] = [];
      const handler = createIdempotentRotation({ store })((one) => {
        seen.push(one);
        return new Response('untouched');
      });
      expect(await (await handler(request)).text()).toBe('untouched');
      expect(seen).toEqual([request]);
      expect(seen[0]?.bodyUsed).toBe(false);
    }
  });
});

describe('requests', () => {
  test('with a repeated parameter are refused', async () => {
    const handler = table();
    const token = endpoint.signIn();
    const form = `grant_type=refresh_token&refresh_token=${token}`;
    for (const more of ['&refresh_token=other', '&grant_type=password', '&client_id=a&client_id=b']) {
      expect(await read(handler(tokenRequest(form + more)))).toMatchObject({
        status: 400,
        error: 'invalid_request',
      });
    }
    expect((await handler(tokenRequest(`${form}&resource=a&resource=b`))).status).toBe(200);
    expect(endpoint.spent).toEqual([token]);
  });

  test('that are compressed are refused', async () => {
    const request = refreshRequest(endpoint.signIn(), { headers: { 'content-encoding': 'gzip' } });
    expect((await table()(request)).status).toBe(415);
    expect(endpoint.spent).toEqual([]);
  });

  test('that name their type twice are guarded', async () => {
    const twice = 'application/x-www-form-urlencoded, application/x-www-form-urlencoded';
    const request = () =>
      refreshRequest('R1', { headers: { 'content-type': twice, 'idempotency-key': 'k' } });
    endpoint.instead = () => Response.json({ access_token: 'A2', refresh_token: 'R2' });
    await table()(request());
    expect((await table()(request())).headers.get('idempotent-replayed')).toBe('true');
  });

  test('that are too large are refused, whatever they declare', async () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 16_384;
        controller.enqueue(new Uint8Array(16_384).fill(97));
      },
    });
    const init = {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', 'content-length': '10' },
    };
    const answer = await table()(new Request('https://issuer.example/token', init));
    expect(answer.status).toBe(413);
    expect(sent).toBeLessThan(200_000);
  });

  test('whose body was read are a fault of configuration', async () => {
    const request = refreshRequest('R1');
    await request.text();
    await expect(table()(request)).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' });
  });

  test('with an empty token are the server’s business', async () => {
    expect((await table()(refreshRequest(''))).status).toBe(400);
    expect(endpoint.spent).toEqual(['']);
  });
});

describe('sessions', () => {
  test('are followed from sign-in to sign-out', async () => {
    const handler = table();
    const first = nextOf(await read(handler(tokenRequest({ grant_type: 'authorization_code' }))));
    const second = nextOf(await read(handler(refreshRequest(first, key('k')))));
    expect((await read(handler(refreshRequest(first, key('x')))))['current_version']).toBe(2);
    expect((await handler(tokenRequest({ token: second }))).status).toBe(200);
    expect((await handler(refreshRequest(first, key('k')))).status, 'nor an answer of it').toBe(400);
  });

  test('are not ended by an introspection answered as a JWT', async () => {
    const handler = table();
    const first = endpoint.signIn();
    await handler(refreshRequest(first, key('k')));
    const headers = { 'content-type': 'application/token-introspection+jwt' };
    endpoint.instead = () => new Response('eyJ.e30.', { headers });
    await handler(tokenRequest({ token: first }));
    expect((await handler(refreshRequest(first, key('k')))).headers.get('idempotent-replayed')).toBe('true');
  });

  test('are not ended by an introspection', async () => {
    const handler = table();
    const first = endpoint.signIn();
    const second = nextOf(await read(handler(refreshRequest(first, key('k')))));
    endpoint.instead = () => Response.json({ active: true });
    await handler(tokenRequest({ token: second }));
    expect((await handler(refreshRequest(first, key('k')))).status).toBe(200);
  });

  test('that were locked out are refused unasked', async () => {
    const handler = table();
    const first = endpoint.signIn();
    const second = nextOf(await read(handler(refreshRequest(first, key('k')))));
    await handler(refreshRequest(first, key('x')));
    await store.rotation.deactivate(conflicts[0]!.sessionId);
    expect(await read(handler(refreshRequest(second)))).toEqual({ status: 400, error: 'invalid_grant' });
    expect(endpoint.spent).toEqual([first]);
  });
});

describe('a store that fails', () => {
  test('refuses refreshes with 503 and spends nothing', async () => {
    const errors: unknown[] = [];
    const handler = table({
      store: overriding({ claim: down }),
      onStoreError: (error) => errors.push(error),
    });
    const answers = await Promise.all(times(5, () => handler(refreshRequest(endpoint.signIn()))));
    expect(answers.map(({ status }) => status)).toEqual(times(5, () => 503));
    expect(answers[0]?.headers.get('retry-after')).toBe('2');
    expect(endpoint.spent).toEqual([]);
    expect(errors).toHaveLength(5);
  });

  test("passes refreshes on under 'pass'", async () => {
    const handler = table({ store: overriding({ claim: down }), whenStoreFails: 'pass' });
    const token = endpoint.signIn();
    const answers = await Promise.all(times(3, () => handler(refreshRequest(token))));
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    expect(endpoint.spent, 'the war, as without the table').toHaveLength(3);
  });

  test('gets a claim back that comes too late', async () => {
    const claim: RotationStore['claim'] = async (...call) => {
      await sleep(150);
      return store.rotation.claim(...call);
    };
    const token = endpoint.signIn();
    const late = table({ store: overriding({ claim }), storeTimeoutMs: 100, onStoreError: () => {} });
    expect((await late(refreshRequest(token, key('k')))).status).toBe(503);
    await sleep(150);
    expect((await table()(refreshRequest(token, key('k')))).status).toBe(200);
    expect(endpoint.spent).toEqual([token]);
  });

  test('that hangs is not waited for', async () => {
    const handler = table({ store: overriding({ claim: () => new Promise(() => {}) }), storeTimeoutMs: 30 });
    expect((await handler(refreshRequest('R1'))).status).toBe(503);
  });

  test('is asked once more after a cut connection', async () => {
    const cut = <A extends unknown[], R>(method: (...args: A) => Promise<R>) => {
      let calls = 0;
      return (...args: A) => (calls++ % 2 === 0 ? down() : method(...args));
    };
    const claim = cut((...args: Parameters<RotationStore['claim']>) => store.rotation.claim(...args));
    const settle = cut((...args: Parameters<RotationStore['settle']>) => store.rotation.settle(...args));
    const handler = table({ store: overriding({ claim, settle }) });
    const token = endpoint.signIn();
    const first = await read(handler(refreshRequest(token, key('k'))));
    expect(await read(handler(refreshRequest(token, key('k'))))).toMatchObject({
      access_token: first['access_token'],
    });
  });

  test('after the spend costs nobody the answer', async () => {
    let fails = 4;
    const settle: RotationStore['settle'] = (...args) =>
      fails-- > 0 ? down() : store.rotation.settle(...args);
    const handler = table({ store: overriding({ settle }) });
    const token = endpoint.signIn();
    const answers = await Promise.all(times(5, () => read(handler(refreshRequest(token, key('k'))))));
    expect(new Set(answers.map(nextOf)).size).toBe(1);
    expect(answers[0]?.status).toBe(200);
    // Another process has no answer in memory.
    const late = await read(table()(refreshRequest(token, key('k'))));
    expect(late, 'the record is made up for').toMatchObject({ refresh_token: answers[0]?.refresh_token });
    expect(endpoint.spent).toEqual([token]);
  });

  test('for the whole window leaves the answer in memory', async () => {
    const handler = table({ store: overriding({ settle: down }), windowMs: 600, claimMs: 100 });
    const token = endpoint.signIn();
    const first = await read(handler(refreshRequest(token, key('k'))));
    expect(await read(handler(refreshRequest(token, key('k'))))).toMatchObject({
      refresh_token: first.refresh_token,
    });
    expect((await handler(refreshRequest(token, key('x')))).status).toBe(409);
    expect(endpoint.spent).toEqual([token]);
    await sleep(700);
    expect((await handler(refreshRequest(token, key('k')))).status, 'not longer').toBe(400);
    expect(endpoint.spent).toEqual([token, token]);
  });

  test('that records late shortens the window by as much', async () => {
    const startedAt = performance.now();
    const given: number[] = [];
    const settle: RotationStore['settle'] = async (token, id, settlement) => {
      if (performance.now() - startedAt < 1_200) return down();
      const settled = await store.rotation.settle(token, id, settlement);
      given.push(settlement.windowMs);
      return settled;
    };
    const handler = table({ store: overriding({ settle }), windowMs: 5_000, onStoreError: () => {} });
    const token = endpoint.signIn();
    const first = await read(handler(refreshRequest(token, key('k'))));
    await patiently(() => expect(given).toHaveLength(1));
    expect(given[0]).toBeLessThanOrEqual(3_900);
    const again = await read(table()(refreshRequest(token, key('k'))));
    expect(again['expires_in']).toBeLessThanOrEqual(Number(first['expires_in']) - 2);
  });

  test('counts whole milliseconds', async () => {
    const handler = table({ windowMs: 10_000 / 3, claimMs: 10_000 / 3 });
    const token = endpoint.signIn();
    await handler(refreshRequest(token, key('k')));
    expect((await table()(refreshRequest(token, key('k')))).headers.get('idempotent-replayed')).toBe('true');
  });

  test('does not repeat an answer that was moved on from', async () => {
    const token = endpoint.signIn();
    let unrecorded = '';
    const settle: RotationStore['settle'] = (...args) => {
      const [spent] = args;
      unrecorded ||= spent;
      return spent === unrecorded ? down() : store.rotation.settle(...args);
    };
    const handler = table({ store: overriding({ settle }), claimMs: 100 });
    const second = nextOf(await read(handler(refreshRequest(token, key('k')))));
    expect((await handler(refreshRequest(second, key('k')))).status).toBe(200);
    expect((await handler(refreshRequest(token, key('k')))).status).toBe(400);
    expect(endpoint.spent).toEqual([token, second, token]);
  });

  test('names a fault of its configuration once, if nobody listens', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const broken = new TokenCoordinatorError('ERR_CONFIGURATION', 'update the package');
    const claim = () => Promise.reject(broken);
    const handler = table({ store: overriding({ claim }) });
    for (const token of ['R1', 'R2']) expect((await handler(refreshRequest(token))).status).toBe(503);
    expect(warned.mock.calls).toEqual([[broken]]);
    expect((await table({ store: overriding({ claim: down }) })(refreshRequest('R1'))).status).toBe(503);
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
  });

  test('never costs a sign-in or a sign-out', async () => {
    const handler = table({ store: overriding({ begin: down, end: down }) });
    const { status, refresh_token } = await read(handler(tokenRequest({ grant_type: 'authorization_code' })));
    expect(status).toBe(200);
    expect((await handler(tokenRequest({ token: String(refresh_token) }))).status).toBe(200);
  });

  test('that was tampered with gives nothing', async () => {
    const claim: RotationStore['claim'] = async (...args) => {
      const found = await store.rotation.claim(...args);
      if (found.state !== 'spent') return found;
      return { ...found, spent: { ...found.spent, answer: 'AAAA' } };
    };
    const handler = table({ store: overriding({ claim }) });
    const token = endpoint.signIn();
    await handler(refreshRequest(token, key('k')));
    expect((await handler(refreshRequest(token, key('k')))).status).toBe(409);
    expect(reasons()).toEqual(['unreadable']);
  });
});

describe('claims', () => {
  test('of a slow spend are renewed', async () => {
    // (A busy machine may stand still for two thirds of a claim.)
    const [here, there] = [table({ claimMs: 1_000 }), table({ claimMs: 1_000 })];
    const token = endpoint.signIn();
    endpoint.decided = () => sleep(2_500);
    const answers = await Promise.all([here, there].map((one) => read(one(refreshRequest(token)))));
    expect(endpoint.spent).toEqual([token]);
    expect(new Set(answers.map(nextOf)).size).toBe(1);
  });

  test('of a dead process run out', async () => {
    const token = endpoint.signIn();
    // As a process leaves it that dies before it has spent anything.
    const claim: RotationStore['claim'] = (key, _id, me) => store.rotation.claim(key, 'dead', me, 150);
    const dead = table({ store: overriding({ claim, renew: async () => {}, release: async () => {} }) });
    endpoint.instead = () => Promise.reject(new Error('killed'));
    await expect(dead(refreshRequest(token))).rejects.toThrow('killed');
    const answers = await Promise.all(times(10, () => read(table()(refreshRequest(token)))));
    expect(endpoint.spent).toEqual([token]);
    expect(new Set(answers.map(nextOf)).size).toBe(1);
  });
});

describe('reports of conflicts', () => {
  test('holds no token and no secret', async () => {
    const handler = table();
    const token = endpoint.signIn();
    await handler(refreshRequest(token, key('secret-key')));
    await handler(refreshRequest(token, key('other')));
    expect(Object.keys(conflicts[0]!).sort()).toEqual(
      ['at', 'clientId', 'reason', 'sessionId', 'token', 'version'].sort(),
    );
    expect(JSON.stringify(conflicts)).not.toMatch(new RegExp(`${token}|secret-key|other`));
    expect(conflicts[0]).toMatchObject({ reason: 'holder', clientId: 'test', version: 2 });
  });

  test('is counted by a monitor, which alerts once', async () => {
    const alerts: number[] = [];
    const monitor = createEndpointMonitor({
      conflictRateThreshold: 0.5,
      onAlert: ({ conflictRate }) => alerts.push(conflictRate),
    });
    const handler = table({ monitor });
    const token = endpoint.signIn();
    await handler(refreshRequest(token, key('k')));
    await handler(refreshRequest(token, key('k')));
    expect(alerts).toEqual([]);
    await handler(refreshRequest(token, key('x')));
    await handler(refreshRequest('unknown'));
    await handler(refreshRequest('unknown'));
    endpoint.instead = () => new Response('', { status: 500 });
    await handler(refreshRequest('unknown'));
    endpoint.instead = () => Response.json({ error: 'invalid_scope' }, { status: 400 });
    await handler(refreshRequest('unknown'));
    expect(monitor.getMetrics()).toMatchObject({
      attempts: 7,
      refreshed: 1,
      replayed: 1,
      conflicts: 3,
      refused: 1,
      failed: 1,
      conflictRate: 3 / 7,
    });
    expect(alerts).toEqual([0.5]);
  });

  test('survives callbacks that throw', async () => {
    const fault = () => {
      throw new Error('in the logger');
    };
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const handler = table({ onConflict: fault, responseHeaders: fault, onStoreError: fault });
    const token = endpoint.signIn();
    await handler(refreshRequest(token, key('k')));
    expect((await handler(refreshRequest(token, key('x')))).status).toBe(409);
    expect(warned).toHaveBeenCalledTimes(2);
    warned.mockRestore();
  });

  test('carries the site’s own headers', async () => {
    const handler = table({
      responseHeaders: (request) => ({ 'access-control-allow-origin': request.headers.get('origin') ?? '*' }),
    });
    const token = endpoint.signIn();
    const from = (name: string) => ({ headers: { 'idempotency-key': name, origin: 'https://app.example' } });
    await handler(refreshRequest(token, from('k')));
    for (const name of ['k', 'x']) {
      const answer = await handler(refreshRequest(token, from(name)));
      expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    }
  });
});

test.each([
  ['store', undefined],
  ['store', {}],
  ['windowMs', 0],
  ['windowMs', 120_001],
  ['windowMs', Number.NaN],
  ['windowMs', '10'],
  ['withoutKey', 'never'],
  ['authenticate', true],
  ['claimMs', 1],
  ['storeTimeoutMs', 0],
  ['whenStoreFails', 'panic'],
  ['onConflict', 'log'],
  ['onStoreError', 1],
  ['responseHeaders', {}],
  ['monitor', {}],
])('refuses an unusable %s: %s', (name, value) => {
  const options = { store, [name]: value } as IdempotentRotationOptions;
  expect(() => createIdempotentRotation(options)).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIGURATION', message: expect.stringContaining(`\`${name}\``) }),
  );
});
