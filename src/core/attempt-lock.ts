// The lock that each sender of a version holds while it may be answered.
import { LEASES } from '#leases';
import type { Now } from './expiry.js';
import { hold, lock, unlock, waitedIn, whileFlying } from './flight.js';
import type { LockOutcome } from './ports.js';
import { attemptLock, idempotencyKey, isUnderWay, type SessionRecord } from './record.js';
import type { Attempt, Continuation, Phase, State, Turn } from './state.js';

/** When the lock of a request that was sent then goes, and its closed tab waits no longer for an answer; monotonic. */
export function limitOf({ options }: State, sent: Now): number {
  return sent.mono + 2 * options.refreshTimeoutMs;
}

/** An attempt is over: its lock goes. */
export function endAttempt(t: Turn, { tag }: Attempt): void {
  unlock(t, tag);
  t.s.attempts = t.s.attempts.filter((attempt) => attempt.tag !== tag);
}

/** The lock of an attempt goes while its answer may still come; whatever it brings counts. */
export function releaseAttemptLock(t: Turn, { tag }: Attempt): void {
  unlock(t, tag);
  t.s.attempts = t.s.attempts.map((one) => (one.tag === tag ? { ...one, until: Infinity } : one));
}

/**
 * Back in time for an answer that may still come: nobody, this tab included, is to ask again meanwhile.
 *
 *     A  sends ─ closed ─ cached ░░░░░░ returns, queues ─ granted ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ answer: commit
 *     B                           sends attempt 2 ✗         queues ░░░░░░░░░░░░░░░░░ granted: finds A's pair
 */
export function retakeAttemptLock(t: Turn, attempt: Attempt): void {
  const { options, attempts } = t.s;
  const { tag, sent } = attempt;
  if (attempt.until !== Infinity) return;
  const until = limitOf(t.s, sent);
  t.s.attempts = attempts.map((one) => (one === attempt ? { ...one, until } : one));
  if (!options.locks || until <= t.now.mono) return;
  // guard: attempt lock: a page that returns while another sends waits for it behind that one
  t.effects.push({ type: 'lock', tag, name: attemptLock(attempt), mode: 'wait', resume: () => {} });
}

/**
 * Queues, under the refresh lock, for the lock that every sender of this version holds while it may be answered. The
 * refresh lock does not tell:
 *
 *     A  refresh lock ▇▇▇▇▇▇▇▇ (T) let go ─ request still travelling ──▶ answer: commit
 *        attempt lock ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
 *     B                      granted, queues here ░░░░░░░░░░░░░░░░░░░░░░░░ granted: finds A's pair
 *
 * After `ms` it goes on all the same, and keeps its place. (A lease that is granted while a journal is open shortens that only if its last
 * holder is known to be dead.)
 */
export function awaitAttempt(t: Turn, phase: Phase, ms: number, resume: Continuation): void {
  const { s, now } = t;
  const granted: Continuation<LockOutcome> = (t, outcome) => {
    const { flight, options, record } = t.s;
    if (flight!.phase !== phase) return;
    // guard: processes: a lease that was granted does not prove its last holder dead
    if (LEASES && options.leases && isUnderWay(record!) && outcome !== 'inherited') return;
    resume(t);
  };
  // guard: ⚑ attempt lock: held from before the journal until the answer
  const lockTag = s.options.locks
    ? lock(t, attemptLock(s.record!), 'wait', whileFlying(t, granted))
    : undefined;
  const since = now.mono - waitedIn(s, phase);
  hold(t, phase, { lockTag, since, until: now.mono + ms, expire: resume, seen: awaited(s.record!) });
  if (ms <= 0) resume(t);
}

/** What an attempt lock is waited for: the answer to an attempt of this version that has not failed. */
export function awaited(record: SessionRecord): string {
  // guard: an attempt that has failed is waited for no longer
  return `${idempotencyKey(record)}.${record.journal?.failure?.at}`;
}
