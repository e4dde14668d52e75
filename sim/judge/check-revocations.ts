import { isOpen, MOST_REVOCATIONS, type Revocation, type SessionRecord } from '../../src/core/record.js';
import { refreshTokensIn } from '../../src/core/pair.js';
import type { Check, Violate } from './check.js';
import type { Participant } from '../world/participant.js';
import type { Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

const DAY_MS = 86_400_000;

/**
 * I4, nothing is left alive: what a tab signs out of is revoked in the same step, what nobody is to use any more is revoked or kept to be,
 * no token is kept for more than a day, and none that is in use is revoked.
 */
export function checkRevocations(
  world: World,
  truth: Truth,
  violate: Violate,
): { readonly check: Check; readonly atEnd: () => void } {
  const { database, server, participants } = world;
  /** The participant that was to revoke each token. */
  const asked = new Map<string, Participant>();

  const keptIn = (record: SessionRecord | undefined): readonly Revocation[] =>
    (record as { revocations?: readonly Revocation[] } | undefined)?.revocations ?? [];

  /** It can still be used. */
  const isAlive = (token: string): boolean => {
    const known = server.find(token);
    if (!known || known.family.revoked || known.superseded) return false;
    return !(known.spentAt !== undefined && world.plan.server === 'refusing');
  };

  return {
    check: {
      step(by, event, before, _after, effects) {
        const revoked = effects.flatMap((effect) => (effect.type === 'revoke' ? effect : []));
        for (const { token, after } of revoked) if (after === undefined) asked.set(token, by);
        const { record } = before ?? {};
        if (event.type !== 'sign-out' || !event.revoke || !isOpen(record)) return;
        for (const token of refreshTokensIn(record))
          if (token !== undefined && !revoked.some((one) => one.token === token))
            violate('I4', `${by.tab.name} signs out and does not revoke a refresh token at once`);
      },
      revoked(refreshToken, by) {
        const stored = database.value();
        if (!stored || !isOpen(stored) || truth.signedOut.has(stored.sessionId)) return;
        // (A sign-in that is not written yet may replace it.)
        const isReplaced = by.state()?.record?.sessionId !== stored.sessionId;
        if (!isReplaced && refreshTokensIn(stored).includes(refreshToken))
          violate('I4', `${by.tab.name} revokes a refresh token that is in use`);
      },
      // (When it is made, not when it is durable: what is asked for in between is for the next write.)
      executed(by, _before, after) {
        if (!after) return;
        const wall = by.tab.clock.wall();
        if (keptIn(after).some(({ at }) => Math.abs(wall - at) > DAY_MS + 1_000))
          violate('I4', `${by.tab.name} keeps a token for more than a day`);
        const kept = keptIn(after);
        const isKept = (token: string): boolean => kept.some((one) => one.token === token);
        if (kept.length >= MOST_REVOCATIONS) {
          // A full list has no room for the others, as when twelve tabs sign in twice within a second, and the server is down.
          for (const token of asked.keys()) if (!isKept(token)) asked.delete(token);
        } else if (after.ended?.kind === 'signed-out' && !truth.storeHurt()) {
          // From here on it may die, and others have to know. (A store that was wiped has forgotten those that it kept.)
          for (const [token, to] of asked)
            if (to === by && !isKept(token) && isAlive(token))
              violate('I4', `${by.tab.name} writes a tombstone without a token that it revokes`);
        }
      },
    },
    atEnd() {
      if (truth.storeHurt() || participants.every(({ tab }) => !tab.running())) return;
      const kept = keptIn(database.value());
      for (const [token, by] of asked) {
        // It may have died before it could write or send.
        if (!by.tab.alive() || kept.some((one) => one.token === token)) continue;
        if (isAlive(token)) violate('I4', `${by.tab.name} was to revoke a refresh token, which lives on`);
      }
    },
  };
}
