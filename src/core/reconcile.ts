import { tell } from './commit.js';
import type { LossReason } from './errors.js';
import { awaitAttempt, endAttempt, finish, giveUp, hold, reconcileMs } from './flight.js';
import { access, post } from './knowledge.js';
import { idempotencyKey } from './record.js';
import type { Attempt, Turn } from './state.js';

/**
 * The server says that the refresh token is dead. That proves nothing yet: another attempt may have spent it and be
 * about to commit, a spare may be the pair that lives, the session may be another by now. Only when all that is ruled
 * out, in one compare-and-set, is the session lost; and only the winner of it says so.
 */
export function reconcile(t: Turn, attempt: Attempt): void {
  // Attempts that may still be answered: the one before (overdue, or of a frozen tab), and any sent since by a thief.
  const others: number[] = [];
  for (let n = Math.max(1, attempt.attempt - 1); n <= (t.s.record!.journal?.attempt ?? 0); n++) {
    if (n !== attempt.attempt) others.push(n);
  }
  compare(t, attempt, others);
}

function compare(t: Turn, attempt: Attempt, others: number[]): void {
  const { s } = t;
  const { tag } = s.flight!;
  const leader = s.visible ? s.me : undefined;
  hold(t, 'reconciling');
  access(
    t,
    (base) => {
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
      if (others.length > 0) return undefined;
      const reason: LossReason = base.journal?.doubts ? 'response_lost' : 'refresh_rejected';
      return { ...base, term, leader, ended: { kind: 'reauth-required', reason } };
    },
    (turn, { won, failed, record }) => {
      const flying = turn.s.flight?.tag === tag;
      // The session stands, but other attempts may still bring a pair: wait for the next of them, under the lock.
      if (flying && others.length > 0 && !won && !failed && current(turn, attempt)) {
        const [number, ...rest] = others;
        const key = idempotencyKey(attempt);
        return awaitAttempt(turn, 'checking', key, number!, reconcileMs(turn.s), (later) =>
          compare(later, attempt, rest),
        );
      }
      endAttempt(turn, attempt);
      // Without a word from the store nothing is concluded: the next attempt will hear the same.
      if (flying) (failed ? giveUp : finish)(turn);
      if (!won) return;
      if (record!.ended) post(turn, { type: 'reauth-required' });
      else tell(turn, 'pair', record!, false);
    },
  );
}

function current({ s }: Turn, { sessionId, version }: Attempt): boolean {
  return s.record!.sessionId === sessionId && s.record!.version === version && !s.record!.ended;
}
