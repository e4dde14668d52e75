// @vitest-environment jsdom
// How to test a component of yours: no server, no storage, no other tab. In Storybook, make the fake in a story's `args`.
import { act, cleanup, render, screen } from '@testing-library/react';
import { TokenCoordinatorError } from 'one-refresh';
import { TokenCoordinatorProvider, useAccessToken } from 'one-refresh/react';
import { createFakeCoordinator, type FakeCoordinator } from 'one-refresh/testing';
import { afterEach, expect, test, vi } from 'vitest';

function Session() {
  const { status, error, signOut } = useAccessToken();
  if (status === 'reauth-required') return <p role="alert">Please sign in again ({error?.reason})</p>;
  if (status === 'signed-in') return <button onClick={() => void signOut()}>Sign out</button>;
  return <p role="status">{status}</p>;
}

function show(coordinator: FakeCoordinator): void {
  render(
    <TokenCoordinatorProvider coordinator={coordinator}>
      <Session />
    </TokenCoordinatorProvider>,
  );
}

afterEach(cleanup);

test('signs out', async () => {
  const coordinator = createFakeCoordinator();
  const told = vi.fn<() => void>();
  coordinator.on('signed-out', told);
  show(coordinator);
  await act(async () => screen.getByRole('button').click());
  expect(screen.getByRole('status').textContent).toBe('signed-out');
  expect(told).toHaveBeenCalledTimes(1);
});

test('asks for a sign-in when the server ends the session', async () => {
  const lost = new TokenCoordinatorError('ERR_REAUTH_REQUIRED', 'over', { reason: 'refresh_rejected' });
  const coordinator = createFakeCoordinator({ refresh: () => Promise.reject(lost) });
  show(coordinator);
  await act(async () => coordinator.getAccessToken({ forceRefresh: true }).catch(() => undefined));
  expect(screen.getByRole('alert').textContent).toContain('refresh_rejected');
});

test('shows a session that begins in another tab', () => {
  const coordinator = createFakeCoordinator({ status: 'signed-out' });
  show(coordinator);
  act(() => coordinator.set({ status: 'signed-in', accessToken: 'a token', subject: 'Ada' }));
  expect(screen.getByRole('button').textContent).toBe('Sign out');
});
