import { call, settleCallers } from './calls.js';
import { commitFailed, committed } from './commit.js';
import { announceLoss, electionDue, elected, hello, planElection, resign } from './election.js';
import { TokenCoordinatorError } from './errors.js';
import type { Now } from './expiry.js';
import {
  begin,
  claim,
  claimed,
  dropAttemptLock,
  finish,
  hold,
  releaseAttemptLock,
  requeue,
  steal,
  watchQueue,
} from './flight.js';
import { adopt, emit, proactiveDue, store } from './knowledge.js';
import { hear } from './messages.js';
import type { LifecycleChange } from './ports.js';
import { checked, pauseForStorage, reconcileFailed, reconciled } from './reconcile.js';
import { isOpen, newer } from './record.js';
import {
  answered,
  attemptLocked,
  clear,
  failed,
  journaled,
  journalFailed,
  overdue,
  proceed,
  restored,
  wanted,
} from './refresh.js';
import { beginSession, buried, bury, buryFailed, endSession, sessionBegun } from './session.js';
import type { Effect, Event, State, Turn } from './state.js';

/** So many store operations failing in a row make the store unusable. */
const STORE_FAILURES = 3;
/** How long a tab without a store waits for the others at its start; milliseconds. */
const HELLO_MS = 300;

/**
 * One step of one participant: what it knows next, and what is to be done. Pure: time, chance and identifiers come in
 * with the event. Everything that is waited for comes back as another event, and is checked again before acting on it.
 */
export function step(state: State, event: Event, now: Now): [State, Effect[]] {
  const t: Turn = { s: { ...state, received: undefined }, now, effects: [] };
  handle(t, event);
  conclude(t);
  return [t.s, t.effects];
}

function handle(t: Turn, event: Event): void {
  const { s } = t;
  switch (event.type) {
    case 'start':
      t.effects.push({ type: 'channel', open: true });
      return store(t, { kind: 'load' });
    case 'tick':
      return;
    case 'lifecycle':
      return lifecycle(t, event.change);
    case 'message':
      return hear(t, event.message);
    case 'call':
      return call(t, event);
    case 'cancel':
      if (s.callers.some(({ id }) => id === event.id)) {
        s.callers = s.callers.filter(({ id }) => id !== event.id);
        t.effects.push({ type: 'settle', id: event.id, error: event.error });
      }
      return;
    case 'session':
      return beginSession(t, event.operation);
    case 'sign-out':
      return endSession(t, event);
    case 'close':
      return close(t);
    case 'lock':
      return lock(t, event);
    case 'stored':
      return stored(t, event);
    case 'store-failed':
      return storeFailed(t, event);
    case 'answered':
      return answered(t, event);
  }
}

/** What follows from what is known now, whatever happened: answers, deadlines, the next thing to do. */
function conclude(t: Turn): void {
  const { s, now } = t;
  if (s.pause && s.pause.until <= now.mono) s.pause = undefined;
  if (!s.loaded && s.helloUntil !== undefined && s.helloUntil <= now.mono) loaded(t);
  planElection(t);
  settleCallers(t);
  announceLoss(t);
  for (const attempt of s.attempts) {
    if (attempt.until > now.mono) continue;
    releaseAttemptLock(t, attempt.tag);
    if (s.closed) {
      t.effects.push({ type: 'abort', attempt: attempt.tag });
      s.attempts = s.attempts.filter(({ tag }) => tag !== attempt.tag);
    }
  }
  deadlines(t);
  watchQueue(t);
  if (s.flight && needless(t)) finish(t);
  if (mayBegin(t)) {
    begin(t, wanted(t) !== undefined);
    if (s.flight?.held) proceed(t);
  }
  if (s.saveAt !== undefined && s.saveAt <= now.mono) {
    s.saveAt = undefined;
    store(t, { kind: 'save' }, () => undefined);
  }
  if (s.closed && !s.disposed && s.attempts.length === 0) {
    s.disposed = true;
    t.effects.push({ type: 'dispose' });
  }
}

