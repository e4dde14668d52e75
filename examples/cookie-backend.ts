/**
 * The refresh token lives in an HttpOnly cookie of your backend: no script of the page ever sees it. The cookie is shared by all tabs,
 * and so is the race: the coordinator still sees to it that one tab asks, and that all have the answer.
 */
import {
  createTokenCoordinator,
  RefreshConflictError,
  RefreshRejectedError,
  RefreshUnavailableError,
  type RefreshFunction,
  type TokenCoordinator,
  type TokenResponse,
} from 'one-refresh';

/**
 * @param url - the backend's endpoint; it answers `{ access_token, expires_in }`, 401 if the session is over, and may answer 409
 * if `version` is not the newest: then another tab's answer is on its way
 */
export function refreshByCookie(url: string): RefreshFunction {
  return async ({ version, signal }) => {
    const response = await fetch(url, {
      method: 'POST',
      credentials: 'include',
      // A header of its own: forms of other sites cannot send it (CSRF).
      headers: { 'content-type': 'application/json', 'x-requested-with': 'one-refresh' },
      body: JSON.stringify({ version }),
      signal,
    });
    if (response.ok) return (await response.json()) as TokenResponse;
    if (response.status === 401) throw new RefreshRejectedError({ error: 'invalid_grant', status: 401 });
    if (response.status === 409) throw new RefreshConflictError();
    const seconds = Number(response.headers.get('retry-after') ?? NaN);
    throw new RefreshUnavailableError({
      status: response.status,
      retryAfterMs: Number.isNaN(seconds) ? undefined : seconds * 1000,
    });
  };
}

export const createCoordinator = (): TokenCoordinator =>
  createTokenCoordinator({ name: 'shop', refresh: refreshByCookie('/session/refresh') });

/** After the backend has set its cookie: a session begins without any refresh token. */
export async function beginSession(coordinator: TokenCoordinator, url: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    credentials: 'include',
    headers: { 'x-requested-with': 'one-refresh' },
  });
  if (!response.ok) throw new Error(`The backend has no session (${response.status})`);
  await coordinator.setSession((await response.json()) as TokenResponse);
}

/** Every tab is signed out at once; the cookie, which no script can reach, goes by the backend's hand. */
export async function endSession(coordinator: TokenCoordinator, url: string): Promise<void> {
  await coordinator.signOut();
  const response = await fetch(url, {
    method: 'DELETE',
    credentials: 'include',
    headers: { 'x-requested-with': 'one-refresh' },
  });
  if (!response.ok) throw new Error(`The backend still has the session (${response.status})`);
}
