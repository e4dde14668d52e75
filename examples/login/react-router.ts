// Loaders of React Router (data mode). `{ path: '/callback', loader: finishLoader(login) }`, and on routes that need a session
// `{ path: '/orders', loader: sessionLoader(coordinator, login) }`.
import type { Snapshot, TokenCoordinator } from 'one-refresh';
import { requireSession, type Login } from 'one-refresh/login';
import { redirect, type LoaderFunctionArgs } from 'react-router';

export function sessionLoader(coordinator: TokenCoordinator, login: Login) {
  return async ({ request }: LoaderFunctionArgs): Promise<Snapshot> => {
    try {
      return await requireSession(coordinator);
    } catch {
      // Leaves the page; the loader never ends.
      return login.start({ returnTo: request.url });
    }
  };
}

/** The error of `finish()` reaches the route's `errorElement`. */
export function finishLoader(login: Login) {
  return async (): Promise<Response> => redirect((await login.finish())?.returnTo ?? '/');
}
