import type { TokenCoordinator, TokenSelector } from '../types.js';
import { isFrom, refusalOf } from './challenge.js';
import type { OutgoingRequest } from './outgoing-request.js';
import type { RefreshBreaker } from './refresh-breaker.js';
import { untilAborted } from './until-aborted.js';

/** The part of a coordinator that requests need. */
export type TokenProvider = Pick<
  TokenCoordinator,
  'getAccessToken' | 'getAuthorizationHeaders' | 'getSnapshot' | 'peekAccessToken'
>;

/** What is remembered of an origin between requests. */
export interface Origin {
  readonly breaker: RefreshBreaker;
  /** An answer's nonce for the next proof (RFC 9449 §9), not yet passed on. What else it said, of the clock for one, was of that moment. */
  answer?: { readonly headers: Headers } | undefined;
}

type AuthorizationHeaders = Readonly<Record<string, string>>;

/** Sends one request with the token, and once more where another proof or a newer token may help. */
export async function sendAuthorized(
  coordinator: TokenProvider,
  selector: TokenSelector,
  origin: Origin,
  request: OutgoingRequest,
): Promise<Response> {
  const { url, method, signal, replayable } = request;

  const authorize = (previous = origin.answer): Promise<AuthorizationHeaders> => {
    origin.answer = undefined;
    const target = { url: url.href, method, ...selector, ...(previous && { previous }) };
    return untilAborted(coordinator.getAuthorizationHeaders(target), signal);
  };
  const send = async (headers: AuthorizationHeaders): Promise<Response> => {
    const response = await request.send(headers);
    const nonce = response.headers.get('dpop-nonce');
    if (nonce !== null && isFrom(url, response))
      origin.answer = { headers: new Headers({ 'dpop-nonce': nonce }) };
    return response;
  };

  signal?.throwIfAborted();
  const { sessionId: asked } = coordinator.getSnapshot();
  const headers = await authorize();
  const token = tokenIn(headers);
  const { sessionId } = coordinator.getSnapshot();
  // A request made for one user is not repeated for another, who may have signed in as early as while its proof was made:
  //
  //     request  token of A ─ signs a proof ─────────────▶ 401: whose was it?
  //     tab                        B signs in
  const isKnown = asked === undefined ? coordinator.peekAccessToken(selector) === token : asked === sessionId;
  const isSameSession = (): boolean => isKnown && coordinator.getSnapshot().sessionId === sessionId;

  /** The refused request once more, with what `improve` brings; `undefined` if that is nothing. */
  const repeat = async (
    refused: Response,
    improve: () => Promise<AuthorizationHeaders | undefined>,
  ): Promise<{ response: Response; token: string } | undefined> => {
    if (!replayable || !isSameSession()) return undefined;
    const improved = await improve().catch(() => undefined);
    signal?.throwIfAborted();
    if (!improved || !isSameSession()) return undefined;
    refused.body?.cancel().catch(() => undefined);
    return { response: await send(improved), token: tokenIn(improved) };
  };

  const newerHeaders = async (): Promise<AuthorizationHeaders | undefined> => {
    const held = coordinator.peekAccessToken(selector);
    // Where another request or another tab has refreshed since, nobody refreshes for this one.
    if (held === undefined || held === token) {
      if (!origin.breaker.mayRefresh()) return undefined;
      const forced = { ...selector, forceRefresh: true, failFast: true, signal };
      await untilAborted(coordinator.getAccessToken(forced), signal).catch((error: unknown) => {
        // Neither an outage, which ends by itself, nor the end of the session, after which nobody refreshes.
        if (Object(error).code === 'ERR_REFRESH_REJECTED') origin.breaker.useless(token);
        throw error;
      });
    }
    const newer = await authorize();
    if (tokenIn(newer) !== token) return newer;
    origin.breaker.useless(token);
    return undefined;
  };

  const first = await send(headers);
  const isProven = new Headers(headers).has('dpop') && refusalOf(url, first) === 'proof';
  const proven = isProven ? await repeat(first, () => authorize(first)) : undefined;
  const response = proven?.response ?? first;

  if (refusalOf(url, response) !== 'token') return response;
  const again = await repeat(response, newerHeaders);
  if (!again) return response;
  if (refusalOf(url, again.response) === 'token') origin.breaker.useless(again.token);
  else origin.breaker.helped();
  return again.response;
}

/** The credentials of an `Authorization` header, whatever its scheme. */
function tokenIn(headers: AuthorizationHeaders): string {
  return new Headers(headers).get('authorization')?.replace(/^\S+ +/, '') ?? '';
}
