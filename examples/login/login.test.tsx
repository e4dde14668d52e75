// @vitest-environment jsdom
import { createMemoryHistory, createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import { cleanup, render, screen } from '@testing-library/react';
import { StrictMode } from 'react';
import { LoginError, type Login } from 'one-refresh/login';
import { TokenCoordinatorProvider } from 'one-refresh/react';
import { createFakeCoordinator } from 'one-refresh/testing';
import { createMemoryRouter } from 'react-router';
import { get } from 'svelte/store';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CallbackPage } from './next-callback-page.js';
import { finishLoader, sessionLoader } from './react-router.js';
import { loginStore } from './svelte.js';
import { finishSignIn, needsSession } from './tanstack-router.js';
import { useLogin } from './vue.js';

const never = (): Promise<never> => new Promise(() => {});
let login: { [K in keyof Login]: ReturnType<typeof vi.fn<Login[K]>> };
beforeEach(() => {
  login = {
    start: vi.fn<Login['start']>(never),
    finish: vi.fn<Login['finish']>(() => Promise.resolve({ returnTo: '/orders?page=2' })),
    popup: vi.fn<Login['popup']>(),
    signOut: vi.fn<Login['signOut']>(() => Promise.resolve()),
    stepUp: vi.fn<Login['stepUp']>(),
  };
});
afterEach(cleanup);

describe('React Router', () => {
  const open = (status: 'signed-in' | 'signed-out', address: string) => {
    const coordinator = createFakeCoordinator({ status });
    const loader = sessionLoader(coordinator, login);
    const routes = [
      { path: '/orders', loader, element: <p /> },
      { path: '/callback', loader: finishLoader(login), element: <p /> },
    ];
    return createMemoryRouter(routes, { initialEntries: [address] });
  };

  test('loads for a user, and sends others to sign in', async () => {
    const router = open('signed-in', '/orders');
    await vi.waitFor(() => expect(router.state.initialized).toBe(true));
    expect(login.start).not.toHaveBeenCalled();
    open('signed-out', '/orders?page=2');
    await vi.waitFor(() => expect(login.start).toHaveBeenCalledTimes(1));
    expect(new URL(login.start.mock.calls[0]?.[0]?.returnTo ?? '').search).toBe('?page=2');
  });

  test('goes on where the user was', async () => {
    const router = open('signed-in', '/callback');
    await vi.waitFor(() =>
      expect(router.state.location.pathname + router.state.location.search).toBe('/orders?page=2'),
    );
  });
});

describe('TanStack Router', () => {
  const open = (status: 'signed-in' | 'signed-out', address: string) => {
    const coordinator = createFakeCoordinator({ status });
    const root = createRootRoute();
    const orders = createRoute({
      getParentRoute: () => root,
      path: '/orders',
      beforeLoad: needsSession(coordinator, login),
    });
    const callback = createRoute({
      getParentRoute: () => root,
      path: '/callback',
      beforeLoad: finishSignIn(login),
    });
    const router = createRouter({
      routeTree: root.addChildren([orders, callback]),
      history: createMemoryHistory({ initialEntries: [address] }),
    });
    void router.load();
    return router;
  };

  test('loads for a user, and sends others to sign in', async () => {
    const router = open('signed-in', '/orders');
    await vi.waitFor(() => expect(router.state.status).toBe('idle'));
    expect(login.start).not.toHaveBeenCalled();
    open('signed-out', '/orders?page=2');
    await vi.waitFor(() =>
      expect(login.start).toHaveBeenCalledExactlyOnceWith({ returnTo: '/orders?page=2' }),
    );
  });

  test('goes on where the user was', async () => {
    const router = open('signed-in', '/callback');
    await vi.waitFor(() => expect(router.state.location.href).toBe('/orders?page=2'));
  });
});

describe('Next.js', () => {
  const show = (onDone: (path: string) => void) =>
    render(
      <StrictMode>
        <TokenCoordinatorProvider coordinator={createFakeCoordinator()} login={login}>
          <CallbackPage onDone={onDone} />
        </TokenCoordinatorProvider>
      </StrictMode>,
    );

  test('goes on where the user was', async () => {
    const onDone = vi.fn<(path: string) => void>();
    show(onDone);
    await vi.waitFor(() => expect(onDone).toHaveBeenCalledWith('/orders?page=2'));
  });

  test('says what went wrong', async () => {
    login.finish.mockRejectedValue(new LoginError('access_denied', 'The user said no'));
    show(() => {});
    (await screen.findByText('The user said no. Try again')).click();
    expect(login.start).toHaveBeenCalledExactlyOnceWith({ returnTo: '/' });
  });
});

test.each([
  ['Vue', () => useLogin(login), (used: ReturnType<typeof useLogin>) => used.error.value],
  ['Svelte', () => loginStore(login), (used: ReturnType<typeof loginStore>) => get(used.error)],
] as [string, () => { signIn(): Promise<void>; signOut(): Promise<void> }, (used: unknown) => unknown][])(
  '%s signs in and out, and says what went wrong',
  async (_name, use, errorOf) => {
    const used = use();
    const error = new LoginError('server_unavailable', 'down');
    login.start.mockRejectedValueOnce(error);
    expect(errorOf(used)).toBeUndefined();
    await used.signIn();
    expect(errorOf(used)).toBe(error);
    await used.signOut();
    expect(login.signOut).toHaveBeenCalledTimes(1);
  },
);
