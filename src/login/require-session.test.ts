import { expect, test } from 'vitest';
import { createFakeCoordinator } from '../../test/support/fake-coordinator.js';
import { TokenCoordinatorError } from '../core/errors.js';
import { requireSession } from './index.js';

test('waits for the store, then lets the user pass', async () => {
  const coordinator = createFakeCoordinator({ status: 'loading' });
  let read = (): void => {};
  const ready = new Promise<void>((resolve) => (read = resolve));
  const required = requireSession({ ...coordinator, ready });
  coordinator.set({ status: 'signed-in', subject: 'ada' });
  read();
  expect(await required).toMatchObject({ status: 'signed-in', subject: 'ada' });
});

test.each([
  ['signed-out', 'ERR_SIGNED_OUT'],
  ['reauth-required', 'ERR_REAUTH_REQUIRED'],
  ['loading', 'ERR_UNSUPPORTED'],
] as const)('refuses %s with %s', async (status, code) => {
  await expect(requireSession(createFakeCoordinator({ status }))).rejects.toMatchObject({ code });
});

test('says why the session was lost', async () => {
  const error = new TokenCoordinatorError('ERR_REAUTH_REQUIRED', 'lost', { reason: 'response_lost' });
  await expect(requireSession(createFakeCoordinator({ status: 'reauth-required', error }))).rejects.toBe(
    error,
  );
});
