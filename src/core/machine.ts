import { answered } from './answer.js';
import { call, cancel, fault, settleCallers } from './calls.js';
import { announceEnd, electionDue, hello, planElection, resign } from './election.js';
import type { Now } from './expiry.js';
import { awaited, limitOf, releaseAttemptLock, retakeAttemptLock } from './attempt-lock.js';
import { begin, finish, mayFly } from './flight.js';
import { endPause, leads, proactiveDue } from './knowledge.js';
import { hear, reread } from './messages.js';
import { askWorker } from './delegation.js';
import type { LifecycleChange } from './ports.js';
import { isOpen } from './record.js';
import { proceed, wanted } from './refresh.js';
import { asOf, endDue } from './session-end.js';
import { beginSession, endSession } from './session.js';
import type { Effect, Event, State, Turn } from './state.js';
import { load, save, stored } from './storage.js';

/**
 * One step of one participant: its next state, and the effects. Pure: time, chance and identifiers come in
 * with the event. Everything that is waited for comes back as another event, with how to go on, and is checked again
 * before acting on it.
 */
export function step(state: State, event: Event, now: Now): [State, Effect[]] {
  const t: Turn = { s: { ...state, received: undefined }, now, effects: [] };
  // guard: end: it comes without a word from the store or anybody else
  t.s.record = asOf(state.record, now.wall);
  handle(t, event);
  conclude(t);
  // The worker did for this tab what the leader should have asked for before: does it still live?
  const { tag, worker } = state.flight ?? {};
  if (worker === 'accepted' && t.s.flight?.tag !== tag && mayFly(t.s) && !leads(t.s)) hello(t);
  return [t.s, t.effects];
}

function handle(t: Turn, event: Event): void {
  const { s } = t;
  switch (event.type) {
    case 'start':
      t.effects.push({ type: 'channel', open: true });
      return load(t);
    case 'tick':
      return;
    case 'lifecycle':
      return lifecycle(t, event.change);
    case 'message':
      return hear(t, event.message);
    case 'call':
      return call(t, event);
    case 'cancel':
      return cancel(t, event);
    case 'signing-in':
      s.signingIn += event.change;
      return;
    case 'session':
      return beginSession(t, event);
    case 'sign-out':
      return endSession(t, event);
    case 'close':
      return close(t);
    case 'lock':
      return event.resume(t, event.outcome);
    case 'unreachable':
      return event.resume(t);
    case 'stored':
      return stored(t, event);
    case 'answered':
      return answered(t, event);
  }
}

/** Conclusions from the present knowledge, after any event: answers, deadlines, the next thing to do. */
function conclude(t: Turn): void {
  const { s, now } = t;
  // A request that was given up ends in one more step.
  //
  //     A  signs out, not stored ─ closed: gone, its request given up ─▶ that ends: stores nothing, since it can tell nobody
  //     B                                                opens: reads the session, and goes on with it
  // guard: a tab that is gone writes nothing any more, since it can tell nobody
  if (s.disposed) return;
  const due = (time = Infinity): boolean => time <= now.mono;
  if (due(s.pause?.until)) s.pause = undefined;
  // guard: a delegation ends with its time
  if (due(s.delegated)) s.delegated = undefined;
  if (due(s.helloUntil)) s.loaded = true;
  if (s.loaded) s.helloUntil = undefined;
  announceEnd(t);
  planElection(t);
  settleCallers(t);
  // guard: a closed tab takes any answer as long as it waits for one
  for (const attempt of s.attempts) if (due(attempt.until)) releaseAttemptLock(t, attempt);
  const { until, expire } = s.flight ?? {};
  if (due(until)) {
    s.flight = { ...s.flight!, until: Infinity, expire: undefined };
    expire?.(t);
  }
  if (s.flight && needless(t)) finish(t);
  if (!s.flight && mayFly(s)) {
    const needs = wanted(t);
    if (needs && s.options.worker) askWorker(t);
    else if (needs || electionDue(t)) begin(t, proceed);
  }
  if (due(s.saveAt)) save(t);
  if (due(s.askAt)) reread(t);
  // A closed coordinator waits no longer for an answer than its lock was to be held, even if that is gone; but all of them count
  // as long as it waits for one.
  //
  //     A  attempt 1 ───────── 2T ─ attempt 2 ─ closed ─▶ pair: commit
  if (s.closed && s.attempts.every(({ sent }) => due(limitOf(s, sent)))) {
    s.disposed = true;
    s.attempts = [];
    t.effects.push({ type: 'dispose' });
  }
}

