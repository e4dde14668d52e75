import { hold, letGo, mayFly, whileFlying } from './flight.js';
import { access, adopt, emit, leads, post } from './knowledge.js';
import { idempotencyKey, isOpen, isUnanswered, next, SCHEMA } from './record.js';
import type { Turn } from './state.js';

/** Holds an election in a while, unless the term moves on or the leader answers before. Visible tabs go first. */
function scheduleElection(t: Turn, inMs: number): void {
  const { s, now } = t;
  if (!s.options.candidate) return;
  const spread = s.visible ? now.random * 50 : 300 + now.random * 200;
  s.elect = { term: s.record!.term, at: now.mono + inMs + spread };
}

/** Asks the others for something newer, and the leader for a sign of life. */
export function hello(t: Turn): void {
  const { s } = t;
  post(t, { type: 'hello', memory: s.storage === 'memory' });
  if (isOpen(s.record) && s.record.leader && !leads(s) && s.options.answers) {
    scheduleElection(t, s.options.leaderTimeoutMs);
  }
}

/** Says good-bye, so that the others need not find out: a term without a leader begins. */
export function resign(t: Turn): void {
  const { record } = t.s;
  if (!record || !leads(t.s)) return;
  adopt(t, { ...record, term: next(record.term), leader: undefined });
  post(t, { type: 'leader-resigned' });
}

/**
 * Keeps the plan for an election in line with what is known. A session without a leader gets one; an old bundle does not
 * lead a newer one's, and a tab that could not refresh leads nobody.
 */
export function planElection(t: Turn): void {
  const { s } = t;
  const { record, elect } = s;
  // guard: a tab without the refresh token leads nobody
  const may = mayFly(s) && record!.schema <= SCHEMA && !record!.withheld;
  // (That a session which was refused without a word is tried again moves the term, and says nothing of its leader.)
  if (!may || (elect?.term !== record!.term && !isUnanswered(record!))) s.elect = undefined;
  if (may && !s.elect && !record!.leader) scheduleElection(t, 0);
}

/** Whether an election is to be held now. */
export function electionDue({ s, now }: Turn): boolean {
  return s.elect !== undefined && s.elect.at <= now.mono;
}

/** Under the refresh lock with nothing to refresh: the holder names itself, if nobody acted since. */
export function elect(t: Turn): void {
  const { sessionId, term } = t.s.record!;
  hold(t, 'electing');
  access(
    t,
    (base) =>
      base?.sessionId === sessionId && isOpen(base) && base.term === term
        ? { ...base, term: next(term), leader: t.s.me }
        : undefined,
    whileFlying(t, (t, { won }) => {
      t.s.elect = undefined;
      if (won) post(t, { type: 'leader-changed' });
      // guard: a leader that no store names is heard before the next election is won
      letGo(t, won && t.s.storage === 'memory');
    }),
  );
}

/**
 * The loss of a session, and a known end ahead of it, are announced by the leader: one tab, a visible one if there is any. A known end comes
 * without a message, and perhaps without a leader that lives:
 *
 *     A (leader, hidden)  end ─ resigns ──╮
 *     B (visible)         end ─ hello ────╰▶ elected: announces it
 *     C (leader, dead)
 *     D                   end ─ hello ─ no answer ─▶ elected: announces it
 *
 * A tab that claims the session, or writes its journal, becomes leader without a message, too. So the leader compares before it
 * announces a known end, and nobody claims the session from the term before:
 *
 *     A (leader)  ────────────────────────── end ─ compares: B leads
 *     B             claims: term 8 ─ queues ─ end ─ compares: term 9 ─ announces it
 */
export function announceEnd(t: Turn): void {
  const { s, now } = t;
  const { record, options, me } = s;
  if (!isOpen(record) || !s.loaded || s.closed) return;
  const { end, ended } = record;
  const key = idempotencyKey(record);
  const isSoon = !ended && end && !end.said && end.soonAt <= now.wall;
  const of = ended ? key : isSoon && `${key} soon`;
  if (!of) return;
  const isForeseen = isSoon || ended?.reason === 'no_refresh_token';
  if (isForeseen && s.foreseen !== of && s.active && options.candidate) {
    s.foreseen = of;
    if (!leads(s)) hello(t);
    // (The end may come to a session that was refused without a word before.)
    // guard: end: a leader that has announced the loss hands nothing over
    else if (!s.visible && s.announced !== of) resign(t);
  }
  if (!leads(s) || s.announced === of) return;
  s.announced = of;
  if (!isForeseen) {
    const { kind: _, ...why } = ended!;
    return emit(t, 'reauth-required', why);
  }
  // guard: end: the loss of a version is not announced for its successor, too
  // guard: end: the leader compares before it announces a loss
  access(
    t,
    (base) =>
      // A session goes on after its notice, and so do elections: the store remembers that it was given.
      base?.leader === me && idempotencyKey(base) === key && !ended === !base.ended
        ? { ...base, term: next(base.term), end: base.end && { ...base.end, said: true } }
        : undefined,
    (t, { won, failed }) => {
      // guard: end: a tab that gave the notice remembers it, though it leads no more
      const isUnsaid = !won && (failed || !leads(t.s));
      // guard: end: a notice that failed makes nobody forget that the loss was announced
      const isLast = t.s.announced === of;
      if (isUnsaid && isLast) t.s.announced = t.s.foreseen = undefined;
      if (!won) return;
      if (ended) emit(t, 'reauth-required', { reason: ended.reason });
      else emit(t, 'session-ending', { reason: 'expiry', endsAt: end!.at });
    },
  );
}
