import { commit } from './commit.js';
import { TokenCoordinatorError } from './errors.js';
import { backoff } from './expiry.js';
import { elect, electionDue } from './election.js';
import { dropAttemptLock, endAttempt, finish, hold, nextTag } from './flight.js';
import {
  adopt,
  emit,
  failureOf,
  pause,
  pauseForFailure,
  post,
  proactiveDue,
  store,
  tokenOf,
} from './knowledge.js';
import { reconcile } from './reconcile.js';
import type { Audience, Journal, SessionRecord } from './record.js';
import { attemptLock, audienceKey, fingerprint, idempotencyKey, SCHEMA } from './record.js';
import type { Attempt, Event, Operation, Outcome, Turn } from './state.js';

type Stored = Extract<Event, { type: 'stored' }>;
type Journaling = Extract<Operation, { kind: 'journal' }>;
type Failure = NonNullable<Journal['failure']>;

/** How long a tab with a store has to say that it will refresh for one without; milliseconds. */
const ASK_MS = 300;
/** So many version conflicts in a row are a fault of configuration, not a race. */
const MAX_CONFLICTS = 3;

/** The token that is wanted now, if any: by a caller, by a tab without a store, or ahead of expiry. */
export function wanted(t: Turn): Audience | undefined {
  const { s } = t;
  const { record, request } = s;
  if (!s.loaded || !record || record.ended || s.pause) return undefined;
  if (s.callers.length > 0) return s.callers[0];
  if (
    request &&
    request.until > t.now.mono &&
    (tokenOf(s, audienceKey(request))?.version ?? 0) <= request.version
  ) {
    return request;
  }
  return proactiveDue(s, t.now) <= 0 ? {} : undefined;
}

/**
 * Under the lock: the next thing to do, by what is known. Every store operation compares before it writes and
 * brings back what the store holds, so knowledge that turns out old leads back here.
 */
export function proceed(t: Turn): void {
  const { s } = t;
  const flight = s.flight!;
  const audience = wanted(t);
  if (!audience) return electionDue(t) ? elect(t) : finish(t);
  const record = s.record!;
  if (record.schema > SCHEMA) {
    // An old bundle beside a new one: it may use what it can read, but not lead.
    const error = new TokenCoordinatorError(
      'ERR_UNSUPPORTED',
      'A newer version of this app keeps the session; reload the page to go on refreshing',
    );
    pause(t, failureOf(record, 0), s.options.refreshTimeoutMs, error);
    return finish(t);
  }
  if (s.storage === 'memory' && !flight.asked) return ask(t, record, audience);

  const key = idempotencyKey(record);
  const { journal } = record;
  const cleared = flight.cleared?.key === key ? flight.cleared.number : 0;
  if (journal && journal.attempt > cleared) return probe(t, record, journal.attempt, journal);
  const number = Math.max(journal?.attempt ?? 0, cleared) + 1;
  const attempt = nextTag(t);
  hold(t, { phase: 'locking', attempt, number });
  if (s.options.locks) {
    t.effects.push({ type: 'lock', tag: attempt, name: attemptLock(record, number), mode: 'try' });
  } else writeAhead(t);
}

/** Without a store: the other tabs may know better, or do it better. */
function ask(t: Turn, { sessionId, version, term }: SessionRecord, { resource, scope }: Audience): void {
  hold(t, { phase: 'asking', asked: true, until: t.now.mono + ASK_MS });
  post(t, { type: 'refresh-request', sessionId, version, term, resource, scope });
}

/**
 * A journal of this version: its attempt lock tells whether its sender lives and waits. A lock grant alone does not:
 *
 *     A  refresh lock ▇▇▇▇▇▇▇▇ (T) let go ─ request still travelling ──▶ answer: commit
 *        attempt lock ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
 *     B                      granted, reads A's journal, queues here ───── granted: finds A's pair
 *
 * Without locks the journal is a lease: it holds until seen unchanged for T of this tab's own time.
 */
function probe(t: Turn, record: SessionRecord, number: number, journal?: Journal): void {
  const { s, now } = t;
  const limit = s.options.refreshTimeoutMs * (s.options.locks ? 2 : 1);
  const elapsed = journal && s.options.locks ? Math.max(0, now.wall - journal.at) : 0;
  const wait = journal?.failure && !s.options.locks ? 0 : Math.max(0, limit - elapsed);
  const attempt = nextTag(t);
  hold(t, { phase: 'probing', attempt, number, until: now.mono + wait });
  if (s.options.locks) {
    t.effects.push({ type: 'lock', tag: attempt, name: attemptLock(record, number), mode: 'wait' });
  }
}

