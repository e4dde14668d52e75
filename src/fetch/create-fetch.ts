import { readAllowedOrigins, type AllowedOrigin } from './allowed-origins.js';
import { hasHeader, resolveUrl, takeRequest } from './outgoing-request.js';
import { createRefreshBreaker } from './refresh-breaker.js';
import { sendAuthorized, type Origin, type TokenProvider } from './send-authorized.js';

/** Options of `createFetch`. */
export interface CreateFetchOptions {
  /** Where the token may go; default: the page's own origin. A given list replaces the default. */
  readonly allowedOrigins?: readonly AllowedOrigin[] | undefined;
  /** Used in place of the global `fetch`, which is the default. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * A `fetch` that authorizes requests with the coordinator's access token: a drop-in for the global one, for any client that takes a fetch.
 *
 * - The token goes to `allowedOrigins` only. Requests to other origins, and those with an `Authorization` header of their own, pass untouched.
 *   Redirects are followed as usual: browsers take the header off when one leads to another origin (Fetch §4.4 HTTP-redirect fetch;
 *   Chromium 119, Firefox 111, Safari 16.1 and later).
 * - After a 401 the request is sent once more if the token was outdated by then, or one refresh shared by all tabs brings a newer one. Not
 *   if the server asks for something else (`insufficient_scope`, `Basic`), nor if the body is a stream, nor if another user has signed
 *   in meanwhile. If newer tokens are refused too, or there is none, 401s cause no refresh for a while: 30 s, then doubling up to 5 min.
 * - If that refresh fails, the 401 itself is returned at once, body intact.
 * - With DPoP, a proof that the API refuses for its nonce or its time is replaced once (RFC 9449 §9).
 *
 * @param coordinator - whose token to send
 * @param options - where it may go, and which `fetch` to use
 * @returns what `fetch` returns; it rejects as `fetch` does, and with what `getAuthorizationHeaders` throws (`ERR_SIGNED_OUT`,
 * `ERR_REAUTH_REQUIRED`, `ERR_REFRESH_UNAVAILABLE`, …), no request having been sent
 * @throws `ERR_CONFIGURATION` if `allowedOrigins` lists something that is not an origin
 */
export function createFetch(
  coordinator: TokenProvider,
  options: CreateFetchOptions = {},
): typeof globalThis.fetch {
  const allowed = readAllowedOrigins(options.allowedOrigins);
  const origins = new Map<string, Origin>();

  return async (input, init) => {
    // Not called as a member of `options`: browsers refuse a `fetch` with another `this`.
    const fetch = options.fetch ?? globalThis.fetch;
    const url = resolveUrl(input);
    const selector = url && allowed(url);
    if (!url || !selector || hasHeader(input, init, 'authorization')) return fetch(input, init);

    const request = takeRequest(fetch, url, input, init);
    // A subclass of Request may claim to lead elsewhere than it does.
    if (request.url.origin !== url.origin) return request.send({});
    const origin = origins.get(url.origin) ?? { breaker: createRefreshBreaker() };
    origins.set(url.origin, origin);
    return sendAuthorized(coordinator, selector, origin, request);
  };
}
