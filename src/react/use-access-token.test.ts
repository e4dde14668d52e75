// @vitest-environment jsdom
import { act, cleanup, render, renderHook } from '@testing-library/react';
import { UnsecuredJWT } from 'jose';
import { createElement, memo, Profiler, StrictMode, type ReactNode } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFakeCoordinator } from '../../test/support/fake-coordinator.js';
import type { TokenCoordinator } from '../types.js';
import { TokenCoordinatorProvider, useAccessToken, type AccessTokenState } from './index.js';

const start = Date.UTC(2030, 0, 1);
beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  cleanup();
  if (vi.getTimerCount() > 0) throw new Error('A timer was left behind');
  vi.useRealTimers();
});

/** A change, and what follows from it. */
const settle = (change: () => void): Promise<void> => act(() => Promise.resolve(change()));
const idToken = (claims: Record<string, unknown>): string => new UnsecuredJWT(claims).encode();
const status = (state: AccessTokenState): string | undefined => state.status;
const accessToken = (state: AccessTokenState): string | undefined => state.accessToken;

describe('the state', () => {
  test('is written without its token by JSON.stringify', () => {
    const coordinator = createFakeCoordinator({}, 'access-1');
    coordinator.set({}, { idToken: idToken({ name: 'Ada' }) });
    const { result, unmount } = renderHook(() => useAccessToken(coordinator));
    const written = JSON.stringify({ state: result.current });
    expect(JSON.parse(written)).toMatchObject({ state: { status: 'signed-in', claims: { name: 'Ada' } } });
    expect(written).not.toContain('access-1');
    expect({ ...result.current }.accessToken).toBe('access-1');
    expect(Object.keys(result.current)).not.toContain('toJSON');
    unmount();
  });

  test('is all that the coordinator shows and does', async () => {
    const coordinator = createFakeCoordinator({ role: 'leader', expiresAt: start + 60_000 }, 'access-1');
    coordinator.answer = () => Promise.resolve('access-9');
    coordinator.set({}, { idToken: idToken({ name: 'Ada' }) });
    const { result, unmount } = renderHook(() => useAccessToken(coordinator));
    const { getAccessToken, signOut, ...shown } = result.current;
    expect(shown).toEqual({
      accessToken: 'access-1',
      status: 'signed-in',
      refreshStatus: 'idle',
      role: 'leader',
      expiresAt: start + 60_000,
      sessionId: 'first',
      subject: undefined,
      sessionExpiresAt: undefined,
      claims: { name: 'Ada' },
      error: undefined,
    });
    expect(await getAccessToken({ forceRefresh: true })).toBe('access-9');
    await signOut();
    unmount();
    expect(coordinator.subscribers()).toBe(0);
  });

  test('is one object for all until something changes', () => {
    const coordinator = createFakeCoordinator({}, 'access-1');
    const { result, rerender } = renderHook(() => [useAccessToken(coordinator), useAccessToken(coordinator)]);
    const [first] = result.current;
    rerender();
    expect(result.current[0]).toBe(first);
    expect(result.current[1]).toBe(first);
    expect(coordinator.subscribers()).toBe(1);
    act(() => coordinator.set({ version: 2 }, { accessToken: 'access-2' }));
    expect(result.current[0]).not.toBe(first);
    expect(result.current[0]).toMatchObject({ accessToken: 'access-2' });
  });

  test('has no claims without a readable ID token', () => {
    const coordinator = createFakeCoordinator({}, 'access-1');
    const { result } = renderHook(() => useAccessToken(coordinator));
    expect(result.current.claims).toBeUndefined();
    act(() => coordinator.set({}, { idToken: 'no JWT' }));
    expect(result.current.claims).toBeUndefined();
  });

  test('keeps the claims of an ID token that stays', () => {
    const coordinator = createFakeCoordinator({}, 'access-1');
    coordinator.set({}, { idToken: idToken({ roles: ['a'] }) });
    const { result } = renderHook(() => useAccessToken(coordinator, ({ claims }) => claims));
    const claims = result.current;
    act(() => coordinator.set({ version: 2 }, { accessToken: 'access-2' }));
    expect(result.current).toBe(claims);
  });
});

