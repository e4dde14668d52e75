import { LEASES } from '#leases';
import { noteUnspent, overdue } from './answer.js';
import { elect, electionDue } from './election.js';
import type { Now } from './expiry.js';
import { awaitAttempt, limitOf } from './attempt-lock.js';
import { finish, giveUp, hold, waitedIn } from './flight.js';
import { access, emit, inTime, pause, post, proactiveDue, successor, tokenOf } from './knowledge.js';
import { ASK_MS, silenceMs } from './limits.js';
import type { Audience, Journal } from './record.js';
import { audienceKey, fingerprint, isJournalOf, isLost, isUnderWay, next, SCHEMA } from './record.js';
import { asOf } from './session-end.js';
import type { Attempt, Continuation, State, Turn } from './state.js';

/**
 * The token that is wanted now, if any: by a caller, by a tab without a store, or ahead of expiry. Not of this tab, while another
 * one does it; then its flights are elections alone:
 *
 *     A (no store)  wants ─ asks ─▶ told that B will ─ its election is due: elected, and waits for B
 *     B                          accepts, and waits for the lease of a journal
 */
export function wanted({ s, now }: Turn): Audience | undefined {
  const { record, request, options } = s;
  // guard: a tab that was told that another one refreshes does not, though its election is due
  if (!s.loaded || !record || isLost(record) || s.pause || s.delegated) return undefined;
  // A journal in memory would be saved later, over those that others have written meanwhile:
  //
  //     A  asks for another audience: journal 1 ─ answer: lost on its way
  //     B     (store away)  journals 1 and 2, in memory ─ (store back) saves them ─ asks for its own: is given A's
  // guard: processes: without the shared part nothing is journaled in memory either
  if (LEASES && options.leases && s.storage === 'memory') return undefined;
  // Refused without a word, and awake since: the server may have come to its senses.
  // guard: refusals: a session that was refused without a word is tried again on a wake-up
  if (record.ended) return {};
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
  // A token wanted during an election is asked of the worker first.
  const audience = s.options.worker && !worker ? undefined : wanted(t);
  if (!audience) return electionDue(t) ? elect(t) : finish(t);
  const record = s.record!;
  if (record.schema > SCHEMA) {
    // An old bundle beside a new one: it may use what it can read, but not lead, until the record changes.
    // guard: hostile: a record of a newer version is tried again when it changes, not all the time
    pause(t, 'schema', Infinity, 'ERR_UNSUPPORTED');
    return finish(t);
  }
  const { refreshTimeoutMs, locks, candidate } = s.options;
  // Only now does a refresh worker say that it will, to everybody who asks: a tab that hears that queues, and is to come behind.
  // (A worker that has just been started waits longer for its first place in the queue than a page for its own.)
  //
  //     worker  asks for the lock ─────────── granted ─ accepted ─ journal ─ request ─ …
  //     page                                              └─▶ queued ░░░░░░░░░░░░░░░░░
  if (!candidate) post(t, { type: 'refresh-accepted' });
  // By this tab's own monotonic clock: a wall clock that jumped would declare a request overdue that has just been sent.
  // A tab that lives notes after T that its request is overdue. So a journal that says nothing for T + R is that of a tab that stands
  // still, and its attempt lock is waited for no longer.
  //
  //     A  journal ─ sends ─ hangs ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B     T + R of silence ─▶ claims, steals ─ A's lock: waited for already ─ sends
  //
  // An attempt lock without such a journal is waited for T, and no longer than others wait for this tab. Not after a steal: the store
  // has just shown that its owner wrote no journal, and the claim keeps it from writing one.
  //
  //     A  knows attempt 3 ─ (wiped) ─ attempt 4 ─ sends ─ frozen ░░░░░░░░░░░░░░░░
  //     B  knows attempt 4 of another, failed long ago ── waits T for A's lock ─ attempt 5
  //
  // Without locks the journal is a lease: it holds until seen unchanged for T of this tab's own time.
  //
  // Where locks are leases, only silence counts that this participant has watched.
  // guard: processes: only silence counts that this process has watched
  // guard: a journal's age is counted on the tab's own monotonic clock
  const age = now.mono - (LEASES && s.options.leases ? watchedSince(t) : s.journalSeen);
  const isStolen = s.flight!.stolen && s.storage !== 'memory';
  // guard: a tab with the attempt lock and no journal is waited for no longer than others wait for this tab
  // guard: progress: after a steal an attempt lock without a journal is not waited for
  const unproven = isStolen || !locks ? 0 : refreshTimeoutMs - waitedIn(s, 'probing');
  // guard: a journal that failed long ago says nothing of who has the attempt lock now
  // guard: ⚑ lease rule: without locks a foreign journal is waited for
  // guard: progress: a journal that says nothing for T + R is waited for no longer
  // guard: journal: its finder waits for the sender
  const wait = isUnderWay(record) ? (locks ? silenceMs(s.options) : refreshTimeoutMs) - age : unproven;
  const basis = fingerprint(record);
  const goOn: Continuation = (t) => {
    const audience = wanted(t);
    // The last holder's broadcast may come after its locks, and what was waited for may have failed.
    // guard: after the attempt lock was granted: is everything as it was when it was asked for?
    if (!audience || fingerprint(t.s.record!) !== basis) return finish(t);
    const { withheld } = t.s.record!;
    const isAsked = t.s.flight!.phase === 'asking';
    // The refresh token is in a store that nobody who answers can read, or nowhere any more. (With `undefined` the server would end the session.)
    // guard: nothing is sent without the refresh token that was withheld
    if (isAsked && withheld) {
      pause(t, 'storage', t.s.options.refreshTimeoutMs, 'ERR_STORAGE');
      return finish(t);
    }
    // guard: a tab whose store works again asks the others once more
    const isSure = t.s.storage !== 'memory' && !withheld && t.now.mono >= t.s.unsureUntil;
    if (isAsked || isSure) return writeAhead(t, audience);
    // The other tabs may know better, or do it better.
    const { resource, scope } = audience;
    hold(t, 'asking', { until: t.now.mono + ASK_MS, expire: goOn });
    post(t, { type: 'refresh-request', resource, scope, memory: true });
  };
  awaitAttempt(t, 'probing', wait, goOn);
}

