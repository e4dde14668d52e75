import { adopt, emit, store } from './knowledge.js';
import type { Attempt, Event, Flight, State, Turn } from './state.js';
import { fingerprint } from './record.js';

/** How long a lock holder may wait for another attempt's answer after a refusal; milliseconds. */
export function reconcileMs(s: State): number {
  return Math.min(s.options.refreshTimeoutMs, 5_000);
}

/** A number that names one lock, attempt or flight of this participant. */
export function nextTag(t: Turn): number {
  return t.s.nextTag++;
}

/** Changes the flight in progress. */
export function hold(t: Turn, change: Partial<Flight>): void {
  t.s.flight = { ...t.s.flight!, until: Infinity, ...change };
}

/** The time a queued participant gives the holder before it takes over, from the last sign of life. */
function patience(t: Turn): number {
  return t.now.mono + t.s.options.refreshTimeoutMs + reconcileMs(t.s);
}

/** Queues for the refresh lock, and reads the store meanwhile: a broadcast may have been missed. */
export function begin(t: Turn, refreshing: boolean): void {
  const { s } = t;
  const tag = nextTag(t);
  const { locks } = s.options;
  s.flight = {
    tag,
    phase: 'queued',
    held: !locks,
    until: patience(t),
    seen: fingerprint(s.record!),
    number: 0,
    asked: false,
    others: [],
  };
  if (locks) t.effects.push({ type: 'lock', tag, name: 'refresh', mode: 'wait' });
  if (refreshing && s.storage === 'indexeddb') store(t, { kind: 'load' });
}

/** Lets the refresh lock go, or the place in its queue, and an attempt lock that nothing was sent under. */
export function finish(t: Turn): void {
  const { flight } = t.s;
  if (!flight) return;
  // It was answered; whoever refreshes next will hear the same.
  const refused = flight.phase === 'checking' && t.s.attempts.find(({ tag }) => tag === flight.attempt);
  if (refused) endAttempt(t, refused);
  dropAttemptLock(t);
  if (t.s.options.locks) {
    if (flight.checking !== undefined) t.effects.push({ type: 'unlock', tag: flight.checking });
    t.effects.push({ type: 'unlock', tag: flight.tag });
  }
  t.s.flight = undefined;
}

/** Releases the attempt lock that this flight holds or waits for, unless a request travels under it. */
export function dropAttemptLock(t: Turn): void {
  const tag = t.s.flight?.attempt;
  if (tag === undefined) return;
  if (t.s.options.locks && !t.s.attempts.some((attempt) => attempt.tag === tag)) {
    t.effects.push({ type: 'unlock', tag });
  }
}

/** An attempt is over: its lock goes. */
export function endAttempt(t: Turn, { tag }: Attempt): void {
  releaseAttemptLock(t, tag);
  t.s.attempts = t.s.attempts.filter((attempt) => attempt.tag !== tag);
}

/** The lock of an attempt goes while its answer may still come; whatever it brings counts. */
export function releaseAttemptLock(t: Turn, tag: number): void {
  const { s } = t;
  const attempt = s.attempts.find((one) => one.tag === tag);
  if (!attempt || attempt.until === Infinity) return;
  if (s.options.locks) t.effects.push({ type: 'unlock', tag });
  s.attempts = s.attempts.map((one) => (one.tag === tag ? { ...one, until: Infinity } : one));
}

/** While queued: as long as anything moves, somebody lives and works. */
export function watchQueue(t: Turn): void {
  const { flight, record } = t.s;
  if (flight?.phase !== 'queued' || !record) return;
  const seen = fingerprint(record);
  if (seen !== flight.seen) hold(t, { seen, until: patience(t) });
}

/**
 * Nothing moved for a refresh's whole time: claim before steal. One compare-and-set from exactly the state that
 * stood still; only its winner steals, so one silent tab causes one steal.
 *
 *     A (holder)  ██ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ AbortError on waking: steps down
 *     B (waiter)     T + R of silence ─▶ claim term+1 ✓ ─▶ steal ─▶ refresh
 *     C (waiter)     T + R of silence ─▶ claim ✗ (term moved) ─▶ counts again, hears B's pair
 */
export function claim(t: Turn): void {
  const { s } = t;
  const flight = s.flight!;
  hold(t, { phase: 'claiming' });
  store(t, { kind: 'claim', flight: flight.tag }, (base) =>
    base && fingerprint(base) === flight.seen ? { ...base, term: base.term + 1, leader: s.me } : undefined,
  );
}

export function claimed(t: Turn, event: Extract<Event, { type: 'stored' | 'store-failed' }>): void {
  const { s } = t;
  const won = event.type === 'stored' && event.won;
  if (event.type === 'stored') adopt(t, event.record);
  if (!won) return requeue(t);
  const tag = s.flight!.tag;
  // Memory mode has no common record to compare with: a lock that nobody waits for arbitrates.
  if (s.storage === 'memory') {
    const attempt = nextTag(t);
    hold(t, { attempt });
    t.effects.push({ type: 'lock', tag: attempt, name: 'takeover', mode: 'try' });
    return;
  }
  steal(t, tag);
}

export function steal(t: Turn, queued: number): void {
  const tag = nextTag(t);
  emit(t, 'takeover');
  hold(t, { phase: 'stealing', tag });
  t.effects.push({ type: 'unlock', tag: queued }, { type: 'lock', tag, name: 'refresh', mode: 'steal' });
}

/** Back to counting: somebody else acted. */
export function requeue(t: Turn): void {
  hold(t, { phase: 'queued', seen: fingerprint(t.s.record!), until: patience(t) });
}
