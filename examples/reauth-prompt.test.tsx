// @vitest-environment jsdom
import { act, cleanup, render, screen } from '@testing-library/react';
import { TokenCoordinatorError, type LossReason } from 'one-refresh';
import { TokenCoordinatorProvider } from 'one-refresh/react';
import { createFakeCoordinator, type FakeCoordinator } from 'one-refresh/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ReauthPrompt, rememberPlace, returnToPlace, watchReauthRequest } from './reauth-prompt.js';

let coordinator: FakeCoordinator;
const onSignIn = vi.fn<() => void>();
beforeEach(() => {
  coordinator = createFakeCoordinator();
  onSignIn.mockClear();
  // jsdom shows no modal dialogs.
  HTMLDialogElement.prototype.showModal = function (this: HTMLDialogElement) {
    this.open = true;
  };
});
afterEach(cleanup);

function show(request = watchReauthRequest(coordinator)): void {
  render(
    <TokenCoordinatorProvider coordinator={coordinator}>
      <ReauthPrompt request={request} name="Ada" onSignIn={onSignIn} />
    </TokenCoordinatorProvider>,
  );
}

/** The events of every tab; then, in one of them, `coordinator.emit('reauth-required')`. */
function loseSession(reason: LossReason = 'refresh_rejected'): void {
  const error = new TokenCoordinatorError('ERR_REAUTH_REQUIRED', 'over', { reason });
  coordinator.set({ status: 'reauth-required', error });
}
const ask = (): void => coordinator.emit('reauth-required');
const press = (name: string): void => act(() => screen.getByRole('button', { name }).click());
const dialog = (): HTMLElement | null => screen.queryByRole('dialog');
const banner = (): HTMLElement | null => screen.queryByRole('status');

test('nothing is shown while the session lives', () => {
  show();
  expect([dialog(), banner()]).toEqual([null, null]);
});

test('the tab that is asked asks, with the reason', () => {
  show();
  act(() => loseSession('response_lost'));
  act(ask);
  expect(dialog()?.textContent).toContain('Please sign in again, Ada');
  expect(dialog()?.textContent).toContain('its answer got lost');
  expect([banner(), onSignIn.mock.calls.length]).toEqual([null, 0]);
  press('Sign in again');
  expect(onSignIn).toHaveBeenCalledTimes(1);
});

test('a request before the first render is not forgotten', () => {
  const request = watchReauthRequest(coordinator);
  loseSession();
  ask();
  show(request);
  expect(dialog()?.textContent).toContain('The server has ended your session.');
});

test('another tab only says so, until it is asked itself', () => {
  show();
  act(() => loseSession());
  expect([dialog(), banner()?.textContent]).toEqual([null, expect.stringContaining('Another tab asks you')]);
  press('Sign in here');
  expect(onSignIn).toHaveBeenCalledTimes(1);
  act(ask);
  expect([dialog() !== null, banner()]).toEqual([true, null]);
});

test('"Not now" leaves a reminder until the next session', () => {
  show();
  act(() => loseSession());
  act(ask);
  // The effect of such a form's button in a browser.
  act(() => void dialog()?.dispatchEvent(new Event('close')));
  expect([dialog(), banner()?.textContent]).toEqual([
    null,
    expect.stringContaining('whenever you are ready'),
  ]);
  act(() => {
    coordinator.set({ status: 'signed-in', sessionId: 'next', error: undefined });
    coordinator.emit('session-started');
  });
  expect([dialog(), banner()]).toEqual([null, null]);
  act(() => loseSession());
  expect([dialog(), banner()?.textContent]).toEqual([null, expect.stringContaining('Another tab asks you')]);
  act(ask);
  expect(dialog()).not.toBeNull();
});

test('ahead of a known end one tab offers a sign-in', () => {
  show();
  const end = (endsAt: number): void => {
    act(() => coordinator.set({ sessionExpiresAt: endsAt }));
    act(() => coordinator.emit('session-ending', { reason: 'expiry', endsAt }));
  };
  act(() => coordinator.set({ sessionExpiresAt: 1_000 }));
  expect(banner()).toBeNull();
  end(1_000);
  expect(banner()?.textContent).toContain('nothing is interrupted');
  press('Sign in again');
  expect(onSignIn).toHaveBeenCalledTimes(1);
  act(() => coordinator.set({ sessionExpiresAt: 2_000 }));
  expect(banner()).toBeNull();
  end(3_000);
  press('Not now');
  expect([dialog(), banner()]).toEqual([null, null]);
  act(() => loseSession('no_refresh_token'));
  act(ask);
  expect(dialog()?.textContent).toContain('Your session has reached its end.');
});

test('after the login the text that was typed is back', () => {
  history.replaceState(null, '', '/orders?page=2#note');
  rememberPlace({ note: 'half a sentence' });
  history.replaceState(null, '', '/callback?code=1&state=2');
  expect(returnToPlace()).toEqual({ note: 'half a sentence' });
  expect(location.pathname + location.search + location.hash).toBe('/orders?page=2#note');
});

test('a sign-in that began nowhere ends at the start', () => {
  rememberPlace();
  expect(returnToPlace()).toBeUndefined();
  history.replaceState(null, '', '/callback?code=1&state=2');
  expect(returnToPlace()).toBeUndefined();
  expect(location.pathname + location.search).toBe('/');
});
