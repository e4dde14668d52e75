import { isTokenCoordinatorError, type ErrorCode } from '../core/errors.js';
import { TokenCoordinatorError } from '../core/errors.js';
import type { TokenCoordinator, TokenSelector } from '../types.js';
import { isFrom, refusalOf } from './challenge.js';
import type { OutgoingRequest } from './outgoing-request.js';
import type { RefreshBreaker } from './refresh-breaker.js';
import { throwIfAborted, waitFor } from './wait-for.js';

/** The part of a coordinator that requests need. */
export type TokenProvider = Pick<
  TokenCoordinator,
  'getAccessToken' | 'getAuthorizationHeaders' | 'getSnapshot' | 'peekAccessToken'
>;

/** The memory of an origin between requests. */
export interface Origin {
  readonly breaker: RefreshBreaker;
  /** An answer's nonce for the next proof (RFC 9449 §9), not yet passed on. The rest of its word, of the clock for one, was of that moment. */
  answer?: { readonly headers: Headers } | undefined;
}

/** The options of `createFetch` for all requests. */
export interface Manners {
  readonly optional?: boolean | undefined;
  readonly unauthorized?: ((response: Response) => unknown) | undefined;
  readonly waitMs?: number | undefined;
}

type AuthorizationHeaders = Readonly<Record<string, string>>;

const REDIRECTS = [301, 302, 303, 307, 308];

/** Sends one request with the token, and once more where another proof or a newer token may help. */
export async function sendAuthorized(
  coordinator: TokenProvider,
  selector: TokenSelector,
  origin: Origin,
  request: OutgoingRequest,
  { optional, unauthorized, waitMs }: Manners,
): Promise<Response> {
  const { url, method, signal, replayable } = request;
  const patience = { signal, waitMs };

  const authorize = (previous = origin.answer): Promise<AuthorizationHeaders> => {
    origin.answer = undefined;
    const target = { url: url.href, method, ...selector, ...(previous && { previous }) };
    return coordinator.getAuthorizationHeaders(target);
  };
  const send = async (headers: AuthorizationHeaders): Promise<Response> => {
    // Browsers take a token off a redirect to another origin, but not its proof.
    // guard: boundary: a proof follows no redirect
    const stays = isProven(headers) && request.redirect === 'follow';
    const response = await request.send(headers, stays ? { redirect: 'manual' } : undefined);
    if (stays && (response.type === 'opaqueredirect' || REDIRECTS.includes(response.status))) {
      throw new TypeError(
        `createFetch: ${url.origin} answered with a redirect. A DPoP proof is for one URL (RFC 9449 §4.2), so it is not followed; request the URL that it leads to.`,
      );
    }
    const nonce = response.headers.get('dpop-nonce');
    if (nonce !== null && isFrom(url, response))
      origin.answer = { headers: new Headers({ 'dpop-nonce': nonce }) };
    return response;
  };

  throwIfAborted(signal);
  let { status, sessionId } = coordinator.getSnapshot();
  // A request is one session's: it leaves neither after that was signed out nor with the token of the next user, who may
  // have signed in as early as while its proof was made:
  //
  //     request  token of A ─ signs a proof ─────────────▶ still A?
  //     tab                        B signs in
  // guard: boundary: a request is one session's
  const isSameSession = (): boolean =>
    status !== 'signed-out' && coordinator.getSnapshot().sessionId === sessionId;
  const prepare = async (): Promise<AuthorizationHeaders> => {
    if (status === 'loading') {
      // Only now can be said whose request it is.
      await coordinator.getAccessToken({ ...selector, signal });
      ({ status, sessionId } = coordinator.getSnapshot());
    }
    return authorize();
  };
  let headers: AuthorizationHeaders;
  try {
    headers = await waitFor(prepare(), patience);
    if (!isSameSession()) {
      throw new TokenCoordinatorError('ERR_SIGNED_OUT', 'The session that this request belongs to is over');
    }
  } catch (error) {
    if (!optional || !isOf(error, 'ERR_SIGNED_OUT')) throw error;
    return request.send({});
  }
  const token = tokenIn(headers);

  /** The refused request once more, with what `improve` brings; `undefined` if that is nothing. */
  const repeat = async (
    refused: Response,
    improve: () => Promise<AuthorizationHeaders | undefined>,
  ): Promise<{ response: Response; token: string } | undefined> => {
    if (!replayable || !isSameSession()) return undefined;
    const improved = await waitFor(improve(), patience).catch(() => undefined);
    throwIfAborted(signal);
    if (!improved || !isSameSession()) return undefined;
    refused.body?.cancel().catch(() => undefined);
    return { response: await send(improved), token: tokenIn(improved) };
  };

  const newerHeaders = async (): Promise<AuthorizationHeaders | undefined> => {
    const held = coordinator.peekAccessToken(selector);
    // Where another request or another tab has refreshed since, nobody refreshes for this one.
    if (held === undefined || held === token) {
      if (!origin.breaker.mayRefresh(token)) return undefined;
      const forced = { ...selector, forceRefresh: true, failFast: true, signal };
      await coordinator.getAccessToken(forced).catch((error: unknown) => {
        // Neither an outage, which ends by itself, nor the end of the session, after which nobody refreshes.
        if (isOf(error, 'ERR_REFRESH_REJECTED')) origin.breaker.useless(token);
        throw error;
      });
    }
    const newer = await authorize();
    if (tokenIn(newer) !== token) return newer;
    origin.breaker.useless(token);
    return undefined;
  };

  const isUnauthorized = (response: Response): boolean =>
    unauthorized
      ? // An answer that is a promise is not `true` yet.
        isFrom(url, response) && unauthorized(response) === true
      : refusalOf(url, response) === 'token';

  const first = await send(headers);
  const wantsProof = isProven(headers) && refusalOf(url, first) === 'proof';
  const proven = wantsProof ? await repeat(first, () => authorize(first)) : undefined;
  const response = proven?.response ?? first;

  if (!isUnauthorized(response)) return response;
  const again = await repeat(response, newerHeaders);
  if (!again) return response;
  if (isUnauthorized(again.response)) origin.breaker.useless(again.token);
  else origin.breaker.helped();
  return again.response;
}

function isProven(headers: AuthorizationHeaders): boolean {
  return new Headers(headers).has('dpop');
}

/** The credentials of an `Authorization` header, whatever its scheme. */
function tokenIn(headers: AuthorizationHeaders): string {
  return new Headers(headers).get('authorization')?.replace(/^\S+ +/, '') ?? '';
}

function isOf(error: unknown, code: ErrorCode): boolean {
  return isTokenCoordinatorError(error) && error.code === code;
}
