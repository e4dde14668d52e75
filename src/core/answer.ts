import { LEASES } from '#leases';
import { commit, tell } from './commit.js';
import { backoff } from './expiry.js';
import { endAttempt } from './attempt-lock.js';
import { finish, hold } from './flight.js';
import { access, adopt, emit, post, successorOnLoss } from './knowledge.js';
import { APART_MS, MOST_WORDLESS, restMs } from './limits.js';
import { reconcile } from './reconcile.js';
import type { Failure, Journal, Refusals, SessionRecord } from './record.js';
import { isJournalOf, next } from './record.js';
import { withPair } from './pair.js';
import type { Attempt, Change, Continuation, Event, Turn } from './state.js';
import type { Outcome, StoreResult } from './outcome.js';

/** So many version conflicts in a row are a fault of configuration, not a race. */
const MAX_CONFLICTS = 3;

/** An answer, in time or late; the attempt that asked for it may have lost its lock, its tab's flight, or its race. */
export function answered(t: Turn, { tag, outcome }: Extract<Event, { type: 'answered' }>): void {
  const { s, now } = t;
  const attempt = s.attempts.find((one) => one.tag === tag);
  if (!attempt) return;
  const flying = s.flight?.lockTag === tag && s.flight.phase === 'sending';
  if (outcome.kind === 'tokens') {
    if (flying) hold(t, 'committing');
    return commit(t, attempt, outcome);
  }
  // A server that wants the user has found no other copy of the token.
  // guard: only a refusal of the token itself is a conflict
  const isRefused = outcome.kind === 'lost' && !outcome.reason;
  if (isRefused || outcome.kind === 'conflict') {
    const { version, attempt: number, sent } = attempt;
    const reason = isRefused ? 'invalid_grant' : 'version_conflict';
    emit(t, 'conflict', {
      version,
      attempt: number,
      reason,
      durationMs: now.mono - sent.mono,
      ...outcome.why,
    });
    // For monitors: one that does no harm has no other message, and its participant may be stopped before its next one.
    post(t, { type: 'conflict' });
  }
  if (outcome.kind === 'lost') return flying ? reconcile(t, attempt, outcome) : endAttempt(t, attempt);
  // The tokens of somebody else. (A server that does not rotate may have sent our own again.)
  if (outcome.kind === 'foreign' && outcome.refreshToken && outcome.refreshToken !== attempt.refreshToken)
    t.effects.push({ type: 'revoke', token: outcome.refreshToken });
  const failure = failureFor(t, attempt, outcome);
  if (flying) return fail(t, attempt, failure, false);
  // A late refusal changes nothing: the journal stays in doubt, and the next attempt hears the refusal again. Only an attempt that spent
  // nothing is noted, or the next one would take it for a request whose answer was lost.
  if (!failure.unspent) return endAttempt(t, attempt);
  noteUnspent(t, attempt, (t) => endAttempt(t, attempt));
}

/** Notes in its journal that an attempt spent nothing: it was not sent, or the server says so. */
export function noteUnspent(t: Turn, journal: Journal, resume?: Continuation<StoreResult>): void {
  const change = withFailure(journal, { at: t.now.wall, retryInMs: 0, unspent: true });
  access(t, change, LEASES && t.s.options.leases ? telling(resume) : resume);
}

/**
 * Among processes no lock tells the others, which wait:
 *
 *     A  journal ✓, but its lease is over: not sent ─ notes the failure ─ says so
 *     B                            granted ─ waits T + R for A's journal  ╰▶ reads of it, starts again
 */
function telling(resume?: Continuation<StoreResult>): Continuation<StoreResult> {
  return (t, result) => {
    // guard: processes: a journal whose request was not sent holds nobody up
    if (result.won) post(t, { type: 'refresh-failed' });
    resume?.(t, result);
  };
}

/** The meaning of the server's answer; the table of the public contract. */
function failureFor(
  { now }: Turn,
  { failures, conflicts = 0 }: Journal,
  outcome: Exclude<Outcome, { kind: 'tokens' | 'lost' }>,
): Failure {
  const wait = backoff(failures, now.random);
  const plain = { at: now.wall, retryInMs: wait, unspent: false };
  if (outcome.kind === 'foreign') return { ...plain, fault: outcome.refused };
  const failure = { ...plain, ...outcome.why };
  switch (outcome.kind) {
    case 'fault':
      return { ...failure, unspent: outcome.unspent, fault: outcome.fault };
    case 'rejected':
      return { ...failure, refused: true };
    case 'conflict': {
      const conflict = { ...failure, unspent: true, conflict: true };
      return conflicts < MAX_CONFLICTS ? conflict : { ...conflict, refused: true, error: 'version_conflict' };
    }
    case 'unavailable': {
      const { unspent, isWordless, retryAfterMs } = outcome;
      // In doubt: servers that forgive a replay do so for seconds, so the first repetition does not wait.
      const retryInMs = retryAfterMs ?? (failures === 0 && !unspent && !isWordless ? 0 : wait);
      return { ...failure, unspent, isWordless, retryInMs };
    }
  }
}

