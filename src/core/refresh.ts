import { overdue } from './answer.js';
import { elect, electionDue } from './election.js';
import type { Now } from './expiry.js';
import { awaitAttempt, finish, giveUp, hold, lock, whileFlying } from './flight.js';
import { access, emit, pause, post, proactiveDue, successor, tokenOf } from './knowledge.js';
import type { Audience, Journal, SessionRecord } from './record.js';
import { attemptLock, audienceKey, fingerprint, idempotencyKey, SCHEMA } from './record.js';
import type { Attempt, Continuation, State, Turn } from './state.js';

/** How long a tab with a store has to say that it will refresh for one without; milliseconds. */
const ASK_MS = 300;

/** The token that is wanted now, if any: by a caller, by a tab without a store, or ahead of expiry. */
export function wanted({ s, now }: Turn): Audience | undefined {
  const { record, request } = s;
  if (!s.loaded || !record || record.ended || s.pause) return undefined;
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
  const { asked, cleared, worker } = s.flight!;
  // What came to be wanted during an election is asked of the worker first.
  const audience = s.options.worker && !worker ? undefined : wanted(t);
  if (!audience) return electionDue(t) ? elect(t) : finish(t);
  const record = s.record!;
  if (record.schema > SCHEMA) {
    // An old bundle beside a new one: it may use what it can read, but not lead.
    pause(t, 'schema', s.options.refreshTimeoutMs, 'ERR_UNSUPPORTED');
    return finish(t);
  }
  if (s.storage === 'memory' && !asked) {
    // The other tabs may know better, or do it better.
    const { resource, scope } = audience;
    hold(t, 'asking', { asked: true, until: now.mono + ASK_MS, expire: proceed });
    return post(t, { type: 'refresh-request', resource, scope, memory: true });
  }
  const key = idempotencyKey(record);
  const { journal } = record;
  const done = cleared?.key === key ? cleared.attempt : 0;
  if (journal && journal.attempt > done) return probe(t, record, journal.attempt);
  const attempt = Math.max(journal?.attempt ?? 0, done) + 1;
  if (!s.options.locks) return writeAhead(t, attempt, audience);
  const basis = fingerprint(record);
  // The last holder's broadcast may come after its lock, between these two grants:
  //
  //     A  commit ─ unlock ─ broadcast ───────────╮
  //     B          granted ─ asks for its attempt │ lock ─▶ hears A's pair: nothing is wanted any more ─▶ granted
  const then: Continuation<string> = (turn, outcome) => {
    if (!wanted(turn) || fingerprint(turn.s.record!) !== basis) return finish(turn);
    // Refused: somebody holds it who has not journaled yet, or whose journal was lost.
    if (outcome === 'granted') writeAhead(turn, attempt, audience);
    else probe(turn, turn.s.record!, attempt);
  };
  hold(t, 'locking', { attempt: lock(t, attemptLock(key, attempt), 'try', whileFlying(t, then)) });
}

/**
 * A journal of this version: its attempt lock tells whether its sender lives and waits. The refresh lock does not:
 *
 *     A  refresh lock ▇▇▇▇▇▇▇▇ (T) let go ─ request still travelling ──▶ answer: commit
 *        attempt lock ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
 *     B                      granted, reads A's journal, queues here ───── granted: finds A's pair
 *
 * Without locks the journal is a lease: it holds until seen unchanged for T of this tab's own time.
 */
function probe(t: Turn, record: SessionRecord, attempt: number): void {
  const { s, now } = t;
  const { refreshTimeoutMs, locks } = s.options;
  const { journal } = record;
  const known = journal?.attempt === attempt ? journal : undefined;
  // By this tab's own monotonic clock: a wall clock that jumped would declare a request overdue that has just been sent.
  const waited = known ? now.mono - s.journalSeen : 0;
  const rest = locks ? 2 * refreshTimeoutMs - waited : known?.failure ? 0 : refreshTimeoutMs - waited;
  const cleared = { key: idempotencyKey(record), attempt };
  awaitAttempt(t, 'probing', cleared.key, attempt, rest, (turn) => {
    hold(turn, 'queued', { cleared });
    proceed(turn);
  });
}

/** Commits the journal and the term, if the store still holds exactly what this decision was made on. */
function writeAhead(t: Turn, attempt: number, audience: Audience): void {
  const { s, now } = t;
  const record = s.record!;
  const previous = record.journal;
  const term = record.term + 1;
  const basis = fingerprint(record);
  // In doubt, by this failure or an earlier one: the server may be asked to replay its answer, which was for the audience
  // of that attempt.
  const doubts = (previous?.doubts ?? 0) + Number(previous !== undefined && !previous.failure?.unspent);
  const { resource, scope } = doubts > 0 ? previous! : audience;
  const journal: Journal = {
    attempt,
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
      // Not sent, so it is taken back; after a failure it may have been written all the same.
      if (won || failed) restore(turn, journal, previous);
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

function inTime({ options }: State, from: Now, now: Now): boolean {
  return Math.max(now.wall - from.wall, now.mono - from.mono) <= options.refreshTimeoutMs / 2;
}

function send(t: Turn, journal: Journal): void {
  const { s, now } = t;
  const { sessionId, version, refreshToken } = s.record!;
  const { refreshTimeoutMs } = s.options;
  const tag = s.flight!.attempt ?? s.nextTag++;
  const attempt: Attempt = {
    ...journal,
    tag,
    sessionId,
    version,
    sent: now,
    until: now.mono + 2 * refreshTimeoutMs,
  };
  s.attempts = [...s.attempts, attempt];
  hold(t, 'sending', { attempt: tag, until: now.mono + refreshTimeoutMs, expire: overdue });
  if (s.storage === 'memory') post(t, { type: 'journal' });
  t.effects.push({ type: 'send', attempt, refreshToken });
  emit(t, 'refresh-started', { attempt: journal.attempt });
}

function restore(t: Turn, mine: Journal, previous: Journal | undefined): void {
  access(
    t,
    (base) =>
      base?.journal?.by === mine.by && base.journal.term === mine.term
        ? { ...base, term: base.term + 1, journal: previous }
        : undefined,
    () => {},
  );
}
