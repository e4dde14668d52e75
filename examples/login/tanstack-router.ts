// `beforeLoad` of TanStack Router: `{ path: '/callback', beforeLoad: finishSignIn(login) }`, and on routes that need a session
// `{ path: '/orders', beforeLoad: needsSession(coordinator, login) }`.
import { redirect } from '@tanstack/react-router';
import type { TokenCoordinator } from 'one-refresh';
import { requireSession, type Login } from 'one-refresh/login';

export function needsSession(coordinator: TokenCoordinator, login: Login) {
  return async ({ location }: { readonly location: { readonly href: string } }): Promise<void> => {
    try {
      await requireSession(coordinator);
    } catch {
      // Leaves the page; the route never loads.
      await login.start({ returnTo: location.href });
    }
  };
}

/** The error of `finish()` reaches the route's `errorComponent`. */
export function finishSignIn(login: Login) {
  return async (): Promise<void> => {
    const done = await login.finish();
    redirect({ href: done?.returnTo ?? '/', replace: true, throw: true });
  };
}
