// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { createElement, StrictMode, useEffect, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFakeCoordinator } from '../../test/support/fake-coordinator.js';
import { LoginError, type Login } from '../login/index.js';
import { TokenCoordinatorProvider, useLogin } from './index.js';
import { patiently } from '../../test/support/patiently.js';

const never = (): Promise<never> => new Promise(() => {});
let login: { [K in keyof Login]: ReturnType<typeof vi.fn<Login[K]>> };
beforeEach(() => {
  login = {
    start: vi.fn<Login['start']>(never),
    finish: vi.fn<Login['finish']>(() => Promise.resolve({ returnTo: '/cart' })),
    popup: vi.fn<Login['popup']>(() => Promise.resolve()),
    signOut: vi.fn<Login['signOut']>(() => Promise.resolve()),
    stepUp: vi.fn<Login['stepUp']>(never),
  };
});
afterEach(cleanup);

const provide = (given: Login | undefined) =>
  function Provided({ children }: { children: ReactNode }) {
    const coordinator = createFakeCoordinator();
    return createElement(TokenCoordinatorProvider, { coordinator, login: given }, children);
  };

test('acts through the given or the provided login', () => {
  const other = { ...login, start: vi.fn<Login['start']>(never) };
  const { result } = renderHook(() => [useLogin(), useLogin(other)] as const, { wrapper: provide(login) });
  act(() => void result.current[0].start({ returnTo: '/a' }));
  act(() => void result.current[1].start({ returnTo: '/b' }));
  expect(login.start).toHaveBeenCalledExactlyOnceWith({ returnTo: '/a' });
  expect(other.start).toHaveBeenCalledExactlyOnceWith({ returnTo: '/b' });
});

test('says what is under way, then what went wrong', async () => {
  const blocked = new LoginError('popup_blocked', 'blocked');
  login.popup.mockRejectedValueOnce(blocked);
  const { result } = renderHook(() => useLogin(login));
  const { popup } = result.current;
  expect(result.current).toMatchObject({ pending: false, error: undefined });
  let ended: Promise<void> | undefined;
  act(() => void (ended = popup()));
  expect(result.current).toMatchObject({ pending: true, error: undefined });
  await act(() => ended);
  expect(result.current).toMatchObject({ pending: false, error: blocked });
  await act(() => result.current.popup());
  expect(result.current).toMatchObject({ pending: false, error: undefined });
  expect(result.current.popup, 'the same function in every render').toBe(popup);
});

test('one of two calls is still under way', async () => {
  let close = (): void => {};
  login.popup.mockImplementationOnce(() => new Promise((resolve) => (close = resolve)));
  const { result } = renderHook(() => useLogin(login));
  let opened: Promise<void> | undefined;
  act(() => void (opened = result.current.popup()));
  await act(() => result.current.popup());
  expect(result.current.pending).toBe(true);
  close();
  await act(() => opened);
  expect(result.current.pending).toBe(false);
});

test('nothing is under way any more after the back button', () => {
  const { result } = renderHook(() => useLogin(login));
  act(() => void result.current.start());
  const show = (persisted: boolean): void => {
    const event = Object.assign(new Event('pageshow'), { persisted });
    act(() => void window.dispatchEvent(event));
  };
  show(false);
  expect(result.current.pending).toBe(true);
  show(true);
  expect(result.current.pending).toBe(false);
});

test('finishes in an effect, in Strict Mode too', async () => {
  const seen: unknown[] = [];
  const { unmount } = renderHook(
    () => {
      const { finish } = useLogin(login);
      useEffect(() => void finish().then((done) => seen.push(done)), [finish]);
    },
    { wrapper: StrictMode },
  );
  await patiently(() => expect(seen).toEqual([{ returnTo: '/cart' }, { returnTo: '/cart' }]));
  unmount();
});

test('no login is a mistake, and said so', () => {
  const silenced = vi.spyOn(console, 'error').mockReturnValue();
  const prevent = (event: Event): void => event.preventDefault();
  window.addEventListener('error', prevent);
  expect(() => renderHook(() => useLogin(), { wrapper: provide(undefined) })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIGURATION' }) as Error,
  );
  window.removeEventListener('error', prevent);
  silenced.mockRestore();
});

test('renders on a server', () => {
  const Button = () => createElement('button', { disabled: useLogin(login).pending }, 'Sign in');
  expect(renderToString(createElement(Button))).toBe('<button>Sign in</button>');
});
