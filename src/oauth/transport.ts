import { allowInsecureRequests, customFetch } from 'oauth4webapi';
import { RefreshUnavailableError } from '../core/errors.js';

/** How one request leaves: the options of `oauth4webapi` that every endpoint has in common. */
export interface Transport {
  readonly [allowInsecureRequests]: boolean;
  readonly [customFetch]?: (url: string, init: object) => Promise<Response>;
}

/**
 * @param endpoint - an URL that `readEndpoint` let pass: if it is plain `http:`, it is on loopback
 * @param fetch - the caller's own, if any
 */
export function transportTo(
  endpoint: string | URL | undefined,
  fetch: typeof globalThis.fetch | undefined,
): Transport {
  return {
    [allowInsecureRequests]: String(endpoint).startsWith('http:'),
    ...(fetch && { [customFetch]: (url: string, init: object) => fetch(url, init) }),
  };
}

/**
 * What a request that got no answer is thrown as. Errors in the coordinator's own terms are kept as they are; of the others only what `fetch`
 * itself throws is kept as the cause, since an error of another kind may carry its request, refresh token included (axios does).
 */
export function noAnswer(error: unknown, status?: number): unknown {
  if (typeof error === 'object' && error !== null && 'refreshOutcome' in error) return error;
  const fromFetch = error instanceof TypeError || error instanceof DOMException;
  const cause = fromFetch ? error : new Error(error instanceof Error ? error.name : 'fetch failed');
  return new RefreshUnavailableError({ status, cause });
}

/** The same for whatever went wrong before the refresh token was sent: nothing was spent. */
export function notSent(error: unknown): unknown {
  // Faults of configuration stay what they are.
  if (
    error instanceof Error &&
    'code' in error &&
    /^ERR_(?:CONFIGURATION|UNSUPPORTED)$/.test(String(error.code))
  ) {
    return error;
  }
  const thrown = noAnswer(error) as { refreshOutcome?: unknown };
  return thrown.refreshOutcome === 'unavailable' ? Object.assign(thrown, { unspent: true }) : thrown;
}
