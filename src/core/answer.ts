import { commit } from './commit.js';
import { backoff } from './expiry.js';
import { endAttempt, finish, hold } from './flight.js';
import { access, adopt, emit, post } from './knowledge.js';
import { reconcile } from './reconcile.js';
import type { Failure, Journal } from './record.js';
import { isJournalOf, next } from './record.js';
import type { Attempt, Change, Continuation, Event, Outcome, StoreResult, Turn } from './state.js';

/** So many version conflicts in a row are a fault of configuration, not a race. */
const MAX_CONFLICTS = 3;

/** An answer, in time or late; the attempt that asked for it may have lost its lock, its tab's flight, or its race. */
export function answered(t: Turn, { tag, outcome }: Extract<Event, { type: 'answered' }>): void {
  const { s, now } = t;
  const attempt = s.attempts.find((one) => one.tag === tag);
  if (!attempt) return;
  const flying = s.flight?.attempt === tag && s.flight.phase === 'sending';
  if (outcome.kind === 'tokens') {
    if (flying) hold(t, 'committing');
    return commit(t, attempt, outcome);
  }
  if (outcome.kind === 'lost' || outcome.kind === 'conflict') {
    const { version, attempt: number, sent } = attempt;
    const reason = outcome.kind === 'lost' ? 'invalid_grant' : 'version_conflict';
    emit(t, 'conflict', { version, attempt: number, reason, durationMs: now.mono - sent.mono });
    // For monitors: one that does no harm has no other message, and its participant may be stopped before its next one.
    post(t, { type: 'conflict' });
  }
  if (outcome.kind === 'lost') return flying ? reconcile(t, attempt) : endAttempt(t, attempt);
  // The tokens of somebody else. (A server that does not rotate may have sent our own again.)
  if (outcome.kind === 'foreign' && outcome.refreshToken && outcome.refreshToken !== attempt.refreshToken)
    t.effects.push({ type: 'revoke', token: outcome.refreshToken });
  const failure = failureFor(t, attempt, outcome);
  if (flying) return fail(t, attempt, failure, false);
  // A late refusal changes nothing: the journal stays in doubt, and the next attempt hears the refusal again. Only an attempt that spent
  // nothing is noted, or the next one would take it for a request whose answer was lost.
  if (!failure.unspent) return endAttempt(t, attempt);
  noteUnspent(t, attempt, (turn) => endAttempt(turn, attempt));
}

/** Notes in its journal that an attempt spent nothing: it was not sent, or the server says so. */
export function noteUnspent(t: Turn, journal: Journal, then?: Continuation<StoreResult>): void {
  access(t, withFailure(journal, { at: t.now.wall, retryInMs: 0, unspent: true }), then);
}

/** The meaning of the server's answer; the table of the public contract. */
function failureFor(
  { now }: Turn,
  { failures, conflicts = 0 }: Journal,
  outcome: Exclude<Outcome, { kind: 'tokens' | 'lost' }>,
): Failure {
  const failure = { at: now.wall, retryInMs: backoff(failures, now.random), unspent: false };
  switch (outcome.kind) {
    case 'fault':
      return { ...failure, unspent: true, fault: outcome };
    case 'foreign':
      return { ...failure, fault: outcome.refused };
    case 'rejected':
      return { ...failure, error: outcome.error, errorDescription: outcome.errorDescription };
    case 'conflict':
      return {
        ...failure,
        unspent: true,
        conflict: true,
        error: conflicts < MAX_CONFLICTS ? undefined : 'version_conflict',
      };
    case 'unavailable': {
      const { unspent, retryAfterMs } = outcome;
      // In doubt: servers that forgive a replay do so for seconds, so the first repetition does not wait.
      const retryInMs = retryAfterMs ?? (failures === 0 && !unspent ? 0 : failure.retryInMs);
      return { ...failure, unspent, retryInMs };
    }
  }
}

/** The deadline passed: callers and lock are let go. The request is not aborted, and a late answer still counts. */
export function overdue(t: Turn): void {
  const { s, now } = t;
  const attempt = s.attempts.find(({ tag }) => tag === s.flight!.attempt)!;
  fail(t, attempt, { at: now.wall, retryInMs: s.options.refreshTimeoutMs, unspent: false }, true);
}

/** Writes into its journal how an attempt failed. The journal stays: within a version none is ever forgotten. */
function withFailure(attempt: Journal, failure: Failure): Change {
  return (base) => {
    const journal = base?.journal;
    if (!journal || !isJournalOf(base, attempt)) return undefined;
    const conflicts = failure.conflict ? next(journal.conflicts ?? 0) : 0;
    const failures = next(journal.failures);
    return { ...base, term: next(base.term), journal: { ...journal, failures, conflicts, failure } };
  };
}

/** Writes the failure down, so that all tabs wait as one; then lets the lock go. */
function fail(t: Turn, attempt: Attempt, failure: Failure, travelling: boolean): void {
  const { tag, sent } = attempt;
  const change = withFailure(attempt, failure);
  hold(t, 'failing');
  access(t, change, (turn, { won, failed }) => {
    const { s, now } = turn;
    const noted = failed ? change(s.record) : undefined;
    if (noted) adopt(turn, noted);
    if (won || noted) {
      post(turn, { type: 'refresh-failed' });
      const details = { attempt: attempt.attempt, durationMs: now.mono - sent.mono };
      emit(turn, 'refresh-failed', { ...details, reason: failure.error ?? 'unavailable' });
      if (!failure.unspent) emit(turn, 'in-doubt', details);
    }
    if (s.flight?.attempt === tag && s.flight.phase === 'failing') finish(turn);
    if (!travelling) endAttempt(turn, attempt);
  });
}
