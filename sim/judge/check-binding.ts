import type { SessionRecord } from '../../src/core/record.js';
import { isBoundAlike, isOpen } from '../../src/core/record.js';
import type { Check, Violate } from './check.js';
import type { Participant } from '../world/participant.js';
import type { World } from '../world/world.js';

/**
 * I10: a token goes to the server and client that issued it, and to participants of the same binding. A participant of another binding
 * neither sends, revokes, tells nor ends the session, and never holds its tokens.
 */
export function checkBinding(world: World, violate: Violate): Check {
  if (world.plan.apps === 1) return {};

  /** Whether one of these tokens was issued by a server that is not this participant's. */
  function isOfAnother({ app }: Participant, tokens: readonly (string | undefined)[]): boolean {
    const theirs = app === 0 ? 'g' : 'f';
    return tokens.some((token) => token?.startsWith(theirs));
  }

  function tokensIn({ refreshToken, accessTokens, spares = [] }: SessionRecord): (string | undefined)[] {
    // (A store that was wiped may have only what is to be revoked.)
    const access = [...Object.values(accessTokens ?? {}), ...spares.map(({ accessToken }) => accessToken)];
    return [refreshToken, ...spares.map((spare) => spare.refreshToken), ...access.map(({ token }) => token)];
  }

  return {
    step(by, _event, before, after) {
      const { record } = after;
      if (record && record !== before?.record && isOfAnother(by, tokensIn(record)))
        violate('I10', `${by.tab.name} holds a token of another server`);
    },

    sent({ request }, by) {
      if (isOfAnother(by, [request.refreshToken]))
        violate('I10', `${by.tab.name} sends a refresh token to a server that did not issue it`);
    },

    revoked(refreshToken, by) {
      if (isOfAnother(by, [refreshToken]))
        violate('I10', `${by.tab.name} revokes a refresh token of another server`);
    },

    posted(by, message) {
      const { record } = message as { record?: SessionRecord };
      if (record && !isBoundAlike(record.binding, by.state()!.options.binding))
        violate('I10', `${by.tab.name} posts a session of another binding`);
    },

    written(by, before, after) {
      if (!isOpen(before) || !isOfAnother(by, tokensIn(before))) return;
      // Whether a write works can be tried with what is there; and each keeps beside it what it has to revoke.
      const shown = (record: SessionRecord): string => JSON.stringify({ ...record, revocations: undefined });
      if (shown(before) === shown(after)) return;
      // A sign-in replaces it; so does one that a tab without a store has heard of.
      if (before.sessionId === after.sessionId || after.startedAt < before.startedAt || !isOpen(after))
        violate('I10', `${by.tab.name} writes over a session of another server`);
    },
  };
}
