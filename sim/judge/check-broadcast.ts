import type { SessionRecord } from '../../src/core/record.js';
import type { Check, Violate } from './check.js';
import type { Participant } from '../world/participant.js';
import type { Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

/**
 * I8, `broadcast: 'access-token'`: a refresh token is posted in one case only, where its sender has not seen its pair in the store. Where no
 * store ever failed there is no such case.
 */
export function checkBroadcast({ plan }: World, truth: Truth, violate: Violate): Check {
  if (plan.options.broadcast !== 'access-token') return {};
  /** The pair that each participant last saw in the store. */
  const shown = new Map<Participant, string | undefined>();
  const nameOf = (record: SessionRecord | undefined): string | undefined =>
    record && `${record.sessionId}.${record.version}.${record.refreshToken}`;
  const isHostile = plan.profile === 'hostile';

  return {
    step(by, event, _before, { record }) {
      // (It has believed a script since, and knows no more what it saw.)
      if (isHostile && nameOf(record) !== shown.get(by)) shown.delete(by);
      if (event.type !== 'stored' || event.result.failed || !event.result.isStored) return;
      shown.set(by, nameOf(event.result.record));
    },
    posted(by, message) {
      const { record } = message as { record?: SessionRecord };
      if (record?.refreshToken === undefined) return;
      if (shown.get(by) === nameOf(record))
        violate('I8', `${by.tab.name} posts a refresh token that it has seen in the store`);
      // (A script may put a record into memory that was never stored.)
      else if (!isHostile && !truth.storeHurt())
        violate('I8', `${by.tab.name} posts a refresh token, though no store has failed`);
    },
  };
}