describe('which coordinator', () => {
  const under = (coordinator: TokenCoordinator) =>
    function Provided({ children }: { children: ReactNode }) {
      return createElement(TokenCoordinatorProvider, { coordinator }, children);
    };

  test('the one that is given, or the one provided', () => {
    const given = createFakeCoordinator({ status: 'signed-out' });
    const provided = createFakeCoordinator({ status: 'reauth-required' });
    const { result } = renderHook(
      () => [
        useAccessToken(given).status,
        useAccessToken(given, status),
        useAccessToken().status,
        useAccessToken(status),
        useAccessToken(undefined, status),
      ],
      { wrapper: under(provided) },
    );
    const lost = 'reauth-required';
    expect(result.current).toEqual(['signed-out', 'signed-out', lost, lost, lost]);
  });

  test('may change', () => {
    const { result, rerender } = renderHook(({ coordinator }) => useAccessToken(coordinator, status), {
      initialProps: { coordinator: createFakeCoordinator({ status: 'signed-out' }) },
    });
    const next = createFakeCoordinator({}, 'access-1');
    rerender({ coordinator: next });
    expect(result.current).toBe('signed-in');
    act(() => next.set({ status: 'reauth-required' }));
    expect(result.current).toBe('reauth-required');
  });

  test('none is a mistake, and said so', () => {
    const silenced = vi.spyOn(console, 'error').mockReturnValue();
    // React 18 reports it to the window as well.
    const prevent = (event: Event): void => event.preventDefault();
    window.addEventListener('error', prevent);
    expect(() => renderHook(() => useAccessToken())).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIGURATION' }) as Error,
    );
    window.removeEventListener('error', prevent);
    silenced.mockRestore();
  });
});

describe('renders', () => {
  /** A refresh's effect on the snapshot. */
  const refresh = (coordinator: ReturnType<typeof createFakeCoordinator>, version: number): void => {
    act(() => coordinator.set({ refreshStatus: 'refreshing' }));
    act(() =>
      coordinator.set(
        { refreshStatus: 'idle', version, expiresAt: Date.now() + 60_000 },
        { accessToken: `access-${version}` },
      ),
    );
  };

  test('a refresh renders none of 1,000 status components', () => {
    const coordinator = createFakeCoordinator({ expiresAt: start + 60_000 }, 'access-1');
    let renders = 0;
    const Status = memo(function Status() {
      renders++;
      return useAccessToken(coordinator, (state) => state.status);
    });
    render(Array.from({ length: 1_000 }, (_, key) => createElement(Status, { key })));
    expect([renders, coordinator.subscribers(), vi.getTimerCount()]).toEqual([1_000, 1, 0]);
    refresh(coordinator, 2);
    expect(renders).toBe(1_000);
    act(() => coordinator.set({ status: 'signed-out' }, { accessToken: undefined }));
    expect(renders).toBe(2_000);
  });

  test('1,000 that select the token render in one commit', () => {
    const coordinator = createFakeCoordinator({ expiresAt: start + 60_000 }, 'access-1');
    const commits = vi.fn<() => void>();
    let renders = 0;
    const Token = memo(function Token() {
      renders++;
      return useAccessToken(coordinator, accessToken);
    });
    const tokens = Array.from({ length: 1_000 }, (_, key) => createElement(Token, { key }));
    const { container } = render(createElement(Profiler, { id: 'all', onRender: commits }, tokens));
    expect([renders, commits.mock.calls.length, vi.getTimerCount()]).toEqual([1_000, 1, 1]);
    refresh(coordinator, 2);
    expect([renders, commits.mock.calls.length, vi.getTimerCount()]).toEqual([2_000, 2, 1]);
    expect(container.textContent).toBe('access-2'.repeat(1_000));
  });

  test('an object selected inline is compared by its members', () => {
    const coordinator = createFakeCoordinator({}, 'access-1');
    let renders = 0;
    const { result, rerender } = renderHook(() => {
      renders++;
      return useAccessToken(coordinator, (state) => ({ status: state.status, role: state.role }));
    });
    const first = result.current;
    refresh(coordinator, 2);
    expect([renders, result.current]).toEqual([1, first]);
    rerender();
    expect(result.current).toBe(first);
    act(() => coordinator.set({ role: 'leader' }));
    expect([renders, result.current]).toEqual([3, { status: 'signed-in', role: 'leader' }]);
  });

  test('a new selection is used at once', () => {
    const coordinator = createFakeCoordinator({}, 'access-1');
    const { result, rerender } = renderHook(({ select }) => useAccessToken(coordinator, select), {
      initialProps: { select: status },
    });
    rerender({ select: accessToken });
    expect(result.current).toBe('access-1');
  });
});

