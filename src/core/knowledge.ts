import { restMs } from './limits.js';
import { lifeOf, refreshLead, remainingLife } from './expiry.js';
import type { Now } from './expiry.js';
import type { Message, Position } from './protocol.js';
import type { AccessToken, Failure, SessionRecord } from './record.js';
import { attemptOf, fingerprint, isForeign, isOpen, isUnanswered, next } from './record.js';
import { current, newer } from './join.js';
import { asOf } from './session-end.js';
import type { Change, Continuation, Pause, State, Turn } from './state.js';
import type { StoreResult } from './outcome.js';
import type { CoordinatorEvent, EventType } from './types.js';

/** Queues an event for this tab's listeners. */
export function emit(t: Turn, type: EventType, details: Partial<CoordinatorEvent> = {}): void {
  const { sessionId, version, term } = t.s.record ?? {};
  t.effects.push({ type: 'emit', event: { type, at: t.now.wall, sessionId, version, term, ...details } });
}

type Content<M> = M extends Message ? Omit<M, keyof Position> : never;

/** A message that tells where a record stands. */
export function messageOf(record: SessionRecord | undefined, content: Content<Message>): Message {
  const { sessionId = '', version = 0, term = 0, leader, journal, ended } = record ?? {};
  return { ...content, sessionId, version, term, leader, journal, ended };
}

/** Broadcasts a message about the session at hand. */
export function post(t: Turn, content: Content<Message>): void {
  t.effects.push({ type: 'post', message: messageOf(t.s.record, content) });
}

/** One atomic operation on the store; without a change it only reads. The stored record is adopted first. */
export function access(
  t: Turn,
  change?: Change,
  resume: Continuation<StoreResult> = () => {},
  real = false,
): void {
  t.effects.push({ type: 'store', change, real, resume });
}

/** The access token of an audience. */
export function tokenOf({ record }: State, key: string): AccessToken | undefined {
  return isOpen(record) ? record.accessTokens[key] : undefined;
}

/** Life left of an audience's token; `-Infinity` without one. */
export function lifeLeft(s: State, key: string, now: Now): number {
  const token = tokenOf(s, key);
  return token ? remainingLife(token, s.seen[key]!.at, now) : -Infinity;
}

/** Whether this tab was named leader last. */
export function leads({ record, me }: State): boolean {
  return isOpen(record) && record.leader === me;
}

/**
 * The leader after a write of this participant: itself, if it stands for election. While a session that was refused without a word is tried
 * again, the tab that has announced its loss keeps the lead, or that would be announced again:
 *
 *     A  400, three times: lost, says so                         hears of it
 *     B                                  is looked at ─ queues ─ claims (or writes its journal): led by A as before
 */
export function successor({ me, options }: State, record: SessionRecord): string | undefined {
  const { leader, withheld } = record;
  // guard: refusals: a tab that claims or tries again leaves the lead to the one that announced the loss
  // guard: a refresh worker is never named leader
  return options.candidate && !withheld && !isUnanswered(record) ? me : leader;
}

/** The leader of a session that this participant finds lost: the one that announces it; a visible tab is elected, if it is none itself. */
export function successorOnLoss({ me, visible }: State): string | undefined {
  return visible ? me : undefined;
}

/** Whether what was decided `from` then may still be acted on: a tab may have stood still meanwhile. */
export function inTime({ options }: State, from: Now, now: Now): boolean {
  return Math.max(now.wall - from.wall, now.mono - from.mono) <= options.refreshTimeoutMs / 2;
}

/** Whether there is anything to refresh the session with. */
export function isRefreshable({ record, options }: State): boolean {
  return !options.needsRefreshToken || record?.refreshToken !== undefined || record?.withheld === true;
}

/** Milliseconds until this tab refreshes ahead of expiry, by itself; `Infinity` if it does not. */
export function proactiveDue(s: State, now: Now): number {
  const { proactive, refreshBeforeMs } = s.options;
  const token = tokenOf(s, '');
  if (!token || s.record!.ended || s.record!.withheld) return Infinity;
  if (!isRefreshable(s)) return lifeLeft(s, '', now);
  if (proactive === 'never' || (proactive === 'visible' && !s.visible)) return Infinity;
  const life = lifeOf(token);
  // (The next one of a server that gives no life at all would be due at once as well, and so on.)
  // guard: nobody refreshes a token ahead of expiry that it has just seen come
  return life && life < Infinity
    ? Math.max(
        lifeLeft(s, '', now) - refreshLead(life, refreshBeforeMs, leads(s), s.jitter),
        // By a wall clock of its own, another tab's new token may look old: then it would ask again, for ever.
        // (Its two clocks may be wrong, but go on together, unless it sleeps.)
        s.advanced ? life / 2 - Math.max(now.mono - s.advanced.mono, now.wall - s.advanced.wall) : -Infinity,
      )
    : Infinity;
}

/** Stops sending for a while. */
export function pause(
  t: Turn,
  of: string,
  forMs: number,
  code: Pause['code'],
  failure?: Failure,
  restMs = 0,
): void {
  const { mono } = t.now;
  t.s.pausedFor = of;
  t.s.pause = { until: mono + forMs, code, failure, rest: mono + restMs };
}

/** A wake-up or a person ends the wait; not so soon after the server has said no several times. */
export function endPause({ s, now }: Turn): void {
  const { pause: known } = s;
  s.pause =
    known && known.rest > now.mono ? { ...known, until: Math.min(known.until, known.rest) } : undefined;
}

