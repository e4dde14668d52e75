import type { RefreshRequest } from 'one-refresh';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createFakeCoordinator } from '../test/support/fake-coordinator.js';
import { json, startLoopbackServer, type LoopbackServer } from '../test/support/loopback-server.js';
import { beginSession, endSession, refreshByCookie } from './cookie-backend.js';

let backend: LoopbackServer;
beforeAll(async () => {
  backend = await startLoopbackServer();
});
afterAll(() => backend.close());

const request: RefreshRequest = {
  sessionId: 'session',
  version: 3,
  attempt: 1,
  idempotencyKey: 'key',
  signal: new AbortController().signal,
};
const tokens = { access_token: 'access-1', expires_in: 60 };

test('asks the backend, which has the refresh token', async () => {
  backend.answer(json(200, tokens));
  expect(await refreshByCookie(backend.origin)(request)).toEqual(tokens);
  expect(backend.received).toMatchObject([
    { method: 'POST', body: '{"version":3}', headers: { 'x-requested-with': 'one-refresh' } },
  ]);
});

test.each([
  [401, {}, { refreshOutcome: 'rejected', error: 'invalid_grant' }],
  [409, {}, { refreshOutcome: 'conflict' }],
  [503, { 'retry-after': '7' }, { refreshOutcome: 'unavailable', status: 503, retryAfterMs: 7_000 }],
  [500, {}, { refreshOutcome: 'unavailable', status: 500, retryAfterMs: undefined }],
])('a %i means what it should', async (status, headers, outcome) => {
  backend.answer(json(status, {}, headers));
  await expect(refreshByCookie(backend.origin)(request)).rejects.toMatchObject(outcome);
});

test('a session begins without a refresh token', async () => {
  const coordinator = createFakeCoordinator();
  const setSession = vi.spyOn(coordinator, 'setSession');
  backend.answer(json(200, tokens));
  await beginSession(coordinator, backend.origin);
  expect(setSession).toHaveBeenCalledWith(tokens);
  backend.answer(json(401, {}));
  await expect(beginSession(coordinator, backend.origin)).rejects.toThrow('401');
});

test('it ends in every tab and at the backend', async () => {
  const coordinator = createFakeCoordinator();
  const signOut = vi.spyOn(coordinator, 'signOut');
  backend.answer(json(200, {}));
  await endSession(coordinator, backend.origin);
  expect(signOut).toHaveBeenCalledTimes(1);
  expect(backend.received).toMatchObject([{ method: 'DELETE' }]);
  backend.answer(json(500, {}));
  await expect(endSession(coordinator, backend.origin)).rejects.toThrow('500');
});
