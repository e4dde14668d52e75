import { LEASES } from '#leases';
import { access, emit, inTime, pause, successor } from './knowledge.js';
import { reconcileMs, silenceMs } from './limits.js';
import { fingerprint, isOpen, next } from './record.js';
import type { Continuation, Flight, Phase, State, Turn } from './state.js';
import type { LockMode, LockOutcome } from './ports.js';

/** How long a broadcast may be on its way; milliseconds. */
const ARRIVAL_MS = 300;

/** Whether this tab may ask for locks: on demand, and never while it is frozen, cached or prerendering. */
export function mayFly({ active, closed, loaded, record }: State): boolean {
  return active && !closed && loaded && isOpen(record);
}

/**
 * How long earlier flights have waited in this phase for a holder that stands still. It counts for the next one, or callers with little
 * patience would never get past it:
 *
 *     A (holder)  ██ hangs ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
 *     B (hidden)  call: 10 s ✗   call: 10 s ✗   call: 10 s ✗   call: T + R ─▶ claim
 */
export function waitedIn({ waited }: State, phase: Phase): number {
  // guard: progress: the wait of earlier callers counts for the next one
  return waited?.phase === phase ? waited.ms : 0;
}

/** Asks for a lock. Returns its tag. */
export function lock(t: Turn, name: string, mode: LockMode, resume: Continuation<LockOutcome>): number {
  const tag = t.s.nextTag++;
  t.effects.push({ type: 'lock', tag, name, mode, resume });
  return tag;
}

/** Lets a lock go, or the place in its queue. */
export function unlock({ effects }: Turn, tag: number): void {
  effects.push({ type: 'unlock', tag });
}

/** Moves the flight in progress into another phase, which may end by itself. */
export function hold(t: Turn, phase: Phase, change: Partial<State['flight']> = {}): void {
  t.s.flight = { ...t.s.flight!, until: Infinity, expire: undefined, phase, ...change };
}

/** Goes on only if the flight in progress is still the same: its lock may be lost, its session gone, its tab frozen. */
export function whileFlying<R>(t: Turn, resume: Continuation<R>): Continuation<R> {
  const { tag } = t.s.flight!;
  return (t, result) => {
    if (t.s.flight?.tag === tag) resume(t, result);
  };
}

/**
 * Queues for the refresh lock; `then` is what its holder does; `worker`, if a refresh worker was asked before. A broadcast may
 * have been missed, and no journal is broadcast. A tab that is granted the lock at once finds out by comparing before it writes; a
 * tab that waits for it reads, or it would not know of what it sees stand still:
 *
 *     A  journal ─ sends ─ hangs ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
 *     B     queues ── 300 ms ─▶ reads of the journal ── T + R ─▶ claim ✓  (else ✗, and T + R once more)
 *
 * Not at once: that would be as many reads as tabs, before the journal.
 */
export function begin(t: Turn, resume: Continuation, worker?: Flight['worker']): void {
  const { s } = t;
  const since = t.now.mono - waitedIn(s, 'queued');
  const flight = { phase: 'queued', until: Infinity, seen: '', since, worker } as const;
  if (!s.options.locks) {
    s.flight = { ...flight, tag: s.nextTag++ };
    return resume(t);
  }
  s.flight = { ...flight, tag: lock(t, 'refresh', 'wait', onRefreshLock(resume)) };
  requeue(t, resume, since, since + ARRIVAL_MS);
}

function onRefreshLock(resume: Continuation): Continuation<LockOutcome> {
  return (t, outcome) => {
    if (outcome === 'granted') {
      hold(t, 'queued', { granted: true });
      return resume(t);
    }
    // Stolen: whatever was sent goes on, and its answer counts; everything else starts again.
    finish(t);
    // guard: locks: a platform that grants none where it has to is asked no more
    if (outcome !== 'lost') goWithoutLocks(t);
  };
}