/** When this tab first saw a token of this version; a token fetched here counts from its request. */
export function see(t: Turn, key: string, version: number, at: number): void {
  if (t.s.seen[key]?.version !== version) t.s.seen = { ...t.s.seen, [key]: { version, at } };
}

/**
 * Takes over what is newer than what this tab knew, and draws the conclusions. Idempotent and independent of the order
 * in which records come in. Between equals the store is right, and hearsay is not.
 */
export function adopt(t: Turn, theirs: SessionRecord | undefined, hearsay = false): void {
  const { s, now } = t;
  const before = s.record;
  const joined = hearsay
    ? newer(before, theirs)
    : theirs || !isForeign(before)
      ? current(theirs, before)
      : undefined;
  const after = asOf(joined, now.wall);
  if (after === before) return;
  s.record = after;
  // (A foreign session that went with the store.)
  if (!after) return;
  const replaced = before?.sessionId !== after.sessionId;
  const seen = replaced ? {} : s.seen;
  s.seen = Object.fromEntries(
    Object.entries(after.accessTokens).map(([key, { version }]) => [
      key,
      seen[key]?.version === version ? seen[key] : { version, at: now.mono },
    ]),
  );
  const advanced = replaced || before.version !== after.version;
  const { failure, by, term } = after.journal ?? {};
  // guard: two failures of the same attempt, by a tab with a store and by one without, are two
  const of = failure ? attemptOf(after, after.journal) : '';
  const moved = !before || fingerprint(after) !== fingerprint(before);
  // A leader that leaves says nothing of the tab that holds the lock:
  //
  //     A (holder)  ██ stands still ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B (leader)            resigns: the term moves
  //     C           call: T + R, counted from when it queued ─▶ claim
  // (Behind two terms there may have been a claim, of which nobody tells.)
  // guard: progress: a resignation is no sign of life
  // guard: progress: two terms at once are a sign of life
  const isResigned =
    before?.leader &&
    !after.leader &&
    after.term === next(before.term) &&
    before.journal?.at === after.journal?.at;
  if (moved && !isResigned) {
    s.movedAt = now.mono;
    // guard: progress: the wait for a holder without a journal goes on through the elections of others
    if (s.waited?.phase === 'queued') s.waited = undefined;
  }
  // (One with a store and one without may both write the journal of a term.)
  // guard: two journals of one term, by a tab with a store and by one without, are two
  if (replaced || before.journal?.term !== term || before.journal?.by !== by) {
    s.journalSeen = now.mono;
    s.waited = undefined;
  }
  if (advanced) s.jitter = now.random;
  s.advanced = replaced ? undefined : advanced ? now : s.advanced;
  // A refresh that this tab asked others for, or others asked of it, has an outcome. An old failure, read again, is none.
  if (advanced || (failure && of !== s.pausedFor)) s.delegated = s.request = undefined;

  if (!failure) {
    // (To read again what is known is no news: an old bundle would not wait for the end of its pause, and read again, and so on.)
    if (moved) s.pause = undefined;
  } else if (of !== s.pausedFor) {
    const { at, retryInMs, refused, fault } = failure;
    // News is a duration, on this tab's own clock. A failure that is read is a while old by another tab's wall clock: believed for
    // no longer than the wait it asks for.
    // guard: ⚑ backoff shared through the journal, and kept on the clock of the tab that hears of it
    const left = (ms: number): number => (hearsay ? ms : Math.max(0, Math.min(at + ms - now.wall, ms)));
    // A fault that waiting does not heal waits for a wake-up or a forced call. So does a session that was refused without a word: of each
    // wake-up comes one request, however that fails.
    // guard: refusals: of each wake-up comes one request, however that fails
    const isLasting = refused || fault || isUnanswered(after);
    const code = !isLasting ? 'ERR_REFRESH_UNAVAILABLE' : (fault?.code ?? 'ERR_REFRESH_REJECTED');
    const rest = restMs(after.journal?.refusals?.count ?? 0);
    pause(t, of, isLasting ? Infinity : left(retryInMs), code, failure, left(rest));
    // A wake-up counts for a failure from before it that is told late; for the next that is told, whatever the wall clocks say.
    //
    //     A  sends ─ refused ─ notes it (store hangs) ░░░░░░░ ✓ says so
    //     B                              wakes, queues ░░░░░░░░░░ hears of it ─ rests ─▶ tries
    // guard: refusals: a wake-up counts for a failure from before it that is told late
    const isEarlier = at < (s.wokeAt ?? 0);
    // Nor does an attempt that the server did not see use it up.
    //
    //     A  prepares, and thinks better of it ─ not sent: says so
    //     B                    wakes, queues ░░░░░░░░░░░░░░░░░░░╰▶ tries
    // guard: refusals: an attempt that was not sent uses up no wake-up
    const isUnsent = s.wokeAt !== undefined && failure.unspent && failure.status === undefined && !fault;
    if (isLasting && (isEarlier || isUnsent)) endPause(t);
    s.wokeAt = undefined;
  }

  if (!s.loaded) return;
  if (!isOpen(after)) {
    if (isOpen(before)) emit(t, 'signed-out', { sessionId: before.sessionId });
    return;
  }
  if (replaced || !isOpen(before)) emit(t, 'session-started');
  if (after.leader && (replaced || before.leader !== after.leader)) {
    // Also one of the same term, whose election went unheard.
    // guard: no election once a leader is known, be it of the same term
    s.elect = undefined;
    emit(t, 'leader-changed');
  }
}
