import { overdue, withFailure } from './answer.js';
import { elect, electionDue } from './election.js';
import type { Now } from './expiry.js';
import { awaitAttempt, finish, giveUp, hold, limitOf } from './flight.js';
import { access, emit, inTime, pause, post, proactiveDue, successor, tokenOf } from './knowledge.js';
import type { Audience, Journal } from './record.js';
import { audienceKey, fingerprint, SCHEMA } from './record.js';
import type { Attempt, Continuation, State, Turn } from './state.js';

/** How long a tab with a store has to say that it will refresh for one without; milliseconds. */
const ASK_MS = 300;

/**
 * The token that is wanted now, if any: by a caller, by a tab without a store, or ahead of expiry. Not of this tab, while another
 * one does it; then its flights are elections alone:
 *
 *     A (no store)  wants ─ asks ─▶ told that B will ─ its election is due: elected, and waits for B
 *     B                          accepts, and waits for the lease of a journal
 */
export function wanted({ s, now }: Turn): Audience | undefined {
  const { record, request } = s;
  if (!s.loaded || !record || record.ended || s.pause || s.delegated) return undefined;
  if (s.callers.length > 0) return s.callers[0];
  const asked =
    request &&
    request.until > now.mono &&
    (tokenOf(s, audienceKey(request))?.version ?? 0) <= request.version;
  if (asked) return request;
  return proactiveDue(s, now) <= 0 ? {} : undefined;
}

/**
 * Under the lock: the next thing to do, by what is known. Every store operation compares before it writes and
 * brings back what the store holds, so knowledge that turns out old leads back here.
 */
export function proceed(t: Turn): void {
  const { s, now } = t;
  const { worker } = s.flight!;
  // What came to be wanted during an election is asked of the worker first.
  const audience = s.options.worker && !worker ? undefined : wanted(t);
  if (!audience) return electionDue(t) ? elect(t) : finish(t);
  const record = s.record!;
  if (record.schema > SCHEMA) {
    // An old bundle beside a new one: it may use what it can read, but not lead.
    pause(t, 'schema', s.options.refreshTimeoutMs, 'ERR_UNSUPPORTED');
    return finish(t);
  }
  const { refreshTimeoutMs, locks, candidate } = s.options;
  // Only now does a refresh worker say that it will, to everybody who asks: who hears that queues, and is to come behind.
  // (A worker that has just been started waits longer for its first place in the queue than a page for its own.)
  //
  //     worker  asks for the lock ─────────── granted ─ accepted ─ journal ─ request ─ …
  //     page                                              └─▶ queued ░░░░░░░░░░░░░░░░░
  if (!candidate) post(t, { type: 'refresh-accepted' });
  const { journal } = record;
  // By this tab's own monotonic clock: a wall clock that jumped would declare a request overdue that has just been sent.
  // Who has the attempt lock without a journal that is known here is waited for T, and no longer than others wait for this tab:
  //
  //     A  refresh lock, attempt lock ─ stands still, before its journal
  //     B  T + R of silence: steals, waits T for A's attempt lock ─ journal ─ request …
  //     C                            T + R of silence would be: steals from B, and so on
  //
  //     A  knows attempt 3 ─ (wiped) ─ attempt 4 ─ sends ─ frozen ░░░░░░░░░░░░░░░░
  //     B  knows attempt 4 of another, failed long ago ── waits T for A's lock ─ attempt 5
  const waited = journal && !journal.failure ? now.mono - s.journalSeen : refreshTimeoutMs;
  const basis = fingerprint(record);
  const next: Continuation = (turn) => {
    const audience = wanted(turn);
    // The last holder's broadcast may come after its locks, and what was waited for may have failed.
    if (!audience || fingerprint(turn.s.record!) !== basis) return finish(turn);
    if (turn.s.storage !== 'memory' || turn.s.flight!.phase === 'asking') return writeAhead(turn, audience);
    // The other tabs may know better, or do it better.
    const { resource, scope } = audience;
    hold(turn, 'asking', { until: turn.now.mono + ASK_MS, expire: next });
    post(turn, { type: 'refresh-request', resource, scope, memory: true });
  };
  // Without locks the journal is a lease: it holds until seen unchanged for T of this tab's own time.
  awaitAttempt(t, 'probing', (locks ? 2 : 1) * refreshTimeoutMs - waited, next);
}

