import { IDBFactory } from 'fake-indexeddb';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createFakeSession, type FakeSession } from '../../test/support/fake-session.js';
import {
  json,
  startLoopbackServer,
  type Answer,
  type LoopbackServer,
} from '../../test/support/loopback-server.js';
import type * as OAuthModule from '../oauth/index.js';
import type { AuthorizedRequest } from '../types.js';
import { createFetch } from './index.js';

let api: LoopbackServer;
let session: FakeSession;
let authFetch: typeof globalThis.fetch;
beforeAll(async () => {
  api = await startLoopbackServer();
});
afterAll(() => api.close());
afterEach(() => {
  vi.unstubAllGlobals();
});

beforeEach(async () => {
  vi.stubGlobal('indexedDB', new IDBFactory());
  vi.resetModules();
  const { getDPoPKeyPair, refreshTokenGrant }: typeof OAuthModule = await import('../oauth/index.js');
  const options = { tokenEndpoint: 'https://login.example/token', clientId: 'app', dpop: true };
  const client = refreshTokenGrant(options);
  await getDPoPKeyPair('app');
  const tokens = { access_token: 'first-1', token_type: 'DPoP' };
  await client.bind?.({ name: 'app', sessionId: 'session', tokens });
  session = createFakeSession();
  Object.assign(session, {
    getAuthorizationHeaders: async (request: AuthorizedRequest) =>
      client.authorize?.({ ...request, accessToken: await session.getAccessToken(), sessionId: 'session' }),
  });
  authFetch = createFetch(session, { allowedOrigins: [api.origin] });
});

/** An API that wants this token and this nonce. */
const accepting =
  (token: string, nonce: string): Answer =>
  (request, response) => {
    const dpopNonce = { 'dpop-nonce': nonce };
    const refuse = (error: string): unknown =>
      json(
        401,
        { error },
        { ...dpopNonce, 'www-authenticate': `DPoP error="${error}", algs="ES256"` },
      )(request, response);
    if (decodeJwt(String(request.headers['dpop']))['nonce'] !== nonce) return void refuse('use_dpop_nonce');
    if (request.headers.authorization !== `DPoP ${token}`) return void refuse('invalid_token');
    return json(200, { fine: true }, dpopNonce)(request, response);
  };

test('a wanted nonce is sent with the same request again', async () => {
  api.answer(accepting('first-1', 'nonce-1'));
  const response = await authFetch(api.origin, { method: 'POST', body: 'hello' });
  expect([response.status, await response.json()]).toEqual([200, { fine: true }]);
  expect(api.received.map(({ body }) => body)).toEqual(['hello', 'hello']);
  expect(session.refreshes).toBe(0);
});

test('the next requests carry the newest nonce at once', async () => {
  api.answer(accepting('first-1', 'nonce-1'));
  await authFetch(api.origin);
  await authFetch(api.origin);
  expect(api.received).toHaveLength(3);
  api.answer((request, response) => json(200, {}, { 'dpop-nonce': 'nonce-2' })(request, response));
  await authFetch(api.origin);
  api.answer(accepting('first-1', 'nonce-2'));
  expect((await authFetch(api.origin)).status).toBe(200);
  expect(api.received).toHaveLength(1);
});

test('a wrong nonce and a wrong token are mended once', async () => {
  api.answer(accepting('first-2', 'nonce-1'));
  expect((await authFetch(api.origin)).status).toBe(200);
  expect([api.received.length, session.refreshes]).toEqual([3, 1]);
});

test('an API never content gets one further proof', async () => {
  let answers = 0;
  api.answer((...call) => accepting('first-1', `nonce-${answers++}`)(...call));
  expect((await authFetch(api.origin)).status).toBe(401);
  expect([api.received.length, session.refreshes]).toEqual([2, 0]);
});

test('the Date of a refusal corrects a wrong clock', async () => {
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  api.answer((request, response) => {
    const issuedAt = Number(decodeJwt(String(request.headers['dpop'])).iat) * 1000;
    const isNow = Math.abs(issuedAt - Date.parse(date)) < 60_000;
    const headers = { date, 'www-authenticate': 'DPoP error="invalid_dpop_proof"' };
    return isNow ? json(200, {})(request, response) : json(401, {}, headers)(request, response);
  });
  expect((await authFetch(api.origin)).status).toBe(200);
  expect([api.received.length, session.refreshes]).toEqual([2, 0]);
});

test('an unanswered refusal tells the time of then', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const refusal = { 'dpop-nonce': 'nonce-1', 'www-authenticate': 'DPoP error="invalid_dpop_proof"' };
  api.answer((...call) => json(401, {}, { ...refusal, date: new Date().toUTCString() })(...call));
  const body = new Blob(['once']).stream();
  await authFetch(api.origin, { method: 'POST', body, duplex: 'half' } as RequestInit);
  vi.setSystemTime(Date.now() + 3_600_000);
  api.answer(json(200, {}));
  await authFetch(api.origin);
  vi.useRealTimers();
  const { iat, nonce } = decodeJwt(String(api.received[0]?.headers['dpop']));
  expect(nonce).toBe('nonce-1');
  expect(Math.abs(Number(iat) * 1000 - (Date.now() + 3_600_000))).toBeLessThan(60_000);
});

test.each([301, 302, 303, 307, 308])('a proof does not follow a %i, to whatever origin', async (status) => {
  const stranger = await startLoopbackServer('localhost');
  stranger.answer(json(200, {}));
  for (const location of [`${stranger.origin}/there`, '/there']) {
    api.answer((_request, response) => void response.writeHead(status, { location }).end());
    const init = { method: 'POST', body: 'x' };
    await expect(authFetch(`${api.origin}/here`, init)).rejects.toThrow(/RFC 9449/);
    await expect(authFetch(new Request(`${api.origin}/here`, init))).rejects.toThrow(/RFC 9449/);
    expect(api.received.map(({ url, body }) => [url, body])).toEqual([
      ['/here', 'x'],
      ['/here', 'x'],
    ]);
  }
  expect(stranger.received).toEqual([]);
  await stranger.close();
});

test('leaves the redirect mode to the caller', async () => {
  api.answer((_request, response) => void response.writeHead(302, { location: '/there' }).end());
  expect((await authFetch(api.origin, { redirect: 'manual' })).status).toBe(302);
  await expect(authFetch(api.origin, { redirect: 'error' })).rejects.toThrow(/^fetch failed$/);
});

// React Native follows, whatever it is told.
test('a nonce of another origin is not used here', async () => {
  const foreign = new Response('{}', { headers: { 'dpop-nonce': 'foreign' } });
  Object.defineProperty(foreign, 'url', { value: 'https://stranger.example/' });
  const sent: unknown[] = [];
  authFetch = createFetch(session, {
    allowedOrigins: [api.origin],
    async fetch(_input, init) {
      sent.push(decodeJwt(new Headers(init?.headers).get('dpop') ?? ''));
      return Promise.resolve(foreign);
    },
  });
  await authFetch(api.origin);
  await authFetch(api.origin);
  expect(sent).toHaveLength(2);
  for (const proof of sent) expect(proof).not.toHaveProperty('nonce');
});
