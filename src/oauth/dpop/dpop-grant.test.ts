import { RefreshUnavailableError } from '../../core/errors.js';
import { IDBFactory } from 'fake-indexeddb';
import { createStore, get, set } from 'idb-keyval';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, UnsecuredJWT, type JWTPayload } from 'jose';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  json,
  startLoopbackServer,
  type Answer,
  type LoopbackServer,
  type ReceivedRequest,
} from '../../../test/support/loopback-server.js';
import type { RefreshRequest, TokenClient } from '../../types.js';
import type * as OAuthModule from '../index.js';
import type { BoundClient } from '../bound-client.js';
import type { RefreshTokenGrantOptions } from '../index.js';
import { patiently } from '../../../test/support/patiently.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
});
afterAll(() => server.close());
beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory());
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

type OAuth = typeof OAuthModule;
type Client = TokenClient & BoundClient;
interface Tab extends OAuth {
  readonly client: Client;
}
/** A tab: the modules anew, over the same database. */
async function openTab(options: Partial<RefreshTokenGrantOptions> = {}): Promise<Tab> {
  vi.resetModules();
  const oauth: OAuth = await import('../index.js');
  const given = { tokenEndpoint: `${server.origin}/token`, clientId: 'app', dpop: true, ...options };
  return { ...oauth, client: oauth.refreshTokenGrant(given) as Client };
}
/** A tab in which somebody has just signed in. */
async function signIn(tokens: object = {}): Promise<Tab> {
  const tab = await openTab();
  await tab.getDPoPKeyPair('app');
  await tab.client.bind({ name: 'app', sessionId: 'session', tokens: { ...pair, ...tokens } });
  return tab;
}

const pair = { access_token: 'access-1', token_type: 'DPoP', refresh_token: 'refresh-1' };
const request: RefreshRequest = {
  refreshToken: 'refresh-1',
  sessionId: 'session',
  version: 1,
  attempt: 1,
  idempotencyKey: 'key',
  signal: new AbortController().signal,
};
const api = { url: 'https://api.example/items?page=2#top', method: 'PATCH', accessToken: 'access-1' };
const authorized = { ...api, sessionId: 'session' };

interface Proof {
  readonly claims: JWTPayload & { htm?: string; htu?: string; ath?: string; nonce?: string };
  readonly jkt: string;
}
/** The proof, its signature checked with the key in it. */
async function readProof(jwt: unknown): Promise<Proof> {
  const { payload, protectedHeader } = await jwtVerify(String(jwt), EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: ['ES256'],
  });
  const jwk = protectedHeader.jwk ?? {};
  expect(Object.keys(jwk)).not.toContain('d');
  return { claims: payload, jkt: await calculateJwkThumbprint(jwk) };
}
const proofOf = ({ headers }: ReceivedRequest): Promise<Proof> => readProof(headers['dpop']);

/** A token endpoint that wants this nonce in every proof. */
const wanting =
  (nonce: string): Answer =>
  async (received, response) => {
    const { claims } = await proofOf(received);
    return claims.nonce === nonce
      ? json(200, pair, { 'dpop-nonce': nonce })(received, response)
      : json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': nonce })(received, response);
  };

