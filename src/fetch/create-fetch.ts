import type { TokenCoordinator } from '../types.js';
import { readAllowedOrigins, type AllowedOrigin } from './allowed-origins.js';
import { readRefusal } from './challenge.js';
import { hasHeader, resolveUrl, takeRequest } from './outgoing-request.js';
import { createRefreshBreaker, type RefreshBreaker } from './refresh-breaker.js';

/** Options of `createFetch`. */
export interface CreateFetchOptions {
  /** Where the token may go; default: the page's own origin. A given list replaces the default. */
  readonly allowedOrigins?: readonly AllowedOrigin[] | undefined;
  /** Used in place of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * A `fetch` that authorizes requests with the coordinator's access token: a drop-in for the global one, for any client that takes a fetch.
 *
 * - The token goes to `allowedOrigins` only. Requests to other origins, and those with an `Authorization` header of their own, pass untouched.
 *   Redirects are followed as usual; browsers take the header off when one leads to another origin (Fetch §4.4 HTTP-redirect fetch).
 * - After a 401 the request is sent once more if the token was outdated by then, or one refresh shared by all tabs brings a newer one. Not
 *   if the server asks for something else (`insufficient_scope`, `Basic`), nor if the body is a stream, nor if another user has signed
 *   in meanwhile. If newer tokens are refused too, 401s cause no refresh for a while: 30 s, then doubling up to 5 min.
 * - If that refresh fails, the 401 itself is returned, body intact.
 *
 * @param coordinator - whose token to send
 * @param options - where it may go, and which `fetch` to use
 * @returns what `fetch` returns; it rejects as `fetch` does, and with what `getAuthorizationHeaders` throws (`ERR_SIGNED_OUT`,
 * `ERR_REAUTH_REQUIRED`, `ERR_REFRESH_UNAVAILABLE`, …), no request having been sent
 * @throws `ERR_CONFIGURATION` if `allowedOrigins` lists something that is not an origin
 */
export function createFetch(
  coordinator: Pick<
    TokenCoordinator,
    'getAccessToken' | 'getAuthorizationHeaders' | 'getSnapshot' | 'peekAccessToken'
  >,
  options: CreateFetchOptions = {},
): typeof globalThis.fetch {
  const allowed = readAllowedOrigins(options.allowedOrigins);
  const breakers = new Map<string, RefreshBreaker>();

  return async (input, init) => {
    // Not called as a member of `options`: browsers refuse a `fetch` with another `this`.
    const fetch = options.fetch ?? globalThis.fetch;
    const url = resolveUrl(input);
    const selector = url && allowed(url);
    if (!url || !selector || hasHeader(input, init, 'authorization')) return fetch(input, init);

    const request = takeRequest(fetch, url, input, init);
    const { method, signal } = request;
    // A subclass of Request may claim to lead elsewhere than it does.
    if (request.url.origin !== url.origin) return request.send({});
    const authorize = (): Promise<Record<string, string>> =>
      untilAborted(coordinator.getAuthorizationHeaders({ url: url.href, method, ...selector }), signal);

    signal?.throwIfAborted();
    const headers = await authorize();
    const { sessionId } = coordinator.getSnapshot();
    // A request made for one user is not repeated for another.
    const isSameSession = (): boolean => coordinator.getSnapshot().sessionId === sessionId;
    const token = tokenIn(headers);
    const response = await request.send(headers);
    if (!request.replayable || !isTokenRefused(response, url) || !isSameSession()) return response;

    const breaker = breakers.get(url.origin) ?? createRefreshBreaker();
    breakers.set(url.origin, breaker);
    let newer: Record<string, string>;
    try {
      const held = coordinator.peekAccessToken(selector);
      if (held === undefined || held === token) {
        if (!breaker.mayRefresh()) return response;
        await untilAborted(coordinator.getAccessToken({ ...selector, forceRefresh: true, signal }), signal);
      }
      newer = await authorize();
    } catch {
      signal?.throwIfAborted();
      return response;
    }
    if (!isSameSession() || tokenIn(newer) === token) return response;

    response.body?.cancel().catch(() => undefined);
    const second = await request.send(newer);
    if (isTokenRefused(second, url)) breaker.refusedAgain(tokenIn(newer));
    else breaker.helped();
    return second;
  };
}

/** A 401 after a redirect to another origin says nothing about the token, which was not sent there. */
function isTokenRefused({ status, headers, url }: Response, requested: URL): boolean {
  return (
    status === 401 && new URL(url, requested).origin === requested.origin && readRefusal(headers) === 'token'
  );
}

/** The credentials of an `Authorization` header, whatever its scheme. */
function tokenIn(headers: Readonly<Record<string, string>>): string {
  return new Headers(headers).get('authorization')?.replace(/^\S+ +/, '') ?? '';
}

/** The same, rejected with the signal's reason as soon as it is aborted, as `fetch` would be. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (abort) signal.removeEventListener('abort', abort);
  }
}