/** The platform serves no locks (no storage access, an opaque origin), or not as specified: the journal is the mutex. */
function goWithoutLocks({ s }: Turn): void {
  // (Leases are served as soon as the store is back.)
  // guard: processes: leases that are not answered are not done without
  s.options = { ...s.options, locks: LEASES && s.options.leases === true };
}

/** Lets the refresh lock go, or the place in its queue, and an attempt lock that nothing was sent under. */
export function finish(t: Turn): void {
  const { s } = t;
  if (!s.flight) return;
  const { tag, lockTag, phase, since, granted } = s.flight;
  // An election of others is no sign of life of a holder that has written no journal:
  //
  //     A  both locks ░░░░ stands still ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B  steals ─ elected       resigns: the term moves
  //     C    granted ─ waits for A's attempt lock ─ T ─▶ the journal on the old term ✗ ─ on the new one ✓
  if (phase === 'probing' || phase === 'journaling')
    s.waited = { phase: 'probing', ms: t.now.mono - Math.max(since, s.journalSeen) };
  else if (phase === 'queued' && !granted) s.waited = { phase, ms: t.now.mono - Math.max(since, s.movedAt) };
  // The lock was free, so nobody stands still with it.
  else if (granted) s.waited = undefined;
  if (lockTag !== undefined && !s.attempts.some((attempt) => attempt.tag === lockTag)) unlock(t, lockTag);
  unlock(t, tag);
  s.flight = undefined;
}

/**
 * Ends the flight. A state that was only `said`, and no store tells, has to be heard before the next one gets the locks:
 *
 *     A (no store)  commit ─ pair, unlock ───────╮
 *     B                granted ─ journal ─ sends │ again ─▶ hears the pair: too late
 *
 *     A (no store)  elected: term 4 ─ leader-changed, unlock ─╮
 *     B                           granted ─ elected: term 4 ✓ │ ─▶ hears of A: both have announced the loss
 */
export function letGo(t: Turn, said: boolean, end: Continuation = finish): void {
  if (said) hold(t, t.s.flight!.phase, { until: t.now.mono + ARRIVAL_MS, expire: end });
  else end(t);
}

/** One failed operation is a short pause, not a change of mode, nor the end of a longer one. */
export function giveUp(t: Turn): void {
  // guard: a store that fails ends no longer wait
  if (!t.s.pause) pause(t, 'storage', 250 * 2 ** t.s.storeFailures, 'ERR_STORAGE');
  t.s.elect = undefined;
  finish(t);
}

/**
 * Gives the holder the time of a refresh, counted from the last sign of life, and reads now and then. Also where the timer of a tab comes late:
 *
 *     A  claims, steals ─ sends ─ refused
 *     B  (throttled) queues ░░░░░░░░░░░░░╰▶ hears of it; only now its timer: counts from here, not from when it queued
 */
function requeue(t: Turn, resume: Continuation, begun: number = t.now.mono, firstAt = 0): void {
  const { s, now } = t;
  const seen = fingerprint(s.record!);
  // guard: a sign of life since a tab queued counts, also where its timer comes late
  const since = Math.max(begun, s.movedAt);
  const end = since + silenceMs(s.options);
  // A holder that stands still may go on for a moment, and stand still again:
  //
  //     A (holder)  ░░░ journal ─ sends ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B   queues ─ reads      reads: T + R from here ──────────▶ claim ✓  (else ✗, and T + R from there)
  // guard: progress: a tab that waits for long reads now and then
  const readAt = firstAt > now.mono ? firstAt : now.mono + reconcileMs(s.options);
  const expire: Continuation = (t) => {
    if (readAt >= end) return expired(t, resume);
    access(t, undefined, undefined, true);
    requeue(t, resume, since);
  };
  hold(t, 'queued', { seen, since, until: Math.min(readAt, end), expire });
}