/**
 * Since when this participant has watched a sender say nothing. A lease that was granted proves nothing: it may have ended while its holder
 * could not save the answer. So silence counts from the moment when this participant began to wait.
 *
 *     A  journal ─ sends ─ answer ─ (store away for longer than the lease) ░░░░░░░░░░░ (store back) saves the pair
 *     B    sees the journal                                                             granted ─ waits T + R ─ finds A's pair
 */
function watchedSince({ s, now }: Turn): number {
  return Math.max(s.journalSeen, Math.min(s.flight!.since, now.mono - waitedIn(s, 'probing')));
}

/** Commits the journal and the term, if the store still holds exactly what this decision was made on. */
function writeAhead(t: Turn, audience: Audience): void {
  const { s, now } = t;
  const record = s.record!;
  const previous = record.journal;
  const term = next(record.term);
  const basis = fingerprint(record);
  // In doubt, by this failure or an earlier one: the server may be asked to replay its answer, which was for the audience
  // of that attempt. Not so once it has said that it never grants that one (RFC 6749 §5.2, RFC 8707 §2): that would be asked for
  // until the next sign-in, instead of what others need. An attempt that was refused in words had its answer.
  // One that was given another session's tokens had not: its own answer may be repeated.
  //
  //     A  asks for another audience ─ (a cache) ─ tokens of another user: refused
  //     B                                             asks for its own ─ the server repeats A's answer
  const { failure } = previous ?? {};
  // guard: answers: an attempt that was answered for another session stays in doubt
  const isInDoubt = previous && !failure?.unspent && !failure?.refused;
  const doubts = isInDoubt ? next(previous.doubts) : (previous?.doubts ?? 0);
  const isNever = failure?.error === 'invalid_scope' || failure?.error === 'invalid_target';
  // guard: ⚑ in doubt, a retry keeps the audience of the attempt that the server may replay
  const { resource, scope } = doubts > 0 && !isNever ? previous! : audience;
  const journal: Journal = {
    attempt: next(previous?.attempt ?? 0),
    by: s.me,
    term,
    at: now.wall,
    doubts,
    failures: previous?.failures ?? 0,
    conflicts: previous?.conflicts,
    // guard: refusals: the next attempt knows of those before
    refusals: previous?.refusals,
    resource,
    scope,
  };
  const { tag, lockTag = s.nextTag++ } = s.flight!;
  hold(t, 'journaling', { lockTag });
  // guard: processes: the journal is compared although a lease was held
  // guard: compare before spend: the journal is written only on the state that the decision was made on
  access(
    t,
    (base) =>
      base && !isLost(base) && fingerprint(base) === basis
        ? { ...base, schema: SCHEMA, term, leader: successor(s, base), journal }
        : undefined,
    (t, { won, failed }) => {
      const { sessionId, subject, version, refreshToken } = t.s.record!;
      const sent = t.now;
      const until = limitOf(t.s, sent);
      const of = { sessionId, subject, version, refreshToken };
      const attempt = { ...journal, ...of, tag: lockTag, built: now, sent, until };
      if (won && maySend(t.s, attempt, sent)) return send(t, attempt);
      // Not sent, so nothing was spent; after a failure it may have been written all the same.
      if (won || failed) noteUnspent(t, journal);
      // Then everything starts again, by what is known now.
      if (t.s.flight?.tag === tag) (failed ? giveUp : finish)(t);
    },
  );
}

