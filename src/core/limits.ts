import type { CoreOptions } from './options.js';

/** T of the protocol: the deadline of one token request. All limits follow from it; milliseconds. */
type Limits = Pick<CoreOptions, 'refreshTimeoutMs'>;

/** R: how long a lock holder may wait for another attempt's answer after a refusal. */
export function reconcileMs({ refreshTimeoutMs }: Limits): number {
  return Math.min(refreshTimeoutMs, 5_000);
}

/** T + R: how long a tab that others wait for may say nothing; then it counts as standing still. */
export function silenceMs(limits: Limits): number {
  return limits.refreshTimeoutMs + reconcileMs(limits);
}

/**
 * How long a caller waits by default: longer than the longest regular takeover, which begins after T + R of silence.
 *
 *     A (holder)  ██ hangs ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
 *     B           call ─ queued ── T + R ─▶ claims, steals, sends ─▶ token   (5 s for all that is not waiting)
 */
export function patienceMs(limits: Limits): number {
  // guard: progress: a caller waits longer than a takeover takes
  return silenceMs(limits) + 5_000;
}

/** How long a tab without a store, or one whose store works again, waits for the others' answers; milliseconds. */
export const ASK_MS = 300;

/** A server that refuses without a word is asked again no sooner; and refusals closer together count once. */
export const APART_MS = 10_000;
// guard: refusals: only the third in a row ends the session
/** So many of them are taken for its word. */
export const MOST_WORDLESS = 3;
/** From the third refusal of a version on, nobody asks sooner: with the first three, six requests a minute at most. */
const SPACED_MS = 20_000;

/** How long nobody asks a server again that has said no so often, whatever wakes a tab or is forced; milliseconds. */
export function restMs(refusals: number): number {
  // guard: refusals: from the third on nobody asks at once
  return refusals < 3 ? 0 : SPACED_MS;
}
