import { expect, test, vi } from 'vitest';
import { createFakeCoordinator } from '../test/support/fake-coordinator.js';
import { createQueryClient } from './tanstack-query.js';

test('user data outlive refreshes, and go with another user', async () => {
  const coordinator = createFakeCoordinator({}, 'access-1');
  const client = createQueryClient(coordinator);
  await client.query({ queryKey: ['me'], queryFn: () => 'Ada' });
  coordinator.set({ version: 2 }, { accessToken: 'access-2' });
  coordinator.set({ status: 'reauth-required' });
  expect(client.getQueryData(['me'])).toBe('Ada');
  coordinator.set({ status: 'signed-in', sessionId: 'second' });
  expect(client.getQueryData(['me'])).toBeUndefined();
});

test.each([
  [
    'a signed-out session is not asked again',
    Object.assign(new Error('signed out'), { code: 'ERR_SIGNED_OUT' }),
    1,
  ],
  ['a bad network is', new TypeError('offline'), 4],
])('%s', async (_name, error, times) => {
  const client = createQueryClient(createFakeCoordinator());
  const queryFn = vi.fn<() => Promise<string>>(() => Promise.reject(error));
  await expect(client.query({ queryKey: ['me'], queryFn, retryDelay: 0 })).rejects.toBe(error);
  expect(queryFn).toHaveBeenCalledTimes(times);
});
