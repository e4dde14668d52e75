import type { Observation, ObservationType } from './observation.js';

/** Figures of the whole origin over the window, nothing counted twice. */
export interface MonitorMetrics {
  /** When the counting began: the start of the window, or of this monitor, whichever is later; epoch milliseconds. */
  readonly since: number;
  /** Token requests sent for a refresh, repetitions included. */
  readonly attempts: number;
  /** Attempts that brought a new pair. */
  readonly successes: number;
  /** Attempts that brought none. */
  readonly failures: number;
  /** Attempts answered `invalid_grant` or `version_conflict`. */
  readonly conflicts: number;
  /** `conflicts / attempts`; 0 without attempts. */
  readonly conflictRate: number;
  /** From the request to its answer, of the successes; milliseconds; `undefined` without one. */
  readonly latency: {
    readonly p50: number | undefined;
    readonly p95: number | undefined;
    readonly p99: number | undefined;
  };
  /** Times that the lead went from one participant to another. */
  readonly failovers: number;
  /** Attempts of which nobody knew whether the server had rotated. */
  readonly inDoubt: number;
  /** Versions that were carried on nevertheless. */
  readonly inDoubtRecoveries: number;
  /** Sessions that ended because the server refused to go on. */
  readonly sessionsLost: number;
}

/** Adds up what was observed; pure. */
export function addUp(observations: readonly Observation[], since: number): MonitorMetrics {
  const count = (type: ObservationType): number => keys(observations, type).size;
  // An attempt is known by whatever is heard of it: its tab may have been closed before it could tell of its start.
  const attempts = new Set(observations.filter((one) => one.attempt !== undefined).map(attemptOf)).size;
  const conflicts = count('conflict');
  const successes = observations.filter(({ type }) => type === 'refresh-succeeded');
  const durations = successes.flatMap(({ durationMs }) => durationMs ?? []).sort((a, b) => a - b);
  return Object.freeze({
    since,
    attempts,
    successes: count('refresh-succeeded'),
    failures: new Set([...keys(observations, 'refresh-failed'), ...keys(observations, 'conflict')]).size,
    conflicts,
    conflictRate: attempts === 0 ? 0 : conflicts / attempts,
    latency: Object.freeze({
      p50: percentile(durations, 0.5),
      p95: percentile(durations, 0.95),
      p99: percentile(durations, 0.99),
    }),
    failovers: observations.filter(({ type }) => type === 'failover').length,
    inDoubt: count('in-doubt'),
    inDoubtRecoveries: recoveries(observations, successes),
    // Said by whoever found it, and by others to those who had not heard.
    sessionsLost: new Set(observations.filter(({ type }) => type === 'session-lost').map(({ id }) => id))
      .size,
  });
}

/** Successes that came after an attempt of the same version had been in doubt, or had never been heard of again. */
function recoveries(all: readonly Observation[], successes: readonly Observation[]): number {
  const doubtful = keys(all, 'in-doubt');
  const failed = keys(all, 'refresh-failed');
  const inDoubt = (one: Observation, attempt: number): boolean => {
    const key = attemptOf({ ...one, attempt });
    return doubtful.has(key) || (attempt < one.attempt! && !failed.has(key));
  };
  return successes.filter((one) =>
    Array.from({ length: one.attempt! }, (_, n) => n + 1).some((attempt) => inDoubt(one, attempt)),
  ).length;
}

function keys(all: readonly Observation[], type: ObservationType): Set<string> {
  return new Set(all.filter((one) => one.type === type).map(attemptOf));
}

function attemptOf({ sessionId, version, attempt }: Observation): string {
  return [sessionId, version, attempt].join();
}

/** Nearest rank. */
function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