/** Whatever this flight was for has come about, or its session has gone. */
function needless(t: Turn): boolean {
  const { s } = t;
  const { phase, lockTag, seen } = s.flight!;
  if (['waking', 'queued', 'probing', 'asking'].includes(phase)) {
    // (The attempt lock of a version that is over is waited for no longer.)
    //
    //     A  attempt lock ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
    //     B                   waits for it ░░░░░░░░░░ hears the pair, but wants another audience: starts again
    //     C                     claims, steals ─ pair
    //
    // (Nor an attempt that has failed. Where a grant is no proof, nothing else would end the wait.)
    //
    //     A  journal ✓, but its lease is over: not sent ─ granted again, waits for its own journal ─ notes the failure: starts again
    // guard: the attempt lock of a version that is over is waited for no longer
    const isDue = wanted(t) && !(phase === 'probing' && awaited(s.record!) !== seen);
    return !isDue && !electionDue(t);
  }
  const sent = s.attempts.find((attempt) => attempt.tag === lockTag);
  return phase === 'sending' && (!isOpen(s.record) || s.record.sessionId !== sent?.sessionId);
}

/** When `step` wants to be called next, on the monotonic clock, if nothing else happens. One timer per tab. */
export function nextWake(s: State, now: Now): number {
  const { pause, flight } = s;
  let wake = Infinity;
  const at = (time = Infinity): void => {
    wake = Math.min(wake, time);
  };
  at(s.saveAt);
  at(s.helloUntil);
  at(s.askAt);
  at(flight?.until);
  at(pause?.until);
  if (mayFly(s) && s.options.candidate) at(now.mono + endDue(s.record!, now.wall));
  for (const { until } of s.callers) at(until);
  for (const { until } of s.attempts) at(until);
  if (mayFly(s) && !flight) {
    at(s.elect?.at);
    at(s.delegated ?? pause?.until ?? now.mono + proactiveDue(s, now));
  }
  return wake;
}

function lifecycle(t: Turn, change: LifecycleChange): void {
  const { s } = t;
  // A cached page holds no lock. (Also of a closed tab the answer may still come, and counts.)
  // guard: a page that leaves lets its attempt locks go
  // guard: attempt lock: taken again also by a page whose coordinator was closed
  // guard: attempt lock: taken again by a page that returns before its answer
  if (change === 'leave') s.attempts.forEach((attempt) => releaseAttemptLock(t, attempt));
  else if (change === 'return') s.attempts.forEach((attempt) => retakeAttemptLock(t, attempt));
  if (s.closed) return;
  if (change === 'leave' || change === 'freeze') {
    // No place in a queue is kept: a frozen waiter would be granted the lock and starve everyone.
    // guard: withdraw on freeze: no place in a queue is kept
    finish(t);
    if (s.active) resign(t);
    s.active = false;
    if (change === 'leave') t.effects.push({ type: 'channel', open: false });
    return;
  }
  if (change === 'hidden') {
    s.visible = false;
    return;
  }
  if (change === 'return') {
    s.active = true;
    t.effects.push({ type: 'channel', open: true });
  }
  if (change === 'visible') s.visible = true;
  // A wake-up: messages may have been missed, and what waiting did not heal may be healed.
  if (change === 'online' || s.pause?.until === Infinity) endPause(t);
  s.wokeAt = t.now.wall;
  if (!s.active) return;
  load(t, true);
  if (change === 'return' || change === 'visible') hello(t);
}

function close(t: Turn): void {
  const { s } = t;
  for (const { id } of s.callers) t.effects.push({ type: 'settle', id, error: fault('ERR_CLOSED') });
  s.callers = [];
  finish(t);
  resign(t);
  // Nobody else may have it.
  if (s.saveAt !== undefined) save(t);
  s.closed = true;
  s.saveAt = s.askAt = s.helloUntil = s.pause = undefined;
}
