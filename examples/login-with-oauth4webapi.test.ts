import { IDBFactory } from 'fake-indexeddb';
import { decodeJwt } from 'jose';
import { getDPoPKeyPair } from 'one-refresh/oauth';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createFakeCoordinator } from '../test/support/fake-coordinator.js';
import { json } from '../test/support/loopback-server.js';
import { startSignInServer, type SignInServer } from '../test/support/sign-in-server.js';
import { finishLogin, startLogin, type Login } from './login-with-oauth4webapi.js';

let server: SignInServer;
let login: Login;
let kept: Map<string, string>;
const coordinator = createFakeCoordinator();
const setSession = vi.spyOn(coordinator, 'setSession');
beforeAll(async () => {
  server = await startSignInServer();
  vi.stubGlobal('indexedDB', new IDBFactory());
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await server.close();
});
beforeEach(() => {
  kept = new Map();
  setSession.mockClear();
  login = {
    server: server.metadata,
    client: { client_id: 'app' },
    redirectUri: 'https://app.example/callback',
    scope: 'openid offline_access',
  };
});

test('the tokens of the code exchange begin a session', async () => {
  const callback = server.approve(await startLogin(login));
  server.answer(json(200, server.tokens('Bearer')));
  await finishLogin(login, callback, coordinator);
  expect(server.isVerified()).toBe(true);
  expect(setSession).toHaveBeenCalledExactlyOnceWith(
    { ...server.tokens('Bearer'), token_type: 'bearer' },
    { subject: 'ada', dpopKeyPair: undefined },
  );
  expect(kept.size).toBe(0);
});

test('with DPoP the session has the key of the exchange', async () => {
  const dpopKeyPair = await getDPoPKeyPair('app');
  const callback = server.approve(await startLogin(login));
  server.answer((request, response) => {
    const { nonce } = decodeJwt(String(request.headers['dpop']));
    return nonce === 'nonce-1'
      ? json(200, server.tokens('DPoP'))(request, response)
      : json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': 'nonce-1' })(request, response);
  });
  await finishLogin({ ...login, dpopKeyPair }, callback, coordinator);
  expect([server.received.length, server.isVerified()]).toEqual([2, true]);
  expect(setSession.mock.calls[0]?.[1]).toEqual({ subject: 'ada', dpopKeyPair });
});

test('an answer to another request is refused', async () => {
  const callback = server.approve(await startLogin(login));
  callback.searchParams.set('state', 'forged');
  await expect(finishLogin(login, callback, coordinator)).rejects.toThrow(/state/);
  expect(setSession).not.toHaveBeenCalled();
});