describe('a refresh', () => {
  test('carries a new proof for the token endpoint each time', async () => {
    const before = Date.now() / 1000;
    const { client } = await signIn();
    server.answer(json(200, pair));
    await client.refresh(request);
    await client.refresh(request);
    const [first, second] = await Promise.all(server.received.map(proofOf));
    expect(first?.claims).toMatchObject({ htm: 'POST', htu: `${server.origin}/token` });
    expect(first?.claims).not.toHaveProperty('ath');
    expect(first?.claims).not.toHaveProperty('nonce');
    expect(Number(first?.claims.iat)).toBeGreaterThanOrEqual(Math.floor(before) - 1);
    expect(Number(first?.claims.iat)).toBeLessThanOrEqual(Date.now() / 1000);
    expect(second?.jkt).toBe(first?.jkt);
    expect(second?.claims.jti).not.toBe(first?.claims.jti);
  });

  test('is repeated once with the wanted nonce, in all tabs', async () => {
    const { client } = await signIn();
    server.answer(wanting('nonce-1'));
    expect(await client.refresh(request)).toEqual(pair);
    expect(server.received).toHaveLength(2);
    await client.refresh(request);
    expect(server.received).toHaveLength(3);
    const { client: elsewhere } = await openTab();
    await elsewhere.refresh(request);
    expect(server.received).toHaveLength(4);
  });

  test('is repeated once only', async () => {
    const { client } = await signIn();
    server.answer(async (received, response) =>
      json(
        400,
        { error: 'use_dpop_nonce' },
        { 'dpop-nonce': `${server.received.length}` },
      )(received, response),
    );
    await expect(client.refresh(request)).rejects.toMatchObject({
      refreshOutcome: 'rejected',
      error: 'use_dpop_nonce',
    });
    expect(server.received).toHaveLength(2);
  });

  test('is not repeated if the nonce cannot be read (CORS)', async () => {
    const { client } = await signIn();
    server.answer(json(400, { error: 'use_dpop_nonce' }));
    await expect(client.refresh(request)).rejects.toMatchObject({ error: 'use_dpop_nonce' });
    expect(server.received).toHaveLength(1);
  });

  test('uses the newest nonce that any tab has heard', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { client } = await signIn();
    server.answer(wanting('nonce-1'));
    await client.refresh(request);
    const { client: elsewhere } = await openTab();
    server.answer(wanting('nonce-2'));
    await elsewhere.refresh(request);
    vi.advanceTimersByTime(10_000);
    server.answer(wanting('nonce-2'));
    await client.refresh(request);
    expect(server.received).toHaveLength(1);
  });

  test('whose nonce came too late is not repeated', async () => {
    const { client } = await signIn();
    let late = false;
    server.answer((received, response) => {
      late = true;
      return json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': 'nonce-1' })(received, response);
    });
    const assertSendable = (): void => {
      if (late) throw new RefreshUnavailableError();
    };
    await expect(client.refresh({ ...request, assertSendable })).rejects.toMatchObject({
      refreshOutcome: 'unavailable',
      unspent: true,
    });
    expect(server.received).toHaveLength(1);
  });

  test('without its key means that the session is over', async () => {
    const { client } = await openTab();
    server.answer(json(200, pair));
    await expect(client.refresh(request)).rejects.toMatchObject({
      refreshOutcome: 'rejected',
      error: 'invalid_grant',
    });
    expect(server.received).toEqual([]);
  });

  test('while IndexedDB fails is only unavailable', async () => {
    await signIn();
    const { client } = await openTab();
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('gone', 'UnknownError');
    });
    server.answer(json(200, pair));
    await expect(client.refresh(request)).rejects.toMatchObject({
      refreshOutcome: 'unavailable',
      unspent: true,
    });
    expect(server.received).toEqual([]);
  });
});

describe('the client says whether the server offers nonces', () => {
  test('not before the server has given tokens', async () => {
    const { client } = await signIn();
    expect(client.offersNonces?.()).toBeUndefined();
    server.answer(json(503, {}));
    await expect(client.refresh(request)).rejects.toMatchObject({ refreshOutcome: 'unavailable' });
    expect(client.offersNonces?.()).toBeUndefined();
  });

  test.each([
    ['none came', {}, false],
    ['one came with the tokens', { 'dpop-nonce': 'nonce-1' }, true],
  ])('when %s', async (_name, headers, offered) => {
    const { client } = await signIn();
    server.answer(json(200, pair, headers));
    await client.refresh(request);
    expect(client.offersNonces?.()).toBe(offered);
  });

  test('when another tab heard the nonce that is still good', async () => {
    const { client } = await signIn();
    server.answer(wanting('nonce-1'));
    await client.refresh(request);
    const { client: elsewhere } = await openTab();
    server.answer(json(200, pair));
    await elsewhere.refresh(request);
    expect(elsewhere.offersNonces?.()).toBe(true);
  });

  test('whatever an API on its origin sends', async () => {
    const { client } = await signIn();
    const previous = { headers: new Headers({ 'dpop-nonce': 'api-nonce' }) };
    await client.authorize({ ...authorized, url: `${server.origin}/api`, previous });
    server.answer(json(200, pair));
    await client.refresh(request);
    expect(client.offersNonces?.()).toBe(false);
  });
});