/** The attempt waited for is over, or overdue: the next one may go. */
export function clear(t: Turn): void {
  const { s } = t;
  const { number } = s.flight!;
  dropAttemptLock(t);
  const cleared = { key: idempotencyKey(s.record!), number };
  hold(t, { phase: 'queued', attempt: undefined, cleared });
  proceed(t);
}

/** The attempt lock is ours, or somebody's who has not journaled yet. */
export function attemptLocked(t: Turn, granted: boolean): void {
  if (granted) writeAhead(t);
  else probe(t, t.s.record!, t.s.flight!.number);
}

/** Commits the journal and the term, if the store still holds exactly what this decision was made on. */
function writeAhead(t: Turn): void {
  const { s, now } = t;
  const flight = s.flight!;
  const basis = fingerprint(s.record!);
  const previous = s.record!.journal;
  const asked = wanted(t)!;
  // In doubt: the server may be asked to replay its answer, which was for the audience of the first attempt.
  const doubtful = previous && !previous.failure?.unspent;
  const { resource, scope } = doubtful ? previous : asked;
  const term = s.record!.term + 1;
  const journal: Journal = {
    attempt: flight.number,
    by: s.me,
    term,
    at: now.wall,
    doubts: (previous?.doubts ?? 0) + (doubtful ? 1 : 0),
    failures: previous?.failures ?? 0,
    resource,
    scope,
  };
  hold(t, { phase: 'journaling', built: now });
  store(t, { kind: 'journal', flight: flight.tag, journal, previous }, (base) =>
    base && !base.ended && fingerprint(base) === basis
      ? { ...base, schema: SCHEMA, term, leader: s.me, journal }
      : undefined,
  );
}

/**
 * The journal is durable; now, in the same task, either send or take it back. A tab suspended between the two would
 * otherwise spend an old token on waking: fences stop writes, not sends.
 *
 *     A  journal ✓ ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ checks: too late, does not send
 *     B                  T + R ─▶ claims, steals, waits for A's lock, sends, commits version + 1
 */
export function journaled(t: Turn, event: Stored): void {
  const { s, now } = t;
  const { flight: tag, journal: mine, previous } = event.operation as Journaling;
  const flight = s.flight?.tag === tag ? s.flight : undefined;
  adopt(t, event.record);
  if (!event.won) {
    if (!flight) return;
    dropAttemptLock(t);
    hold(t, { attempt: undefined });
    return proceed(t);
  }
  const record = s.record!;
  const built = flight?.built;
  const elapsed = built ? Math.max(now.wall - built.wall, now.mono - built.mono) : Infinity;
  const unchanged =
    record.sessionId === event.record!.sessionId && record.version === event.record!.version && !record.ended;
  const current = record.journal?.by === s.me && record.journal.attempt === mine.attempt;
  if (
    !flight?.held ||
    !s.active ||
    s.closed ||
    elapsed > s.options.refreshTimeoutMs / 2 ||
    !unchanged ||
    !current
  ) {
    return restore(t, mine, previous, flight && tag);
  }
  const { resource, scope } = mine;
  const attempt: Attempt = {
    tag: flight.attempt!,
    key: audienceKey(mine),
    resource,
    scope,
    sessionId: record.sessionId,
    version: record.version,
    number: mine.attempt,
    term: mine.term,
    sent: now,
    until: now.mono + 2 * s.options.refreshTimeoutMs,
  };
  s.attempts = [...s.attempts, attempt];
  hold(t, { phase: 'sending', until: now.mono + s.options.refreshTimeoutMs });
  if (s.storage === 'memory') {
    const { sessionId, version, term } = record;
    post(t, { type: 'journal', sessionId, version, term, journal: mine });
  }
  t.effects.push({ type: 'send', attempt, refreshToken: record.refreshToken });
  emit(t, 'refresh-started', { attempt: attempt.number });
}

/** The write-ahead failed or timed out, so nothing is sent; it may have been written all the same. */
export function journalFailed(t: Turn, { journal, previous }: Journaling): void {
  restore(t, journal, previous, undefined);
}

/** Nothing was sent: the journal is taken back, if it is still ours. */
function restore(t: Turn, mine: Journal, previous: Journal | undefined, tag: number | undefined): void {
  if (tag !== undefined) hold(t, { phase: 'restoring' });
  store(t, { kind: 'restore', flight: tag ?? 0 }, (base) =>
    base?.journal?.by === mine.by && base.journal.term === mine.term
      ? { ...base, term: base.term + 1, journal: previous }
      : undefined,
  );
}

