import { configurationError, readAllowedOrigins, type AllowedOrigin } from './allowed-origins.js';
import { hasHeader, resolveUrl, takeRequest } from './outgoing-request.js';
import { createRefreshBreaker } from './refresh-breaker.js';
import { sendAuthorized, type Manners, type Origin, type TokenProvider } from './send-authorized.js';

/** Options of `createFetch`. */
export interface CreateFetchOptions {
  /**
   * Where the token may go; default: the page's own origin. A given list replaces the default. Plain `http:` is possible on loopback
   * (`localhost`, `127.0.0.1`, `[::1]`) only. A page that no server is behind (`capacitor:`, `tauri:`, an extension's) has no default.
   */
  readonly allowedOrigins?: readonly AllowedOrigin[] | undefined;
  /** Sends requests without a token where nobody is signed in, instead of rejecting with `ERR_SIGNED_OUT`; default `false`. */
  readonly optional?: boolean | undefined;
  /**
   * Which answers mean that the token is refused; only `true` does. It is asked about answers of the origin that was called, and must not read
   * their bodies; the call rejects with its error. Default: status 401 without a challenge, or with one for a `Bearer` or `DPoP` token
   * that a newer token may meet.
   */
  readonly unauthorized?: ((response: Response) => boolean) | undefined;
  /** Longest wait for a token, before the request and after a 401; milliseconds; default: the longest wait of `getAccessToken`. */
  readonly waitMs?: number | undefined;
  /** Used in place of the global `fetch`, which is the default. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * A `fetch` that authorizes requests with the coordinator's access token: a drop-in for the global one, for any client that takes a fetch.
 *
 * - The token goes to `allowedOrigins` only. Requests to other origins, and those with an `Authorization` header of their own, pass untouched.
 *   Redirects are followed as usual: browsers take the header off when one leads to another origin (Fetch §4.4 HTTP-redirect fetch;
 *   Chromium 119, Firefox 111, Safari 16.1 and later).
 * - A request belongs to the session in which it was made. If that is over before it leaves, or it was made while nobody was signed in, it
 *   rejects with `ERR_SIGNED_OUT`, though another user may have signed in since.
 * - After a 401 the request is sent once more if the token was outdated by then, or one refresh shared by all tabs brings a newer one. Not
 *   if the server asks for something else (`insufficient_scope`, `Basic`), nor if the body is a stream, nor if another user has signed
 *   in meanwhile. If newer tokens are refused too, or there is none, 401s cause no refresh for a while: 30 s, then doubling up to 5 min. Even
 *   if each newer token is accepted, the 401s of an origin cause at most five refreshes in a row, and one more every 30 s.
 * - If that refresh fails, the 401 itself is returned at once, body intact.
 * - With DPoP, a proof that the API refuses for its nonce or its time is replaced once (RFC 9449 §9). A redirect is not followed: browsers would
 *   take the proof along to another origin, and no API may accept it for another URL. The call rejects with a `TypeError`.
 *
 * @param coordinator - whose token to send
 * @param given - where it may go, and which `fetch` to use
 * @returns what `fetch` returns; it rejects as `fetch` does, and with what `getAuthorizationHeaders` throws (`ERR_SIGNED_OUT`,
 * `ERR_REAUTH_REQUIRED`, `ERR_REFRESH_UNAVAILABLE`, …), no request having been sent; with `ERR_TIMEOUT` after `waitMs`
 * @throws `ERR_CONFIGURATION` if `coordinator` is none, `allowedOrigins` lists something that is not an origin or is plain `http:`, or another
 * option is unusable
 */
export function createFetch(
  coordinator: TokenProvider,
  given: CreateFetchOptions = {},
): typeof globalThis.fetch {
  const options: CreateFetchOptions = Object(given);
  if (typeof Object(coordinator).getAuthorizationHeaders !== 'function')
    throw configurationError('the first argument must be what createTokenCoordinator() returns.');
  const allowed = readAllowedOrigins(options.allowedOrigins);
  checkManners(options);
  const origins = new Map<string, Origin>();

  return async (input, asked) => {
    // Not called as a member of `options`: browsers refuse a `fetch` with another `this`.
    const fetch = options.fetch ?? globalThis.fetch;
    // `fetch` takes null for none.
    const init = asked ?? undefined;
    const url = resolveUrl(input);
    const selector = url && allowed(url);
    if (!url || !selector || hasHeader(input, init, 'authorization')) return fetch(input, asked);

    const request = takeRequest(fetch, url, input, init);
    // A subclass of Request may claim to lead elsewhere than it does.
    if (request.url.origin !== url.origin) return request.send({});
    const origin = origins.get(url.origin) ?? { breaker: createRefreshBreaker() };
    origins.set(url.origin, origin);
    return sendAuthorized(coordinator, selector, origin, request, options);
  };
}

function checkManners({ optional, unauthorized, waitMs }: Manners): void {
  if (!['boolean', 'undefined'].includes(typeof optional))
    throw configurationError('optional must be true or false.');
  if (!['function', 'undefined'].includes(typeof unauthorized))
    throw configurationError('unauthorized must be a function of a response.');
  if (waitMs !== undefined && !(typeof waitMs === 'number' && waitMs >= 0))
    throw configurationError('waitMs must be milliseconds.');
}