/** The lock is asked for on demand, and never to be kept. */
function mayBegin(t: Turn): boolean {
  const { s, now } = t;
  if (s.flight || !s.active || s.closed || !s.loaded || !isOpen(s.record)) return false;
  if (electionDue(t)) return true;
  return (s.delegatedUntil ?? 0) <= now.mono && wanted(t) !== undefined;
}

/** Whatever this flight was for has come about, or its session has gone. */
function needless(t: Turn): boolean {
  const { s } = t;
  const { phase, attempt: tag } = s.flight!;
  if (phase === 'queued' || phase === 'probing' || phase === 'asking') return !wanted(t) && !electionDue(t);
  const attempt = s.attempts.find((one) => one.tag === tag);
  return phase === 'sending' && (!isOpen(s.record) || s.record.sessionId !== attempt?.sessionId);
}

function deadlines(t: Turn): void {
  const { s, now } = t;
  if (!s.flight || s.flight.until > now.mono) return;
  switch (s.flight.phase) {
    case 'queued':
      return claim(t);
    case 'asking':
      return proceed(t);
    case 'probing':
      return clear(t);
    case 'sending':
      return overdue(t);
    case 'checking':
      return checked(t);
  }
}

/** When `step` wants to be called next, on the monotonic clock, if nothing else happens. One timer per tab. */
export function nextWake(s: State, now: Now): number {
  let wake = Infinity;
  const at = (time: number | undefined): void => {
    if (time !== undefined && time < wake) wake = time;
  };
  for (const { until } of s.callers) at(until);
  for (const { until } of s.attempts) at(until);
  at(s.helloUntil);
  at(s.saveAt);
  if (s.flight) at(s.flight.until);
  if (s.pause && s.pause.until !== Infinity) at(s.pause.until);
  else if (s.active && !s.closed && s.loaded && !s.flight && isOpen(s.record)) {
    at(now.mono + proactiveDue(s, now));
  }
  if (s.active && !s.flight) {
    at(s.elect?.at);
    at(s.delegatedUntil);
  }
  return wake;
}

function lifecycle(t: Turn, change: LifecycleChange): void {
  const { s } = t;
  if (s.closed) return;
  switch (change) {
    case 'hidden':
      s.visible = false;
      return;
    case 'leave':
    case 'freeze':
      if (!s.active) return;
      // No place in a queue is kept: a frozen waiter would be granted the lock and starve everyone.
      finish(t);
      resign(t);
      s.active = false;
      if (change === 'leave') {
        for (const { tag } of s.attempts) releaseAttemptLock(t, tag);
        t.effects.push({ type: 'channel', open: false });
      }
      return;
    case 'return':
      s.active = true;
      t.effects.push({ type: 'channel', open: true });
      break;
    case 'visible':
      s.visible = true;
      break;
    case 'online':
      s.pause = undefined;
      break;
  }
  // A wake-up: messages may have been missed, and what waiting did not heal may be healed.
  if (s.pause?.until === Infinity) s.pause = undefined;
  if (!s.active) return;
  store(t, { kind: 'load', real: true });
  if (change !== 'focus' && change !== 'online') hello(t);
}

function close(t: Turn): void {
  const { s } = t;
  if (s.closed) return;
  for (const { id } of s.callers) {
    const error = new TokenCoordinatorError('ERR_CLOSED', 'This coordinator was closed');
    t.effects.push({ type: 'settle', id, error });
  }
  s.callers = [];
  finish(t);
  resign(t);
  s.closed = true;
  s.saveAt = s.helloUntil = s.pause = undefined;
}

