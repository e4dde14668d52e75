import { reconcileMs } from '../core/limits.js';

/**
 * How long each lease lasts; milliseconds. The holder of `refresh` prolongs it three times as often. A process that finds it held by one that
 * froze before its write-ahead waits for its end and then T for the attempt: together less than a caller's patience, T + R + 5 s.
 */
export function leaseMs(name: string, refreshTimeoutMs: number): number {
  // guard: processes: the lease of an attempt outlasts everybody who waits for it
  const ms = name.startsWith('attempt:') ? 3 * refreshTimeoutMs : reconcileMs({ refreshTimeoutMs });
  // Redis takes whole milliseconds.
  // guard: processes: a lease lasts whole milliseconds
  return Math.ceil(ms);
}

/**
 * How often a write that failed is tried again; the core itself does so less and less often. When the shared part is back, the process
 * with an answer that nobody else knows has to come first, and the others wait for T + R, of which T may be short.
 */
export const SAVE_AGAIN_MS = 1_000;