/** The deadline passed: callers and lock are let go. The request is not aborted, and a late answer still counts. */
export function overdue(t: Turn): void {
  const { s, now } = t;
  const attempt = s.attempts.find(({ tag }) => tag === s.flight!.lockTag)!;
  fail(t, attempt, { at: now.wall, retryInMs: s.options.refreshTimeoutMs, unspent: false }, true);
}

/** Writes into its journal how an attempt failed. The journal stays: within a version none is ever forgotten. */
function withFailure(attempt: Journal, failure: Failure, leader?: string): Change {
  return (base) => {
    const known = base?.journal;
    if (!known || !isJournalOf(base, attempt)) return undefined;
    // An attempt fails once. Only that it spent nothing may be added.
    //
    //     A  deadline: notes the failure (store hangs) ░░░░░░░░░░░░░░░ ✓ would have all wait for T
    //        answer: nothing was spent, notes it ✓
    //     B                                        queues ─ reads of it ─▶
    // (And the wait is the one that others have read already.)
    // guard: an attempt fails once: what is noted of it late changes nothing
    if (known.failure) {
      if (known.failure.unspent || !failure.unspent) return undefined;
      const unspent = { ...known, failure: { ...known.failure, unspent: true } };
      return { ...base, term: next(base.term), journal: unspent };
    }
    const refusals = counted(known.refusals, failure);
    const { count = 0, wordless = 0, denied = 0 } = refusals ?? {};
    const isFinal = failure.isWordless && wordless >= MOST_WORDLESS;
    const noted: SessionRecord = {
      ...base,
      term: next(base.term),
      journal: {
        ...known,
        failures: next(known.failures),
        conflicts: failure.conflict ? next(known.conflicts ?? 0) : 0,
        refusals,
        // guard: a failure pauses everybody
        failure: {
          ...failure,
          // A server that has said no is left in peace, whatever goes wrong after that.
          retryInMs: Math.max(failure.retryInMs, refusals ? APART_MS : 0, restMs(count)),
          refused: failure.refused || isFinal || undefined,
        },
      },
    };
    if (!isFinal || denied < MOST_WORDLESS || base.ended) return noted;
    const [spare, ...spares] = base.spares ?? [];
    if (spare) return { ...withPair(noted, spare), spares };
    const { status, cause } = failure;
    return {
      ...noted,
      leader,
      ended: { kind: 'reauth-required', reason: 'refresh_unanswered', status, cause },
    };
  };
}

/** One failure more. An attempt that the server did not look at says nothing. */
function counted(
  known: Refusals | undefined,
  { at, status, unspent, refused, isWordless }: Failure,
): Refusals | undefined {
  if ((unspent && !refused) || !(known || refused || isWordless)) return known;
  const before = known ?? { count: 0, wordless: 0, denied: 0, at: 0 };
  // (By a clock that was set back, too.)
  // guard: refusals: only those count that are far apart
  const isApart = !before.wordless || Math.abs(at - before.at) >= APART_MS;
  // One that follows too soon, or no refusal, adds nothing to its row; and what is none ends the row.
  const rowOf = (row: number, belongs: boolean): number => (belongs ? row + Number(isApart) : 0);
  return {
    count: before.count + Number(!!(refused || isWordless)),
    wordless: rowOf(before.wordless, !!isWordless),
    // The two with which servers refuse a grant (RFC 6749 §5.2). Another one may be about the address, or a firewall's: it must not
    // complete the three that end a session.
    // guard: refusals: an answer that is no word about the grant does not complete the three
    denied: rowOf(before.denied, !!isWordless && (status === 400 || status === 401)),
    at: isWordless && isApart ? at : before.at,
  };
}

/** Writes the failure down, so that all tabs wait as one; then lets the lock go. */
function fail(t: Turn, attempt: Attempt, failure: Failure, travelling: boolean): void {
  const { tag, sent } = attempt;
  const change = withFailure(attempt, failure, successorOnLoss(t.s));
  hold(t, 'failing');
  access(t, change, (t, { won, failed }) => {
    const { s, now } = t;
    const noted = failed ? change(s.record) : undefined;
    if (noted) adopt(t, noted);
    // (The store may have taken what it did not confirm.)
    const isKnown = isJournalOf(s.record, attempt) && s.record!.journal!.failure;
    if (won || noted || isKnown) {
      const { version, ended } = s.record!;
      if (version > attempt.version) tell(t, 'pair', s.record!, false);
      else post(t, { type: ended ? 'reauth-required' : 'refresh-failed' });
      const { status, error, errorDescription, cause, refused, fault } = failure;
      const details = { attempt: attempt.attempt, durationMs: now.mono - sent.mono };
      const why = { status, error, errorDescription, cause };
      emit(t, 'refresh-failed', { ...details, reason: (refused && error) || 'unavailable', ...why });
      if (!failure.unspent && !fault) emit(t, 'in-doubt', details);
    }
    if (s.flight?.lockTag === tag && s.flight.phase === 'failing') finish(t);
    if (!travelling) endAttempt(t, attempt);
  });
}