/**
 * Nothing was heard for a refresh's whole time: claim before steal. One compare-and-set from exactly the state that
 * stood still; only its winner steals, so one silent tab causes one steal.
 *
 *     A (holder)  ██ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ AbortError on waking: steps down
 *     B (waiter)     T + R of silence ─▶ claim term+1 ✓ ─▶ steal ─▶ refresh
 *     C (waiter)     T + R of silence ─▶ claim ✗ (term moved) ─▶ counts again, hears B's pair
 */
function expired(t: Turn, resume: Continuation): void {
  const { s, now } = t;
  const { seen } = s.flight!;
  // A sign of life since it queued counts from when it was seen, not from now:
  //
  //     A (holder)  journal ─ sends ─ hangs ░░░░░░░░░░░░░░░░░░░░░
  //     B (waiter)     queues ─ reads the journal ── T + R ─▶ claim
  if (fingerprint(s.record!) !== seen) return requeue(t, resume, s.flight!.since);
  hold(t, 'claiming');
  // guard: ⚑ claim before steal: one silent tab causes one steal
  access(
    t,
    (base) =>
      base && fingerprint(base) === seen
        ? { ...base, term: next(base.term), leader: successor(s, base) }
        : undefined,
    whileFlying(t, (t, { won }) => {
      // Granted meanwhile, after all.
      // guard: a claim that comes back after the lock was granted steals nothing
      if (t.s.flight!.phase !== 'claiming') return;
      // A tab that stood still before it knew is late:
      //
      //     A  claim ✓ ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ knows of it: counts again
      //     B               T + R ─▶ claim ✓ ─ steals ─ refresh …
      // guard: a claim that was won long ago steals nothing
      if (!won || !inTime(t.s, now, t.now)) return requeue(t, resume);
      if (t.s.storage !== 'memory') return steal(t, resume);
      // There is no common record to compare with: a lock that nobody waits for arbitrates.
      const arbitrated = whileFlying<LockOutcome>(t, (t, outcome) => {
        if (t.s.flight!.phase !== 'claiming') return;
        if (outcome === 'granted') steal(t, resume);
        else requeue(t, resume);
      });
      const tag = lock(t, 'takeover', 'try', (t, outcome) => {
        unlock(t, tag);
        arbitrated(t, outcome);
      });
      // A page that freezes lets it go.
      // guard: a frozen page keeps no takeover lock
      hold(t, 'claiming', { lockTag: tag, ...unanswered(t) });
    }),
  );
}

function steal(t: Turn, resume: Continuation): void {
  const { s } = t;
  emit(t, 'takeover');
  unlock(t, s.flight!.tag);
  const tag = lock(t, 'refresh', 'steal', onRefreshLock(resume));
  // guard: locks: a steal without an answer ends
  hold(t, 'stealing', { tag, stolen: true, ...unanswered(t) });
}

// guard: locks: a tab that stood still for a moment more waits for that answer, too
/**
 * A lock that is asked for only if it is free, or is stolen, is answered at once. A platform that does not answer serves no locks, and
 * perhaps the silence before the steal was its own. A tab that stood still meanwhile finds its timer late, before the answer, and waits again;
 * a timer that is throttled is always late, but not for seconds.
 *
 *     A  steals ─ stands still ░░░░░░░░ R + 2 s ─ its timer, before the lock: waits R again ─ granted
 *     B                                           (given up, A would go by its journal alone, and B by its locks)
 */
function unanswered(t: Turn, lateMs = ARRIVAL_MS): Partial<Flight> {
  const until = t.now.mono + reconcileMs(t.s.options);
  const expire: Continuation = (t) => {
    const { flight, options } = t.s;
    // guard: locks: a tab that stood still waits once more for the answer to its steal
    if (t.now.mono > until + lateMs) return hold(t, flight!.phase, unanswered(t, reconcileMs(options)));
    finish(t);
    goWithoutLocks(t);
  };
  return { until, expire };
}