describe('a request to an API', () => {
  test('carries a proof that names it and the token', async () => {
    const { client } = await signIn();
    const headers = await client.authorize(authorized);
    expect(headers).toEqual({ Authorization: 'DPoP access-1', DPoP: expect.any(String) as string });
    const { claims } = await readProof(headers['DPoP']);
    expect(claims).toMatchObject({
      htm: 'PATCH',
      htu: 'https://api.example/items',
      ath: createHash('sha256').update('access-1').digest('base64url'),
    });
  });

  test('names URL and method as fetch sends them', async () => {
    const { client } = await signIn();
    vi.stubGlobal('location', { href: 'https://app.example/page' });
    const headers = await client.authorize({ ...authorized, url: '/items', method: 'post' });
    const { claims } = await readProof(headers['DPoP']);
    expect(claims).toMatchObject({ htm: 'POST', htu: 'https://app.example/items' });
    vi.stubGlobal('location', undefined);
    await expect(client.authorize({ ...authorized, url: '/items' })).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
    });
  });

  test('is signed with one key in every tab', async () => {
    const jkts = new Set<string>();
    await signIn();
    for (let tab = 0; tab < 5; tab++) {
      const { client } = await openTab();
      jkts.add((await readProof((await client.authorize(authorized))['DPoP'])).jkt);
    }
    expect(jkts.size).toBe(1);
  });

  test('carries the last nonce per origin and role', async () => {
    const { client } = await signIn();
    const nonceIn = async (client: Client, more: object = {}): Promise<unknown> =>
      (await readProof((await client.authorize({ ...authorized, ...more }))['DPoP'])).claims.nonce;
    const previous = { headers: new Headers({ 'dpop-nonce': 'api-nonce' }) };
    expect(await nonceIn(client, { previous })).toBe('api-nonce');
    expect(await nonceIn(client)).toBe('api-nonce');
    expect(await nonceIn(client, { url: 'https://other.example' })).toBeUndefined();
    await patiently(async () => expect(await nonceIn((await openTab()).client)).toBe('api-nonce'));
    server.answer(json(200, pair));
    await client.refresh(request);
    expect((await proofOf(server.received[0] as ReceivedRequest)).claims).not.toHaveProperty('nonce');
  });

  test('without a key is refused, never sent as Bearer', async () => {
    const { client } = await openTab();
    await expect(client.authorize(authorized)).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' });
  });
});

describe('a refresh of a bound session', () => {
  const answering = async (tokens: object): Promise<unknown> => {
    const { client } = await signIn();
    server.answer(json(200, { ...pair, refresh_token: 'refresh-2', ...tokens }));
    const given = await client.refresh(request);
    try {
      client.check?.({ sessionId: request.sessionId, tokens: given });
      return given;
    } catch (error) {
      return error;
    }
  };
  const boundTo = (cnf: unknown): object => ({ access_token: new UnsecuredJWT({ cnf }).encode() });

  test.each([
    ['that are not bound', { token_type: 'Bearer' }],
    ['of a type of its own', { token_type: 'N_A' }],
    ['bound to another key', boundTo({ jkt: 'another' })],
    ['bound to nonsense', boundTo({ jkt: [null] })],
  ])('refuses tokens %s', async (_name, tokens) => {
    expect(await answering(tokens)).toMatchObject({ code: 'ERR_CONFIGURATION' });
  });

  test.each([
    ['of no type', { token_type: undefined }],
    ['that do not say what they are bound to', boundTo(null)],
  ])('takes tokens %s', async (_name, tokens) => {
    expect(await answering(tokens)).toMatchObject({ refresh_token: 'refresh-2' });
  });
});

