import { LEASES } from '#leases';
import { tell } from './commit.js';
import { awaitAttempt, endAttempt } from './attempt-lock.js';
import { finish, giveUp, hold } from './flight.js';
import { access, post, successorOnLoss } from './knowledge.js';
import { reconcileMs } from './limits.js';
import { isLost, next } from './record.js';
import { withPair } from './pair.js';
import type { Attempt, Turn } from './state.js';
import type { Outcome } from './outcome.js';

type Word = Extract<Outcome, { kind: 'lost' }>;

/**
 * The server says that the refresh token is dead. That proves nothing yet: another attempt may have spent it and be
 * about to commit, a spare may be the pair that lives, the session may be another by now. Only when all that is ruled
 * out, in one compare-and-set, is the session lost; and only the winner of it says so.
 */
export function reconcile(t: Turn, attempt: Attempt, word: Word): void {
  const { s } = t;
  // Any other tab that may still be answered has the attempt lock, or waits for it behind this one.
  endAttempt(t, attempt);
  // (A lease does not tell that there is no other: of a first attempt there is none.)
  // guard: processes: the refusal of a first attempt is told at once
  const others = (s.options.locks && !(LEASES && s.options.leases)) || attempt.attempt > 1;
  // guard: ⚑ after invalid_grant: another attempt that may still be answered is waited for
  awaitAttempt(t, 'checking', others ? reconcileMs(s.options) : 0, (t) => compare(t, attempt, word));
}

function compare(t: Turn, attempt: Attempt, word: Word): void {
  const { s } = t;
  const { tag } = s.flight!;
  hold(t, 'reconciling');
  access(
    t,
    (base) => {
      // Of the very token that was refused. After a wipe two tabs may have won a pair each:
      //
      //     A  missed r5 ─ (wiped) ─ spends r4 once more: r5' ─ stores it
      //     B  has r5 ─ sends it ────────────────────────────────── refused: r5' may live, and is tried next
      // guard: a session ends only with the very token that was refused
      // guard: a session ends only at the version and with the token that was refused
      if (
        base?.sessionId !== attempt.sessionId ||
        base.version !== attempt.version ||
        base.refreshToken !== attempt.refreshToken ||
        isLost(base)
      )
        return undefined;
      const [spare, ...spares] = base.spares ?? [];
      const term = next(base.term);
      // guard: ⚑ after invalid_grant: a spare becomes the pair
      if (spare) return { ...withPair(base, spare), term, spares };
      const reason = word.reason ?? (base.journal?.doubts ? 'response_lost' : 'refresh_rejected');
      // A loss that was announced before is not announced again.
      const leader = base.ended ? base.leader : successorOnLoss(s);
      return { ...base, term, leader, ended: { kind: 'reauth-required', reason, ...word.why } };
    },
    (t, { won, failed, record }) => {
      if (won) {
        if (record!.ended) post(t, { type: 'reauth-required' });
        else tell(t, 'pair', record!, false);
      }
      // Without a word from the store nothing is concluded: the next attempt will hear the same.
      if (t.s.flight?.tag === tag) (failed ? giveUp : finish)(t);
    },
  );
}
