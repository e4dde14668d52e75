import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { refreshTokenGrant } from './index.js';

// As in Chrome 98, Firefox 97 and Safari 15.4.
beforeEach(() => {
  vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => {
    throw new TypeError('AbortSignal.timeout is not a function');
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A server that never answers, until the request's signal ends it. */
const silent: typeof fetch = (_url, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
  });
const grant = (): ReturnType<typeof refreshTokenGrant> =>
  refreshTokenGrant({ issuer: 'https://id.example', clientId: 'app', fetch: silent });

test.each([
  [
    'discovery',
    () => {
      const { signal } = new AbortController();
      const request = { refreshToken: 'r', sessionId: 's', version: 1, attempt: 1, idempotencyKey: 'k' };
      return grant().refresh({ ...request, signal });
    },
  ],
  ['revocation', () => grant().revoke?.('token', 'refresh_token')],
])('%s ends after its time without AbortSignal.timeout', async (_, ask) => {
  const failure = ask()?.catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await failure).toMatchObject({ refreshOutcome: 'unavailable', cause: { name: 'TimeoutError' } });
});