function lock(t: Turn, { tag, outcome }: Extract<Event, { type: 'lock' }>): void {
  const { s } = t;
  const { flight } = s;
  if (!flight) return;
  if (outcome === 'failed') {
    // Locks are refused altogether (no storage access, an opaque origin): the journal is the mutex.
    finish(t);
    if (s.active) s.options = { ...s.options, locks: false };
  } else if (tag === flight.tag) {
    // Stolen: whatever was sent goes on, and its answer counts; everything else starts again.
    if (outcome === 'lost') return finish(t);
    s.flight = { ...flight, phase: 'queued', held: true, until: Infinity };
    proceed(t);
  } else if (tag === flight.attempt) {
    const granted = outcome === 'granted';
    if (flight.phase === 'locking') attemptLocked(t, granted);
    else if (flight.phase === 'probing') clear(t);
    else if (flight.phase === 'claiming') {
      dropAttemptLock(t);
      hold(t, { attempt: undefined });
      if (granted) steal(t, flight.tag);
      else requeue(t);
    }
  } else if (tag === flight.checking) checked(t);
}

function loaded(t: Turn): void {
  t.s.loaded = true;
  t.s.helloUntil = undefined;
}

function stored(t: Turn, event: Extract<Event, { type: 'stored' }>): void {
  const { s, now } = t;
  const { operation, record } = event;
  const real = operation.kind === 'load' && operation.real === true;
  if (s.storage === 'indexeddb' || real) {
    s.storeFailures = 0;
    s.storeWorked = true;
    if (s.storage === 'memory') {
      s.storage = 'indexeddb';
      emit(t, 'storage-changed', { reason: 'indexeddb' });
    }
  }
  const { flight } = s;
  switch (operation.kind) {
    case 'load':
    case 'save':
      adopt(t, record);
      if (!s.loaded) {
        loaded(t);
        if (s.active) hello(t);
      }
      // Memory knows more than the store: a write was lost, or the store was.
      if (operation.kind === 'load' && newer(record, s.record) !== record) s.saveAt = now.mono;
      return;
    case 'claim':
      return flight?.tag === operation.flight ? claimed(t, event) : adopt(t, record);
    case 'elect':
      return flight?.tag === operation.flight ? elected(t, event) : adopt(t, record);
    case 'journal':
      return journaled(t, event);
    case 'restore':
      return restored(t, event);
    case 'reconcile':
      return reconciled(t, event);
    case 'commit':
      return committed(t, event);
    case 'fail':
      return failed(t, operation, record);
    case 'session':
      return sessionBegun(t, event);
    case 'sign-out':
      return buried(t, event);
  }
}

function storeFailed(t: Turn, { operation, unusable }: Extract<Event, { type: 'store-failed' }>): void {
  const { s, now } = t;
  const { kind } = operation;
  s.storeFailures++;
  if (s.storage === 'indexeddb' && (unusable || s.storeFailures >= STORE_FAILURES)) {
    s.storage = 'memory';
    emit(t, 'storage-changed', { reason: 'memory' });
  }
  const memory = s.storage === 'memory';
  const flying = 'flight' in operation && s.flight?.tag === operation.flight;
  switch (kind) {
    case 'load':
      if (s.loaded) return;
      if (!memory) return store(t, { kind: 'load' });
      s.helloUntil = now.mono + HELLO_MS;
      return hello(t);
    case 'save':
      s.saveAt = memory ? undefined : now.mono + 1000 * 2 ** s.storeFailures;
      return;
    case 'commit':
      return commitFailed(t, operation);
    case 'fail':
      return failed(t, operation);
    case 'session':
      return beginSession(t, operation);
    case 'sign-out':
      if (memory && s.storeWorked) return buryFailed(t, operation);
      return bury(t, operation);
    case 'claim':
      if (flying) requeue(t);
      return;
    case 'reconcile':
      return reconcileFailed(t, operation);
    case 'journal':
    case 'elect':
    case 'restore':
      if (kind === 'journal') journalFailed(t, operation);
      if (!flying) return;
      pauseForStorage(t);
      s.elect = undefined;
      return finish(t);
  }
}
