// @vitest-environment jsdom
import '@angular/compiler';
import 'fake-indexeddb/auto';
import type { HttpClient } from '@angular/common/http';
import type { NgZone } from '@angular/core';
import {
  NullValidationHandler,
  OAuthService,
  SystemDateTimeProvider,
  UrlHelperService,
} from 'angular-oauth2-oidc';
import Keycloak from 'keycloak-js';
import { User } from 'oidc-client-ts';
import { createTokenCoordinator } from 'one-refresh';
import { of } from 'rxjs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  fromAngularOAuth,
  fromInterceptor,
  fromKeycloak,
  fromOidcClient,
  takeOver,
  type StoredSession,
} from './stored-sessions.js';

beforeEach(() => localStorage.clear());
afterEach(() => vi.unstubAllGlobals());

/** A token that libraries look into; nobody checks its signature here. */
const jwt = (claims: object): string =>
  [{ alg: 'none' }, claims, ''].map((part) => btoa(JSON.stringify(part)).replace(/=+$/, '')).join('.');
const seconds = Math.floor(Date.now() / 1000);
const claims = { sub: 'ada', iss: 'https://id.example', aud: 'app', iat: seconds - 10, exp: seconds + 600 };
const tokens = {
  access_token: jwt({ ...claims, typ: 'access' }),
  refresh_token: jwt({ ...claims, typ: 'refresh' }),
  token_type: 'Bearer',
  expires_in: 600,
};

function withResolvers(): object {
  let settle = {};
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

async function signedInKeycloak(): Promise<Keycloak> {
  const keycloak = new Keycloak({ url: 'https://id.example', realm: 'shop', clientId: 'app' });
  vi.stubGlobal('fetch', () => Promise.resolve(Response.json(tokens)));
  // It is written for browsers of today; Node 20 is older.
  if (!('withResolvers' in Promise)) Object.assign(Promise, { withResolvers });
  const { access_token: token, refresh_token: refreshToken } = tokens;
  await keycloak.init({ token, refreshToken, checkLoginIframe: false });
  return keycloak;
}

/** The library itself leaves its state, from a token response; then it is found. */
const libraries: [name: string, find: () => Promise<StoredSession | undefined>, subject?: string][] = [
  [
    'oidc-client-ts',
    async () => {
      const user = new User({ ...tokens, profile: claims });
      localStorage.setItem('oidc.user:https://id.example:app', user.toStorageString());
      return fromOidcClient(localStorage, 'https://id.example', 'app');
    },
    'ada',
  ],
  [
    'angular-oauth2-oidc',
    async () => {
      localStorage.setItem('nonce', 'n');
      const answer = { ...tokens, id_token: jwt({ ...claims, nonce: 'n' }), scope: 'openid' };
      const zone = { run: (f: () => void) => f(), runOutsideAngular: (f: () => void) => f() };
      const service = new OAuthService(
        zone as unknown as NgZone,
        { post: () => of(answer) } as unknown as HttpClient,
        localStorage,
        new NullValidationHandler(),
        {
          clientId: 'app',
          issuer: 'https://id.example',
          tokenEndpoint: 'https://id.example/token',
          scope: 'openid',
          disableAtHashCheck: true,
        },
        new UrlHelperService(),
        console,
        undefined!,
        document,
        new SystemDateTimeProvider(),
      );
      await service.fetchTokenUsingGrant('authorization_code', {});
      await vi.waitFor(() => expect(service.getIdentityClaims()).toMatchObject({ sub: 'ada' }));
      return fromAngularOAuth(localStorage);
    },
    'ada',
  ],
  ['keycloak-js', async () => fromKeycloak(await signedInKeycloak()), 'ada'],
  [
    'an interceptor',
    async () => {
      localStorage.setItem('jwt', tokens.access_token);
      localStorage.setItem('jwt.refresh', tokens.refresh_token);
      return fromInterceptor(localStorage, { access: 'jwt', refresh: 'jwt.refresh' });
    },
  ],
];

test.each(libraries)('a session of %s goes on without a sign-in', async (name, find, subject) => {
  const refresh = vi.fn<
    (request: { refreshToken?: string | undefined }) => Promise<{ access_token: string }>
  >(() => Promise.resolve({ access_token: 'new-access', refresh_token: 'new-refresh', expires_in: 60 }));
  const coordinator = createTokenCoordinator({ name, refresh });
  await takeOver(coordinator, await find());
  expect(coordinator.getSnapshot()).toMatchObject({ status: 'signed-in', subject });
  expect(await coordinator.getAccessToken()).toBe('new-access');
  expect(refresh.mock.calls.map(([request]) => request.refreshToken)).toEqual([tokens.refresh_token]);
  expect(Object.keys(localStorage), 'nothing stays behind').toEqual([]);
  await coordinator.close();
});

test.each(libraries)('a session of %s that two tabs find begins once', async (name, find) => {
  const refresh = vi.fn<() => Promise<{ access_token: string }>>(() =>
    Promise.resolve({ access_token: 'new-access', refresh_token: 'new-refresh', expires_in: 60 }),
  );
  const tabs = [1, 2].map(() => createTokenCoordinator({ name: `two-${name}`, refresh }));
  const found = [await find(), await find()];
  await Promise.all(tabs.map((tab, n) => takeOver(tab, found[n])));
  const tokens = await Promise.all(tabs.map((tab) => tab.getAccessToken()));
  expect(tokens).toEqual(['new-access', 'new-access']);
  expect(refresh).toHaveBeenCalledTimes(1);
  await Promise.all(tabs.map((tab) => tab.close()));
});

test('keycloak-js has nothing left to refresh with', async () => {
  const keycloak = await signedInKeycloak();
  const coordinator = createTokenCoordinator({ name: 'moved', refresh: () => Promise.reject(new Error()) });
  await takeOver(coordinator, fromKeycloak(keycloak));
  expect([keycloak.authenticated, keycloak.refreshToken]).toEqual([false, undefined]);
  await coordinator.close();
});

test.each(['not JSON', 'null', '7', '[]'])('%s in the storage is no session', (text) => {
  localStorage.setItem('oidc.user:https://id.example:app', text);
  expect(fromOidcClient(localStorage, 'https://id.example', 'app')).toBeUndefined();
});

test('without a stored session nobody is signed in', async () => {
  const setSession = vi.fn<() => Promise<void>>();
  expect(fromOidcClient(localStorage, 'https://id.example', 'app')).toBeUndefined();
  expect(fromAngularOAuth(localStorage)).toBeUndefined();
  expect(fromKeycloak({ clearToken: () => {} })).toBeUndefined();
  expect(fromInterceptor(localStorage, { access: 'jwt', refresh: 'jwt.refresh' })).toBeUndefined();
  await takeOver({ setSession } as never, undefined);
  expect(setSession).not.toHaveBeenCalled();
});
