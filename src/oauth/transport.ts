import { allowInsecureRequests, customFetch } from 'oauth4webapi';
import { isTokenCoordinatorError, RefreshUnavailableError } from '../core/errors.js';
import { causeOf, type Secrets } from '../core/sanitise.js';

/** How one request leaves: the options of `oauth4webapi` that every endpoint has in common. */
export interface Transport {
  readonly [allowInsecureRequests]: boolean;
  readonly [customFetch]: (url: string, init: object) => Promise<Response>;
}

/**
 * @param endpoint - an URL that `readEndpoint` let pass: if it is plain `http:`, it is on loopback
 * @param fetch - the caller's own, if any
 * @param signal - ends the request; given to `fetch` itself, since `oauth4webapi` takes no signal of another realm
 */
export function transportTo(
  endpoint: string | URL | undefined,
  fetch: typeof globalThis.fetch | undefined,
  signal: AbortSignal,
): Transport {
  return {
    [allowInsecureRequests]: String(endpoint).startsWith('http:'),
    [customFetch]: (url, init) => (fetch ?? globalThis.fetch)(url, { ...init, signal }),
  };
}

/** Aborts after so many milliseconds; `AbortSignal.timeout()` is younger than the oldest browsers. */
export function timeLimit(ms: number): AbortSignal {
  const controller = new AbortController();
  const timer: unknown = setTimeout(
    () => controller.abort(new DOMException('No answer in time', 'TimeoutError')),
    ms,
  );
  // In Node (tests of the app) it must not keep the process alive.
  (timer as { unref?(): void }).unref?.();
  return controller.signal;
}

/**
 * The error of a request that got no answer. Errors in the coordinator's own terms are kept as they are; of the others the name
 * and the message are, without the tokens that were sent.
 */
export function noAnswer(error: unknown, { status, secrets }: NoAnswer = {}): unknown {
  if (isTokenCoordinatorError(error) || Object(error).refreshOutcome !== undefined) return error;
  return new RefreshUnavailableError({ status, cause: causeOf(error, secrets) });
}

interface NoAnswer {
  readonly status?: number | undefined;
  readonly secrets?: Secrets | undefined;
}

/** The same for whatever went wrong before the refresh token was sent: nothing was spent. */
export function notSent(error: unknown): unknown {
  // Faults of configuration stay what they are.
  if (isTokenCoordinatorError(error)) {
    const isFault = error.code === 'ERR_CONFIGURATION' || error.code === 'ERR_UNSUPPORTED';
    return isFault
      ? error
      : Object.assign(new RefreshUnavailableError({ cause: causeOf(error) }), { unspent: true });
  }
  const thrown = noAnswer(error) as { refreshOutcome?: unknown };
  return thrown.refreshOutcome === 'unavailable' ? Object.assign(thrown, { unspent: true }) : thrown;
}
