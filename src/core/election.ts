import { adopt, emit, leads, post, store } from './knowledge.js';
import { isOpen } from './record.js';
import { finish, hold } from './flight.js';
import type { Event, Turn } from './state.js';

/** Visible tabs go first: they are the least likely to be throttled, frozen or discarded. */
function spread(t: Turn): number {
  return t.s.visible ? t.now.random * 50 : 300 + t.now.random * 200;
}

/** Holds an election in a while, unless the term moves on or the leader answers before. */
export function scheduleElection(t: Turn, inMs: number): void {
  const { record } = t.s;
  if (record) t.s.elect = { term: record.term, at: t.now.mono + inMs + spread(t) };
}

/** Asks the others for something newer, and the leader for a sign of life. */
export function hello(t: Turn): void {
  const { s } = t;
  const leader = isOpen(s.record) && !leads(s) ? s.record.leader : undefined;
  post(t, {
    type: 'hello',
    sessionId: s.record?.sessionId,
    version: s.record?.version ?? 0,
    leader,
    memory: s.storage === 'memory',
  });
  if (leader !== undefined && s.options.answers) scheduleElection(t, s.options.leaderTimeoutMs);
}

/** Says good-bye, so that the others need not find out. */
export function resign(t: Turn): void {
  const { s } = t;
  if (!leads(s)) return;
  const { sessionId, version, term } = s.record!;
  post(t, { type: 'leader-resigned', sessionId, version, term, leader: s.me });
}

/** Keeps the plan for an election in line with what is known. A session without a leader gets one. */
export function planElection(t: Turn): void {
  const { s } = t;
  if (!s.loaded || !s.active || s.closed || !isOpen(s.record)) s.elect = undefined;
  else {
    if (s.elect && s.elect.term !== s.record.term) s.elect = undefined;
    if (!s.elect && s.record.leader === undefined) scheduleElection(t, 0);
  }
}

/** Whether an election is to be held now. */
export function electionDue(t: Turn): boolean {
  return t.s.elect !== undefined && t.s.elect.at <= t.now.mono;
}

/** Under the refresh lock with nothing to refresh: the holder names itself, if nobody acted since. */
export function elect(t: Turn): void {
  const { s } = t;
  const { sessionId, term } = s.record!;
  hold(t, { phase: 'electing' });
  store(t, { kind: 'elect', flight: s.flight!.tag }, (base) =>
    base?.sessionId === sessionId && isOpen(base) && base.term === term
      ? { ...base, term: term + 1, leader: s.me }
      : undefined,
  );
}

export function elected(t: Turn, event: Extract<Event, { type: 'stored' }>): void {
  const { s } = t;
  adopt(t, event.record);
  s.elect = undefined;
  finish(t);
  if (event.won && leads(s)) {
    const { sessionId, version, term } = s.record!;
    post(t, { type: 'leader-changed', sessionId, version, term, leader: s.me });
  }
}

/** The loss of a session is announced by its leader: one tab, a visible one if there is any. */
export function announceLoss(t: Turn): void {
  const { s } = t;
  const ended = s.record?.ended;
  if (ended?.kind !== 'reauth-required' || !leads(s) || !s.loaded || s.closed) return;
  const of = `${s.record!.sessionId}.${s.record!.version}`;
  if (s.announced === of) return;
  s.announced = of;
  emit(t, 'reauth-required', { reason: ended.reason });
}