export function restored(t: Turn, event: Stored): void {
  adopt(t, event.record);
  if (t.s.flight?.tag !== (event.operation as { flight: number }).flight) return;
  dropAttemptLock(t);
  hold(t, { attempt: undefined });
  proceed(t);
}

/** An answer, in time or late; the attempt that asked for it may have lost its lock, its tab's flight, or its race. */
export function answered(t: Turn, event: Extract<Event, { type: 'answered' }>): void {
  const { s } = t;
  const attempt = s.attempts.find(({ tag }) => tag === event.attempt);
  if (!attempt) return;
  const { outcome } = event;
  const flying = s.flight?.attempt === attempt.tag && s.flight.phase === 'sending';
  if (outcome.kind === 'tokens') {
    if (flying) hold(t, { phase: 'committing' });
    return commit(t, attempt, outcome.tokens, event.life, false);
  }
  if (outcome.kind === 'lost' || outcome.kind === 'conflict') {
    emit(t, 'conflict', {
      attempt: attempt.number,
      version: attempt.version,
      reason: outcome.kind === 'lost' ? 'invalid_grant' : 'version_conflict',
      durationMs: t.now.mono - attempt.sent.mono,
    });
  }
  // A late refusal changes nothing: the journal is in doubt, and whoever asks next will hear it again.
  if (!flying) return endAttempt(t, attempt);
  if (outcome.kind === 'lost') return reconcile(t, attempt);
  fail(t, attempt, failureFor(t, outcome));
}

/** What the server's answer means; the table of the public contract. */
function failureFor(t: Turn, outcome: Exclude<Outcome, { kind: 'tokens' | 'lost' }>): Failure {
  const { wall: at, random } = t.now;
  const failures = t.s.record?.journal?.failures ?? 0;
  if (outcome.kind === 'rejected') {
    const { error, errorDescription } = outcome;
    return { at, retryInMs: 0, unspent: false, error, errorDescription };
  }
  if (outcome.kind === 'conflict') {
    const error = failures >= MAX_CONFLICTS ? 'version_conflict' : undefined;
    return { at, retryInMs: backoff(failures, random), unspent: true, error };
  }
  const { retryAfterMs, unspent } = outcome;
  // In doubt: servers that forgive a replay do so for seconds, so the first repetition does not wait.
  const first = failures === 0 && !unspent;
  return { at, retryInMs: retryAfterMs ?? (first ? 0 : backoff(failures, random)), unspent };
}

/** The deadline passed: callers and lock are let go. The request is not aborted, and a late answer still counts. */
export function overdue(t: Turn): void {
  const { s, now } = t;
  const attempt = s.attempts.find(({ tag }) => tag === s.flight!.attempt)!;
  fail(t, attempt, { at: now.wall, retryInMs: s.options.refreshTimeoutMs, unspent: false }, true);
}

function fail(t: Turn, attempt: Attempt, failure: Failure, travelling = false): void {
  hold(t, { phase: 'failing' });
  store(t, { kind: 'fail', attempt, failure, travelling }, (base) =>
    base?.journal && base.sessionId === attempt.sessionId && base.journal.term === attempt.term
      ? { ...base, journal: { ...base.journal, failures: base.journal.failures + 1, failure } }
      : undefined,
  );
}

/** The failure is written down, or could not be: all tabs wait as one. */
export function failed(
  t: Turn,
  operation: Extract<Operation, { kind: 'fail' }>,
  record?: SessionRecord,
): void {
  const { s, now } = t;
  const { attempt, failure, travelling } = operation;
  adopt(t, record);
  const { sessionId, version, number, term } = attempt;
  const of = failureOf(attempt, number);
  const current = s.record?.sessionId === sessionId && s.record.version === version && !s.record.ended;
  if (current && s.pausedFor !== of) pauseForFailure(t, of, failure.retryInMs, failure);
  if (s.flight?.attempt === attempt.tag && s.flight.phase === 'failing') finish(t);
  if (!travelling) endAttempt(t, attempt);
  if (!current) return;
  const { retryInMs, error, errorDescription } = failure;
  post(t, {
    type: 'refresh-failed',
    sessionId,
    version,
    term,
    attempt: number,
    retryInMs,
    error,
    errorDescription,
  });
  const details = { attempt: number, durationMs: now.mono - attempt.sent.mono };
  emit(t, 'refresh-failed', { ...details, reason: error ?? 'unavailable' });
  if (!failure.unspent) emit(t, 'in-doubt', details);
}