describe('a session begins', () => {
  const begin = async (tab: Tab, tokens: object, dpopKeyPair?: CryptoKeyPair): Promise<unknown> =>
    tab.client
      .bind({ name: 'app', sessionId: 'session', tokens: { ...pair, ...tokens }, dpopKeyPair })
      .catch((error: unknown) => error);
  const generate = (algorithm: EcKeyGenParams, extractable: boolean): Promise<CryptoKeyPair> =>
    crypto.subtle.generateKey(algorithm, extractable, ['sign', 'verify']);
  const P256 = { name: 'ECDSA', namedCurve: 'P-256' };

  test('with a key that was made elsewhere', async () => {
    const tab = await openTab();
    const keyPair = await generate(P256, false);
    expect(await begin(tab, {}, keyPair)).toBeUndefined();
    const { client } = await openTab();
    const { jkt } = await readProof((await client.authorize(authorized))['DPoP']);
    expect(jkt).toBe(await calculateJwkThumbprint(await crypto.subtle.exportKey('jwk', keyPair.publicKey)));
  });

  test('without a known key is refused', async () => {
    expect(await begin(await openTab(), {})).toMatchObject({ code: 'ERR_CONFIGURATION' });
  });

  test('with unbound tokens is refused: no silent downgrade', async () => {
    const tab = await openTab();
    await tab.getDPoPKeyPair('app');
    expect(await begin(tab, { token_type: 'Bearer' })).toMatchObject({ code: 'ERR_CONFIGURATION' });
    expect(await begin(tab, { token_type: 'dpop' })).toBeUndefined();
    expect(await begin(tab, { token_type: undefined })).toBeUndefined();
  });

  test('with tokens bound to another key is refused', async () => {
    const tab = await openTab();
    const { publicKey } = await tab.getDPoPKeyPair('app');
    const bound = (jkt: string): object => ({ access_token: new UnsecuredJWT({ cnf: { jkt } }).encode() });
    expect(await begin(tab, bound('another'))).toMatchObject({ code: 'ERR_CONFIGURATION' });
    const jkt = await calculateJwkThumbprint(await crypto.subtle.exportKey('jwk', publicKey));
    expect(await begin(tab, bound(jkt))).toBeUndefined();
  });

  test.each([
    ['another curve', () => generate({ name: 'ECDSA', namedCurve: 'P-384' }, false)],
    ['extractable', () => generate(P256, true)],
    ['no key at all', () => Promise.resolve({} as CryptoKeyPair)],
  ])('not with a key that is %s', async (_name, make) => {
    expect(await begin(await openTab(), {}, await make())).toMatchObject({ code: 'ERR_CONFIGURATION' });
  });

  test('not with halves that do not belong together', async () => {
    const [one, other] = [await generate(P256, false), await generate(P256, false)];
    const keyPair = { privateKey: one.privateKey, publicKey: other.publicKey };
    expect(await begin(await openTab(), {}, keyPair)).toMatchObject({ code: 'ERR_CONFIGURATION' });
  });

  test('with a key whose public half is for show only', async () => {
    const { privateKey, publicKey } = await generate(P256, false);
    const jwk = { ...(await crypto.subtle.exportKey('jwk', publicKey)), key_ops: [] };
    const shown = await crypto.subtle.importKey('jwk', jwk, P256, true, []);
    expect(await begin(await openTab(), {}, { privateKey, publicKey: shown })).toBeUndefined();
  });

  test("with this page's key, though another tab signed out", async () => {
    const tab = await signIn();
    const other = await openTab();
    await other.getDPoPKeyPair('app');
    await tab.client.unbind({ name: 'app', sessionId: 'session' });
    expect(await begin(other, {})).toBeUndefined();
  });
});