/** Commits the journal and the term, if the store still holds exactly what this decision was made on. */
function writeAhead(t: Turn, audience: Audience): void {
  const { s, now } = t;
  const record = s.record!;
  const previous = record.journal;
  const term = record.term + 1;
  const basis = fingerprint(record);
  // In doubt, by this failure or an earlier one: the server may be asked to replay its answer, which was for the audience
  // of that attempt. Not so once it has said that it never grants that one (RFC 6749 §5.2, RFC 8707 §2): that would be asked for
  // until the next sign-in, instead of what others need. An attempt that was refused in words had its answer.
  const { failure } = previous ?? {};
  const doubts = (previous?.doubts ?? 0) + Number(!!previous && !failure?.unspent && !failure?.error);
  const isNever = failure?.error === 'invalid_scope' || failure?.error === 'invalid_target';
  const { resource, scope } = doubts > 0 && !isNever ? previous! : audience;
  const journal: Journal = {
    attempt: (previous?.attempt ?? 0) + 1,
    by: s.me,
    term,
    at: now.wall,
    doubts,
    failures: previous?.failures ?? 0,
    resource,
    scope,
  };
  const { tag } = s.flight!;
  hold(t, 'journaling');
  access(
    t,
    (base) =>
      base && !base.ended && fingerprint(base) === basis
        ? { ...base, schema: SCHEMA, term, leader: successor(s, base), journal }
        : undefined,
    (turn, { won, failed }) => {
      const flying = turn.s.flight?.tag === tag;
      if (won && flying && maySend(turn, journal, now)) return send(turn, journal);
      // Not sent, so nothing was spent; after a failure it may have been written all the same.
      const unsent = { at: turn.now.wall, retryInMs: 0, unspent: true };
      if (won || failed) access(turn, withFailure(journal, unsent));
      // Then everything starts again, by what is known now.
      if (flying) (failed ? giveUp : finish)(turn);
    },
  );
}

/**
 * Checked again in the same task as the `fetch`. A tab suspended between journal and send would otherwise spend an old
 * token on waking: fences stop writes, not sends.
 *
 *     A  journal ✓ ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ too late: does not send
 *     B                  T + R ─▶ claims, steals, waits for A's lock, sends, commits version + 1
 */
function maySend({ s, now }: Turn, mine: Journal, built: Now): boolean {
  const { journal, ended } = s.record!;
  // A newer version, another session or a sign-out would have taken the journal out of memory.
  // (A page that froze, left or closed has given up its flight.)
  return journal?.by === mine.by && journal.term === mine.term && !ended && inTime(s, built, now);
}

/** The same for a client that has had to prepare its request first: keys, proofs, discovery. */
export function maySendStill(s: State, { sessionId, version, sent }: Attempt, now: Now): boolean {
  const { record } = s;
  return (
    record?.sessionId === sessionId && record.version === version && !record.ended && inTime(s, sent, now)
  );
}

function send(t: Turn, journal: Journal): void {
  const { s, now } = t;
  const { sessionId, version, refreshToken } = s.record!;
  const tag = s.flight!.attempt ?? s.nextTag++;
  const attempt: Attempt = {
    ...journal,
    tag,
    sessionId,
    version,
    refreshToken,
    sent: now,
    until: limitOf(s, now),
  };
  s.attempts = [...s.attempts, attempt];
  hold(t, 'sending', { attempt: tag, until: now.mono + s.options.refreshTimeoutMs, expire: overdue });
  if (s.storage === 'memory') post(t, { type: 'journal' });
  t.effects.push({ type: 'send', attempt });
  emit(t, 'refresh-started', { attempt: journal.attempt });
}