describe('an access token that grows old', () => {
  test('is not shown once expired; one timer does it', () => {
    const coordinator = createFakeCoordinator({ expiresAt: start + 60_000 }, 'access-1');
    const { result } = renderHook(() => [
      useAccessToken(coordinator).accessToken,
      useAccessToken(coordinator, accessToken),
    ]);
    expect(vi.getTimerCount()).toBe(1);
    act(() => void vi.advanceTimersByTime(59_999));
    expect(result.current).toEqual(['access-1', 'access-1']);
    act(() => void vi.advanceTimersByTime(2));
    expect(result.current).toEqual([undefined, undefined]);
    expect([vi.getTimerCount(), coordinator.asked]).toEqual([0, 0]);
  });

  test('is watched anew after a refresh, however long it lives', () => {
    const coordinator = createFakeCoordinator({ expiresAt: start + 60_000 }, 'access-1');
    const { result } = renderHook(() => useAccessToken(coordinator, accessToken));
    const month = 31 * 86_400_000;
    act(() => coordinator.set({ expiresAt: start + month }, { accessToken: 'access-2' }));
    act(() => void vi.advanceTimersByTime(month - 1));
    expect([result.current, vi.getTimerCount()]).toEqual(['access-2', 1]);
    act(() => void vi.advanceTimersByTime(2));
    expect(result.current).toBeUndefined();
  });

  test('needs no timer without readers or a known expiry', () => {
    const coordinator = createFakeCoordinator({ expiresAt: start + 60_000 }, 'access-1');
    renderHook(() => useAccessToken(coordinator, ({ expiresAt, error, role }) => [expiresAt, error, role]));
    renderHook(() => useAccessToken(createFakeCoordinator({}, 'access-1')));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('needs no timer when its readers are gone', () => {
    const coordinator = createFakeCoordinator({ expiresAt: start + 60_000 }, 'access-1');
    const first = renderHook(() => useAccessToken(coordinator));
    const second = renderHook(() => useAccessToken(coordinator));
    renderHook(() => useAccessToken(coordinator, status));
    first.unmount();
    expect(vi.getTimerCount()).toBe(1);
    second.unmount();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('an outdated access token', () => {
  const outdated = { expiresAt: start - 1 };

  test('is asked for once when its readers mount', async () => {
    const coordinator = createFakeCoordinator(outdated, 'access-1');
    let resolve: (token: string) => void = () => undefined;
    coordinator.answer = () => new Promise((done) => (resolve = done));
    const { result } = renderHook(() => [useAccessToken(coordinator), useAccessToken(coordinator)]);
    expect([result.current[0]?.accessToken, coordinator.asked]).toEqual([undefined, 1]);
    await settle(() => {
      coordinator.set({ expiresAt: start + 60_000 }, { accessToken: 'access-2' });
      resolve('access-2');
    });
    expect([result.current[0]?.accessToken, coordinator.asked]).toEqual(['access-2', 1]);
  });

  test('is asked for after the first read and sign-in', async () => {
    const coordinator = createFakeCoordinator({ status: 'loading' });
    coordinator.answer = () => Promise.reject(new Error('offline'));
    renderHook(() => useAccessToken(coordinator, accessToken));
    expect(coordinator.asked).toBe(0);
    await settle(() => coordinator.set({ status: 'signed-in', ...outdated }, { accessToken: 'access-1' }));
    expect(coordinator.asked).toBe(1);
    await settle(() => coordinator.set({ refreshStatus: 'paused' }));
    expect(coordinator.asked).toBe(1);
    await settle(() => coordinator.set({ sessionId: 'second' }));
    expect(coordinator.asked).toBe(2);
  });

  test.each(['signed-out', 'loading', 'reauth-required'] as const)('is not asked for while %s', (status) => {
    const coordinator = createFakeCoordinator({ status });
    renderHook(() => useAccessToken(coordinator));
    expect(coordinator.asked).toBe(0);
  });

  test('a component that does not read it does not ask', () => {
    const coordinator = createFakeCoordinator(outdated, 'access-1');
    renderHook(() => useAccessToken(coordinator, status));
    expect(coordinator.asked).toBe(0);
  });

  test('an unavailable one is an error until the next', async () => {
    const coordinator = createFakeCoordinator(outdated, 'access-1');
    const failure = new Error('offline');
    coordinator.answer = () => Promise.reject(failure);
    const { result } = renderHook(() => useAccessToken(coordinator));
    await act(() => Promise.resolve());
    expect(result.current).toMatchObject({ status: 'signed-in', accessToken: undefined, error: failure });
    act(() => coordinator.set({ expiresAt: start + 60_000 }, { accessToken: 'access-2' }));
    expect(result.current).toMatchObject({ accessToken: 'access-2', error: undefined });
  });
});

describe('somebody else signs in while a token is asked for', () => {
  test('their answers are left out, and outdated ones asked again', async () => {
    const coordinator = createFakeCoordinator({ expiresAt: start - 1 }, 'access-1');
    const questions: ((error: Error) => void)[] = [];
    coordinator.answer = () => new Promise((_, reject) => questions.push(reject));
    const { result } = renderHook(() => useAccessToken(coordinator));
    await settle(() => coordinator.set({ sessionId: 'second', expiresAt: start - 1 }));
    expect(questions).toHaveLength(1);
    await settle(() => questions[0]?.(new Error('signed out')));
    expect(result.current.error).toBeUndefined();
    expect(questions).toHaveLength(2);
    await settle(() => questions[1]?.(new Error('offline')));
    expect(result.current.error).toMatchObject({ message: 'offline' });
  });
});

describe('wherever React renders', () => {
  test('Strict Mode: one subscription, question and timer', async () => {
    const coordinator = createFakeCoordinator({ expiresAt: start - 1 }, 'access-1');
    const { result, unmount } = renderHook(() => useAccessToken(coordinator), { wrapper: StrictMode });
    expect([coordinator.asked, coordinator.subscribers()]).toEqual([1, 1]);
    act(() => coordinator.set({ expiresAt: start + 60_000 }, { accessToken: 'access-2' }));
    expect([result.current.accessToken, vi.getTimerCount()]).toEqual(['access-2', 1]);
    unmount();
    expect([coordinator.subscribers(), vi.getTimerCount()]).toEqual([0, 0]);
  });

  const Page = ({ coordinator }: { coordinator: TokenCoordinator }): ReactNode => {
    const { status, accessToken } = useAccessToken(coordinator);
    const selected = useAccessToken(coordinator, (state) => [state.status]);
    return createElement('p', null, `${status} ${accessToken} ${selected[0]}`);
  };

  test('a server renders loading, and opens nothing', () => {
    const coordinator = createFakeCoordinator({ expiresAt: start - 1 }, 'access-1');
    const html = renderToString(createElement(Page, { coordinator }));
    expect(html).toBe('<p>loading undefined loading</p>');
    expect([coordinator.subscribers(), coordinator.asked]).toEqual([0, 0]);
  });

  test('hydration begins with what the server rendered, without a complaint', async () => {
    const complaints = vi.spyOn(console, 'error');
    const coordinator = createFakeCoordinator({ expiresAt: start + 60_000 }, 'access-1');
    const page = createElement(Page, { coordinator });
    const container = document.createElement('div');
    container.innerHTML = renderToString(page);
    const onRecoverableError = vi.fn<() => void>();
    const root = await act(() => Promise.resolve(hydrateRoot(container, page, { onRecoverableError })));
    expect(container.textContent).toBe('signed-in access-1 signed-in');
    expect(onRecoverableError).not.toHaveBeenCalled();
    expect(complaints).not.toHaveBeenCalled();
    act(() => root.unmount());
  });
});