describe('a wrong clock', () => {
  const HOUR = 3_600_000;
  /** A server an hour ahead that refuses proofs of another time; it says what time it is, or does not. */
  const anHourAhead =
    (date: boolean): Answer =>
    async (received, response) => {
      const { claims } = await proofOf(received);
      const isNow = Math.abs(Number(claims.iat) * 1000 - Date.now() - HOUR) < 60_000;
      response.sendDate = false;
      const headers: Record<string, string> = date ? { date: new Date(Date.now() + HOUR).toUTCString() } : {};
      return (isNow ? json(200, pair, headers) : json(400, { error: 'invalid_dpop_proof' }, headers))(
        received,
        response,
      );
    };
  const issuedAhead = (): object => ({
    access_token: new UnsecuredJWT({}).setIssuedAt(Math.floor((Date.now() + HOUR) / 1000)).encode(),
  });

  test('the Date of the answer corrects it for all', async () => {
    const { client } = await signIn();
    server.answer(anHourAhead(true));
    expect(await client.refresh(request)).toEqual(pair);
    expect(server.received).toHaveLength(2);
    const { client: elsewhere } = await openTab();
    await elsewhere.refresh(request);
    expect(server.received).toHaveLength(3);
  });

  test("the tokens' issue time corrects it without a Date", async () => {
    await signIn(issuedAhead());
    const { client } = await openTab();
    server.answer(anHourAhead(false));
    expect(await client.refresh(request)).toEqual(pair);
    expect(server.received).toHaveLength(2);
  });

  test('that nobody knows about is left as it is', async () => {
    const { client } = await signIn();
    server.answer(anHourAhead(false));
    await expect(client.refresh(request)).rejects.toMatchObject({ error: 'invalid_dpop_proof' });
    expect(server.received).toHaveLength(1);
  });

  test('set right by its user is right again', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const { client } = await signIn(issuedAhead());
    server.answer(anHourAhead(false));
    await client.refresh(request);
    vi.advanceTimersByTime(10_000);
    server.answer(async (received, response) => {
      response.sendDate = false;
      const off = Number((await proofOf(received)).claims.iat) * 1000 - Date.now();
      const isNow = Math.abs(off) < 60_000;
      return (isNow ? json(200, pair) : json(400, { error: 'invalid_dpop_proof' }))(received, response);
    });
    expect(await client.refresh(request)).toEqual(pair);
    expect(server.received).toHaveLength(2);
  });

  test('is corrected after an API has refused a proof', async () => {
    const { client } = await signIn();
    const headers = new Headers({
      'www-authenticate': 'DPoP error="invalid_dpop_proof", algs="ES256"',
      date: new Date(Date.now() + HOUR).toUTCString(),
    });
    const proofs = await Promise.all(
      [1, 2, 3].map(() => client.authorize({ ...authorized, previous: { headers } })),
    );
    for (const { DPoP } of proofs) {
      expect(Math.abs(Number((await readProof(DPoP)).claims.iat) * 1000 - Date.now() - HOUR)).toBeLessThan(
        5_000,
      );
    }
  });

  const refusing = (ahead: number): Headers =>
    new Headers({
      'www-authenticate': 'DPoP error="invalid_dpop_proof", algs="ES256"',
      date: new Date(Date.now() + ahead).toUTCString(),
    });
  const aheadIn = async (proof: unknown): Promise<number> =>
    Number((await readProof(proof)).claims.iat) * 1000 - Date.now();

  test("is one server's: an API moves no other", async () => {
    const { client } = await signIn();
    const url = `${server.origin}/api`;
    const previous = { headers: refusing(HOUR) };
    const { DPoP } = await client.authorize({ ...authorized, url, previous });
    expect(await aheadIn(DPoP)).toBeGreaterThan(HOUR - 5_000);
    const other = await client.authorize({ ...authorized, url: 'https://other.example' });
    expect(Math.abs(await aheadIn(other['DPoP']))).toBeLessThan(5_000);
    server.answer(json(200, pair));
    for (const tab of [client, (await openTab()).client]) await tab.refresh(request);
    expect(server.received).toHaveLength(2);
    for (const { headers } of server.received)
      expect(Math.abs(await aheadIn(headers['dpop']))).toBeLessThan(5_000);
  });

  test.each([25 * HOUR, -25 * HOUR, 10_000 * HOUR])(
    'is not moved by %i ms, more than a day',
    async (ahead) => {
      const { client } = await signIn();
      const { DPoP } = await client.authorize({ ...authorized, previous: { headers: refusing(ahead) } });
      expect(Math.abs(await aheadIn(DPoP))).toBeLessThan(5_000);
    },
  );

  test.each([1e15, 'soon', String(HOUR), NaN, { skewMs: HOUR }])(
    'is not moved by a note of %j',
    async (note) => {
      const { client } = await signIn();
      await client.authorize({ ...authorized, previous: { headers: refusing(HOUR) } });
      const store = createStore('one-refresh-dpop', 'dpop');
      expect(await get('clock:api https://api.example', store)).toBeGreaterThan(HOUR - 5_000);
      await set('clock:api https://api.example', note, store);
      const { client: elsewhere } = await openTab();
      expect(Math.abs(await aheadIn((await elsewhere.authorize(authorized))['DPoP']))).toBeLessThan(5_000);
    },
  );

  // Only the same challenge is read as one: not text in another's parameter.
  test('a challenge that quotes the error changes nothing', async () => {
    const { client } = await signIn();
    const headers = refusing(HOUR);
    headers.set('www-authenticate', 'Bearer realm="say DPoP error=invalid_dpop_proof"');
    const { DPoP } = await client.authorize({ ...authorized, previous: { headers } });
    expect(Math.abs(await aheadIn(DPoP))).toBeLessThan(5_000);
  });

  test('is not corrected where it is right', async () => {
    const { client } = await signIn();
    server.answer(json(400, { error: 'invalid_dpop_proof' }));
    await expect(client.refresh(request)).rejects.toMatchObject({ error: 'invalid_dpop_proof' });
    expect(server.received).toHaveLength(1);
  });
});

test('a service worker is given the code instead', async () => {
  const tab = await openTab();
  const given = await openTab({ dpop: tab.dpopSupport });
  await tab.getDPoPKeyPair('app');
  await given.client.bind({ name: 'app', sessionId: 'session', tokens: pair });
  expect(await given.client.authorize(authorized)).toHaveProperty('DPoP');
});

test('a client without DPoP has nothing of it', async () => {
  const { client } = await openTab({ dpop: false });
  expect(Object.keys(client)).toEqual(['binding', 'needsRefreshToken', 'refresh']);
});
