// Code that users may write against the further imports. Nothing here is run.
import type { Snapshot, TokenClient, TokenCoordinator, TokenCoordinatorError } from 'one-refresh';
import type { debugLog } from 'one-refresh/debug';
import { createFetch } from 'one-refresh/fetch';
import { createLogin, type requireSession, type Login, type LoginError } from 'one-refresh/login';
import { type getDPoPKeyPair, refreshTokenGrant } from 'one-refresh/oauth';
import { useAccessToken, useLogin, type AccessTokenState } from 'one-refresh/react';
import { createFakeCoordinator, type FakeCoordinator } from 'one-refresh/testing';
import { same } from './expect.js';

declare const coordinator: TokenCoordinator;

// Lines for a developer.
same<Parameters<typeof debugLog>, [line: string]>();

// A drop-in for fetch.
same<ReturnType<typeof createFetch>, typeof fetch>();
createFetch(coordinator, {
  allowedOrigins: ['https://a.example', { origin: 'https://b.example', scope: 'b' }],
});
// @ts-expect-error origins come as a list
createFetch(coordinator, { allowedOrigins: 'https://a.example' });
createFetch(coordinator, { optional: true, unauthorized: ({ status }) => status === 403, waitMs: 5_000 });
// @ts-expect-error Decided at once; the body is not there yet.
createFetch(coordinator, { unauthorized: async ({ status }) => status === 403 });

// A client for the coordinator.
const client: TokenClient = refreshTokenGrant({ issuer: 'https://id.example', clientId: 'app' });
void client;
// @ts-expect-error a public client has an id
refreshTokenGrant({ issuer: 'https://id.example' });
same<ReturnType<typeof getDPoPKeyPair>, Promise<CryptoKeyPair>>();

// Signing in.
const login: Login = createLogin({
  coordinator,
  issuer: new URL('https://id.example'),
  clientId: 'app',
  redirectUri: '/callback',
  scope: undefined,
});
createLogin({
  coordinator,
  endpoints: {
    authorization_endpoint: 'https://id.example/auth',
    token_endpoint: 'https://id.example/token',
  },
  clientId: 'app',
  redirectUri: 'https://app.example/callback',
});
// @ts-expect-error a page to come back to
createLogin({ coordinator, issuer: 'https://id.example', clientId: 'app' });
same<ReturnType<Login['start']>, Promise<never>>();
same<ReturnType<Login['popup']>, Promise<void>>();
same<ReturnType<typeof requireSession>, Promise<Snapshot>>();
void login.stepUp(new Response());
void login.stepUp({ acrValues: 'gold', maxAge: 0 });
void login.signOut({ everywhere: false });
declare const loginError: LoginError;
const answers: Partial<Record<LoginError['code'], string>> = {
  access_denied: 'You said no.',
  an_error_of_some_server: '…',
};
void answers[loginError.code];

// The hook, whole or narrowed, with a coordinator or with the provider's.
function Component(): void {
  same<AccessTokenState, ReturnType<typeof whole>>();
  const status = useAccessToken(({ status }) => status);
  same<typeof status, AccessTokenState['status']>();
  const error = useAccessToken(coordinator, ({ error }) => error);
  same<typeof error, TokenCoordinatorError | undefined>();
  same<AccessTokenState['accessToken'], string | undefined>();
  const { start, finish, error: failed } = useLogin();
  void start({ returnTo: '/' });
  same<ReturnType<typeof finish>, Promise<{ readonly returnTo: string } | undefined>>();
  same<typeof failed, LoginError | TokenCoordinatorError | undefined>();
}
const whole = (): AccessTokenState => useAccessToken(coordinator);
void Component;

// A fake is a coordinator.
const fake: FakeCoordinator = createFakeCoordinator({ status: 'signed-out', accessToken: undefined });
const real: TokenCoordinator = fake;
void real;
fake.set({ status: 'reauth-required' });
fake.emit('reauth-required', { reason: 'response_lost' });
// @ts-expect-error no such status
fake.set({ status: 'gone' });
