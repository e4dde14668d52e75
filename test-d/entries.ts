// What users may write against the further imports. Nothing here is run.
import type { TokenClient, TokenCoordinator, TokenCoordinatorError } from 'one-refresh';
import { createFetch } from 'one-refresh/fetch';
import { type getDPoPKeyPair, refreshTokenGrant } from 'one-refresh/oauth';
import { useAccessToken, type AccessTokenState } from 'one-refresh/react';
import { createFakeCoordinator, type FakeCoordinator } from 'one-refresh/testing';
import { same } from './expect.js';

declare const coordinator: TokenCoordinator;

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

// The hook, whole or narrowed, with a coordinator or with the provider's.
function Component(): void {
  same<AccessTokenState, ReturnType<typeof whole>>();
  const status = useAccessToken(({ status }) => status);
  same<typeof status, AccessTokenState['status']>();
  const error = useAccessToken(coordinator, ({ error }) => error);
  same<typeof error, TokenCoordinatorError | undefined>();
  same<AccessTokenState['accessToken'], string | undefined>();
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
