// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { User } from 'oidc-client-ts';
import { createTokenCoordinator } from 'one-refresh';
import { beforeEach, expect, test, vi } from 'vitest';
import {
  fromAngularOAuth,
  fromInterceptor,
  fromKeycloak,
  fromOidcClient,
  takeOver,
  type StoredSession,
} from './stored-sessions.js';

beforeEach(() => localStorage.clear());

/** Each leaves its state as the library does, and finds it. */
const libraries: [name: string, find: () => StoredSession | undefined, subject: string | undefined][] = [
  [
    'oidc-client-ts',
    () => {
      const profile = { sub: 'ada', iss: 'https://id.example', aud: 'app', exp: 1, iat: 1 };
      const tokens = { access_token: 'old-access', refresh_token: 'old-refresh', token_type: 'Bearer' };
      localStorage.setItem(
        'oidc.user:https://id.example:app',
        new User({ ...tokens, profile }).toStorageString(),
      );
      return fromOidcClient(localStorage, 'https://id.example', 'app');
    },
    'ada',
  ],
  [
    'angular-oauth2-oidc',
    () => {
      localStorage.setItem('access_token', 'old-access');
      localStorage.setItem('refresh_token', 'old-refresh');
      localStorage.setItem('id_token_claims_obj', '{"sub":"ada","email":"ada@example.com"}');
      localStorage.setItem('expires_at', '1');
      return fromAngularOAuth(localStorage);
    },
    'ada',
  ],
  [
    'keycloak-js',
    () => {
      const kept = { token: 'old-access', refreshToken: 'old-refresh', subject: 'ada' };
      return fromKeycloak({ ...kept, clearToken: () => localStorage.clear() });
    },
    'ada',
  ],
  [
    'an interceptor',
    () => {
      localStorage.setItem('jwt', 'old-access');
      localStorage.setItem('jwt.refresh', 'old-refresh');
      return fromInterceptor(localStorage, { access: 'jwt', refresh: 'jwt.refresh' });
    },
    undefined,
  ],
];

test.each(libraries)('a session of %s goes on without a sign-in', async (name, find, subject) => {
  const refresh = vi.fn<
    (request: { refreshToken?: string | undefined }) => Promise<{ access_token: string }>
  >(() => Promise.resolve({ access_token: 'new-access', refresh_token: 'new-refresh', expires_in: 60 }));
  const coordinator = createTokenCoordinator({ name, refresh });
  await takeOver(coordinator, find());
  expect(coordinator.getSnapshot()).toMatchObject({ status: 'signed-in', subject });
  expect(await coordinator.getAccessToken()).toBe('new-access');
  expect(refresh.mock.calls.map(([request]) => request.refreshToken)).toEqual(['old-refresh']);
  expect(Object.keys(localStorage), 'nothing stays behind').toEqual([]);
  await coordinator.close();
});

test.each(libraries)('a session of %s that two tabs find begins once', async (name, find) => {
  const refresh = vi.fn<() => Promise<{ access_token: string }>>(() =>
    Promise.resolve({ access_token: 'new-access', refresh_token: 'new-refresh', expires_in: 60 }),
  );
  const tabs = [1, 2].map(() => createTokenCoordinator({ name: `two-${name}`, refresh }));
  const found = [find(), find()];
  await Promise.all(tabs.map((tab, n) => takeOver(tab, found[n])));
  const tokens = await Promise.all(tabs.map((tab) => tab.getAccessToken()));
  expect(tokens).toEqual(['new-access', 'new-access']);
  expect(refresh).toHaveBeenCalledTimes(1);
  await Promise.all(tabs.map((tab) => tab.close()));
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
