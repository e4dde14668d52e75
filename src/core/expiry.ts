import type { AccessToken } from './record.js';

/** One instant as the runtime saw it, and a random number drawn for the step that happens at it. */
export interface Now {
  /** Epoch milliseconds; may jump. */
  readonly wall: number;
  /** Milliseconds that never go back; may stand still in sleep. */
  readonly mono: number;
  /** In [0, 1). */
  readonly random: number;
}

/** The life the server gave a token, milliseconds; infinite if it did not say. */
export function lifeOf(token: AccessToken): number {
  return token.expiresAt === undefined ? Infinity : token.expiresAt - token.obtainedAt;
}

/**
 * Life left, by the larger age of two clocks that lie in different ways: the wall clock jumps, the monotonic clock
 * stands still in sleep and starts when this tab first saw the token.
 */
export function remainingLife(token: AccessToken, seenAt: number, now: Now): number {
  return lifeOf(token) - Math.max(now.wall - token.obtainedAt, now.mono - seenAt, 0);
}

/** Least life of a token handed out: given, but at most half a life, else `min(10 s, 10 % of its life)`. */
export function minValidity(life: number, given: number | undefined): number {
  return given === undefined ? Math.min(10_000, life * 0.1) : Math.min(given, life / 2);
}

/**
 * How long before expiry to refresh ahead. Never in the first half of a token's life. The leader goes first, spread
 * over a tenth of the lead; a follower's backup comes when at most half of the lead is left, so that it normally
 * finds the leader's work done.
 */
export function refreshLead(life: number, given: number | undefined, leads: boolean, jitter: number): number {
  const lead = Math.min(given ?? Math.min(60_000, life * 0.2), life / 2);
  return lead * (leads ? 1 - 0.1 * jitter : 0.5 - 0.3 * jitter);
}

/** Exponential backoff with full jitter: anywhere up to one second doubled per failure, at most a minute. */
export function backoff(failures: number, random: number): number {
  return random * Math.min(60_000, 1000 * 2 ** failures);
}
