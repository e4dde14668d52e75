import { TokenCoordinatorError } from '../core/errors.js';
import { callback, check, duration } from './check.js';
import { guarded } from './guarded.js';
import type { Conflict, EndpointMonitor } from './monitor.js';

/** The options of both remedies. */
export interface RemedyOptions {
  /**
   * The answer to a refresh while the store cannot be reached; default `'refuse'`.
   *
   * - `'refuse'`: 503 with `Retry-After`. Nothing is spent and every session survives, but no access token is renewed until the store is back.
   * - `'pass'`: the request goes to the authorization server as if the remedy were not there. Duplicates then end sessions again.
   *
   * Sign-ins and sign-outs always pass.
   */
  readonly whenStoreFails?: 'refuse' | 'pass' | undefined;
  /** How long one call of the store may take, milliseconds; default 2_000. A call that fails is tried once more. */
  readonly storeTimeoutMs?: number | undefined;
  /**
   * How long a token stays blocked by a process that died while it was being spent, milliseconds; default 10_000. A living process renews its
   * claim, so a slow authorization server needs no longer time.
   */
  readonly claimMs?: number | undefined;
  /** Headers for answers that the remedy makes itself, such as those of CORS; default: none. An outer CORS layer does as well. */
  readonly responseHeaders?: ((request: Request) => Record<string, string>) | undefined;
  /** Called for every refresh that is refused with 409, for a log line; it gets digests only. Default: nothing is called. */
  readonly onConflict?: ((conflict: Conflict) => void) | undefined;
  /**
   * Called when the store fails or does not answer in time, and when the answer to a refresh or a sign-in is compressed in a way that cannot be
   * read (`ERR_CONFIGURATION`): it then passes unguarded. Default: what is wrong with the configuration (`ERR_CONFIGURATION`, for example also a
   * newer schema) is reported once, as a warning of the process.
   */
  readonly onStoreError?: ((error: unknown) => void) | undefined;
  /** The result of {@link createEndpointMonitor}: counts every refresh. Give it to the outermost remedy only; default: nothing is counted. */
  readonly monitor?: EndpointMonitor | undefined;
}

/** The shared options after the check, with their defaults. */
export interface CheckedOptions {
  readonly whenStoreFails: 'refuse' | 'pass';
  readonly storeTimeoutMs: number;
  readonly claimMs: number;
  readonly responseHeaders: (request: Request) => Record<string, string>;
  readonly onConflict: (conflict: Conflict) => void;
  readonly onStoreError: (error: unknown) => void;
  readonly monitor: EndpointMonitor | undefined;
}

/** @throws `ERR_CONFIGURATION` with a sentence that says what to change */
export function checkOptions(options: RemedyOptions): CheckedOptions {
  const { whenStoreFails = 'refuse', monitor } = options;
  check('whenStoreFails', whenStoreFails === 'refuse' || whenStoreFails === 'pass', "'refuse' or 'pass'");
  check(
    'monitor',
    monitor === undefined || typeof (monitor as Partial<EndpointMonitor> | null)?.record === 'function',
    'what createEndpointMonitor() returns',
  );
  return {
    whenStoreFails,
    monitor,
    storeTimeoutMs: duration('storeTimeoutMs', options.storeTimeoutMs ?? 2_000, 1, 60_000),
    claimMs: duration('claimMs', options.claimMs ?? 10_000, 100, 300_000),
    responseHeaders: callback('responseHeaders', options.responseHeaders) ?? (() => ({})),
    onConflict: callback('onConflict', options.onConflict) ?? (() => {}),
    onStoreError: callback('onStoreError', options.onStoreError) ?? reportOnce(),
  };
}

/** An outage passes, and each refresh says so with 503. A store that is not usable stays so until somebody reads why. */
function reportOnce(): (error: unknown) => void {
  let reported = false;
  return (error) => {
    if (reported || !(error instanceof TokenCoordinatorError)) return;
    reported = true;
    // Reports what is thrown in it.
    guarded(() => {
      throw error;
    });
  };
}

/** @throws `ERR_CONFIGURATION` unless the store has this part */
export function checkStore(store: unknown, part: 'rotation' | 'versions'): void {
  const members: unknown = (store as Partial<Record<string, unknown>> | null | undefined)?.[part];
  check(
    'store',
    typeof (members as { claim?: unknown } | undefined)?.claim === 'function',
    'what sqliteStore(), postgresStore() or redisStore() returns',
  );
}
