import { callback, check, duration } from './check.js';
import { guarded } from './guarded.js';

/** A refresh that was refused with 409. It holds digests, never a token. */
export interface Conflict {
  /** Epoch milliseconds. */
  readonly at: number;
  /**
   * - `'holder'`: the token was spent a moment ago by another holder. One of the two may be a thief.
   * - `'request'`: the same holder asked for something else with a spent token.
   * - `'without-key'`: the request proves nothing of its sender, and `withoutKey` is `'conflict'`.
   * - `'outdated'`: the login has moved on since; also a version that is not the newest.
   * - `'pending'`: another request of the same version is under way.
   * - `'unreadable'`: the kept answer cannot be opened.
   */
  readonly reason: 'holder' | 'request' | 'without-key' | 'outdated' | 'pending' | 'unreadable';
  /** The beginning of the refresh token's digest: enough to find two lines about one token. */
  readonly token: string;
  /** Names the login in the store. */
  readonly sessionId: string;
  /** The newest version of the login. */
  readonly version: number;
  /** The `client_id` of the request, if it named one. */
  readonly clientId: string | undefined;
}

/** How a refresh ended, as a monitor counts it. */
export type RefreshOutcome = 'refreshed' | 'replayed' | 'conflict' | 'refused' | 'failed';

/** The counts of an endpoint's monitor within its window. */
export interface EndpointMetrics {
  /** All refresh requests. */
  readonly attempts: number;
  /** Answered with new tokens by the authorization server. */
  readonly refreshed: number;
  /** Answered from the session table; nothing was spent. */
  readonly replayed: number;
  /** Answered 409 `version_conflict` or `invalid_grant`. */
  readonly conflicts: number;
  /** `conflicts / attempts`; 0 without attempts. */
  readonly conflictRate: number;
  /** Refused by the authorization server for another reason. */
  readonly refused: number;
  /** Answered 5xx, by the authorization server or because the store could not be reached, or not at all. */
  readonly failed: number;
  /** Median time from request to answer, milliseconds; `undefined` without attempts. */
  readonly p50: number | undefined;
  /** 95th percentile of the same, milliseconds. */
  readonly p95: number | undefined;
}

/** Options of `createEndpointMonitor`. */
export interface EndpointMonitorOptions {
  /** How far back the metrics look, milliseconds; default 300_000. */
  readonly windowMs?: number | undefined;
  /** The conflict rate from which on `onAlert` is called, above 0 and up to 1; default 0.003. */
  readonly conflictRateThreshold?: number | undefined;
  /** Called when the rate reaches the threshold, and again only after it was below; default: nothing is called. */
  readonly onAlert?: ((metrics: EndpointMetrics) => void) | undefined;
}

/** The result of `createEndpointMonitor`. Both methods can be destructured. */
export interface EndpointMonitor {
  /** Counts one refresh; the remedies call it. Throws nothing. */
  readonly record: (outcome: RefreshOutcome, durationMs: number) => void;
  /** The counts of this process within the window. Throws nothing. */
  readonly getMetrics: () => EndpointMetrics;
}

interface Refresh {
  readonly at: number;
  readonly outcome: RefreshOutcome;
  readonly durationMs: number;
}

/** A window in which more happens is judged by its end. */
const LIMIT = 10_000;

/**
 * Counts what the token endpoint answers to refreshes, in this process. The names and the threshold are those of `createMonitor` in the
 * browser: a conflict is a refresh answered `version_conflict` or `invalid_grant`.
 *
 * @param options - window, threshold and the function that is told
 * @throws `ERR_CONFIGURATION` if an option is not usable
 */
export function createEndpointMonitor(options: EndpointMonitorOptions = {}): EndpointMonitor {
  const given: EndpointMonitorOptions = Object(options);
  const { conflictRateThreshold = 0.003 } = given;
  const windowMs = duration('windowMs', given.windowMs ?? 300_000, 1, 2 ** 31);
  check(
    'conflictRateThreshold',
    typeof conflictRateThreshold === 'number' && conflictRateThreshold > 0 && conflictRateThreshold <= 1,
    'above 0 and up to 1',
  );
  const onAlert = callback('onAlert', given.onAlert);
  /** A ring, so that a busy endpoint costs no more memory than a quiet one. */
  const seen: Refresh[] = [];
  let count = 0;
  let alerted = false;

  function getMetrics(): EndpointMetrics {
    const start = Date.now() - windowMs;
    const inside = seen.filter(({ at }) => at > start);
    const of = (outcome: RefreshOutcome): number => inside.filter((one) => one.outcome === outcome).length;
    const durations = inside.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
    const percentile = (share: number) => durations[Math.max(0, Math.ceil(durations.length * share) - 1)];
    const conflicts = of('conflict');
    return Object.freeze({
      attempts: inside.length,
      refreshed: of('refreshed'),
      replayed: of('replayed'),
      conflicts,
      conflictRate: inside.length === 0 ? 0 : conflicts / inside.length,
      refused: of('refused'),
      failed: of('failed'),
      p50: percentile(0.5),
      p95: percentile(0.95),
    });
  }

  return {
    getMetrics,
    record(outcome, durationMs) {
      seen[count++ % LIMIT] = { at: Date.now(), outcome, durationMs };
      // Only a conflict raises the rate, and only after an alert does it matter whether the rate has fallen.
      if (outcome !== 'conflict' && !alerted) return;
      const metrics = getMetrics();
      const tooMany = metrics.conflictRate >= conflictRateThreshold;
      const alert = tooMany && !alerted;
      alerted = tooMany;
      if (alert) guarded(() => onAlert?.(metrics));
    },
  };
}