/**
 * Whether an attempt may leave now. Asked in the same task as the `fetch`: when its journal has been written, and again by a client
 * that prepares its request first (keys, proofs, discovery). Fences stop writes, not sends: only this stops a tab that stood still.
 *
 *     A  journal ✓ ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ too late: does not send
 *     B                  T + R ─▶ claims, steals, waits for A's lock, sends, commits version + 1
 *
 *     A  journal 1 ✓ ─ prepares ─ cached ░░░ returns ─ prepared: gave up its turn, does not send
 *     B                            journal 2 ✓ ─ sends ───────────────▶
 */
export function maySend(s: State, attempt: Attempt, now: Now): boolean {
  const { record, flight } = s;
  // A tab that left, froze, closed or lost the lock has given up its flight. A newer version, another session and a sign-out have taken
  // the journal out of memory.
  // guard: end: a request that is ready when the end has come does not leave
  // guard: ⚑ check before send: not when the turn was given up
  // guard: ⚑ check before send: not when memory holds something newer
  // guard: ⚑ check before send: not when more than T/2 has passed since the journal was built
  return (
    flight?.lockTag === attempt.tag &&
    isJournalOf(record, attempt) &&
    !isLost(asOf(record, now.wall)!) &&
    inTime(s, attempt.built, now)
  );
}

function send(t: Turn, attempt: Attempt): void {
  const { s } = t;
  s.attempts = [...s.attempts, attempt];
  // T counts from the journal, as the others count it: the tab may have stood still in between.
  //
  //     A  journal ░░░░░ sends ────────────────── T: overdue, says so ─ hangs
  //     B    sees the journal ──────────────────────── T + R ─▶ sends
  hold(t, 'sending', { until: attempt.built.mono + s.options.refreshTimeoutMs, expire: overdue });
  if (s.storage === 'memory') post(t, { type: 'journal' });
  t.effects.push({ type: 'send', attempt });
  emit(t, 'refresh-started', { attempt: attempt.attempt });
}
