import { tell } from './commit.js';
import { endAttempt, finish, hold, nextTag, reconcileMs } from './flight.js';
import { adopt, pause, post, store } from './knowledge.js';
import { TokenCoordinatorError } from './errors.js';
import type { LossReason } from './errors.js';
import type { SessionRecord } from './record.js';
import { attemptLock } from './record.js';
import type { Attempt, Event, Operation, Turn } from './state.js';

type Reconciling = Extract<Operation, { kind: 'reconcile' }>;
type Stored = Extract<Event, { type: 'stored' }>;

/**
 * The server says that the refresh token is dead. That proves nothing yet: another attempt may have spent it and be
 * about to commit, a spare may be the pair that lives, the session may be another by now. Only when all that is ruled
 * out, in one compare-and-set, is the session lost; and only the winner of it says so.
 */
export function reconcile(t: Turn, attempt: Attempt): void {
  const journal = t.s.record?.journal;
  // Attempts that may still be answered: the one before (overdue, or of a frozen tab), and any sent since by a thief.
  const others: number[] = [];
  for (let n = Math.max(1, attempt.number - 1); n <= (journal?.attempt ?? 0); n++) {
    if (n !== attempt.number) others.push(n);
  }
  hold(t, { phase: 'reconciling', others });
  compare(t, attempt, others.length === 0);
}

function compare(t: Turn, attempt: Attempt, final: boolean): void {
  const { s } = t;
  const leader = s.visible ? s.me : undefined;
  store(t, { kind: 'reconcile', flight: s.flight!.tag, attempt }, (base) => {
    if (base?.sessionId !== attempt.sessionId || base.version !== attempt.version || base.ended)
      return undefined;
    const [spare, ...spares] = base.spares ?? [];
    const term = base.term + 1;
    if (spare) {
      const version = base.version + 1;
      const { refreshToken, audience, accessToken } = spare;
      const accessTokens = { ...base.accessTokens, [audience]: { ...accessToken, version } };
      return { ...base, term, version, refreshToken, accessTokens, journal: undefined, spares };
    }
    if (!final) return undefined;
    const reason: LossReason = (base.journal?.doubts ?? 0) > 0 ? 'response_lost' : 'refresh_rejected';
    return { ...base, term, leader, ended: { kind: 'reauth-required', reason } };
  });
}

export function reconciled(t: Turn, event: Stored): void {
  const { s } = t;
  const { attempt, flight } = event.operation as Reconciling;
  adopt(t, event.record);
  const flying = s.flight?.tag === flight;
  const open =
    s.record?.sessionId === attempt.sessionId && s.record.version === attempt.version && !s.record.ended;
  if (flying && open && !event.won) return checkNext(t);
  endAttempt(t, attempt);
  if (flying) finish(t);
  if (event.won) announceOutcome(t, event.record!);
}

function announceOutcome(t: Turn, record: SessionRecord): void {
  const { sessionId, version, term, leader, ended } = record;
  if (ended?.kind === 'reauth-required') {
    post(t, { type: 'reauth-required', sessionId, version, term, leader, reason: ended.reason });
  } else tell(t, record);
}

/** Waits, under the refresh lock and for a bounded time, until the other attempts are over; then compares again. */
export function checkNext(t: Turn): void {
  const { s, now } = t;
  const flight = s.flight!;
  const [number, ...others] = flight.others;
  const attempt = s.attempts.find(({ tag }) => tag === flight.attempt)!;
  if (number === undefined) {
    hold(t, { phase: 'reconciling' });
    return compare(t, attempt, true);
  }
  const checking = nextTag(t);
  hold(t, { phase: 'checking', others, checking, until: now.mono + reconcileMs(s) });
  if (s.options.locks) {
    t.effects.push({ type: 'lock', tag: checking, name: attemptLock(attempt, number), mode: 'wait' });
  }
}

/** That attempt is over, or overdue. */
export function checked(t: Turn): void {
  const { s } = t;
  if (s.options.locks) t.effects.push({ type: 'unlock', tag: s.flight!.checking! });
  hold(t, { checking: undefined });
  checkNext(t);
}

/** Without a word from the store nothing is concluded: the journal stays, and the next attempt asks again. */
export function reconcileFailed(t: Turn, { attempt, flight }: Reconciling): void {
  endAttempt(t, attempt);
  if (t.s.flight?.tag !== flight) return;
  pauseForStorage(t);
  finish(t);
}

/** One failed operation is a short pause, not a change of mode. */
export function pauseForStorage(t: Turn): void {
  const error = new TokenCoordinatorError('ERR_STORAGE', 'The store did not answer; it is tried again');
  pause(t, 'storage', 250 * 2 ** t.s.storeFailures, error);
}
