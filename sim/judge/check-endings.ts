import type { Check, Violate } from './check.js';
import type { Participant } from '../world/participant.js';
import type { Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

/** Sessions that end at a time known in advance: the server is not asked after it (I6), and it is announced at most once. */
export function checkEndings(world: World, truth: Truth, violate: Violate): Check {
  const { plan, server, scheduler, stats, participants } = world;
  const announced = new Map<string, Participant>();
  /** The end that the app gave each session, on the clock of the tab where it began. */
  const given = new Map<string, number>();

  return {
    step(by, event, _before, { record }) {
      const isEnded = record?.ended?.reason === 'no_refresh_token';
      if (isEnded && (record.end?.at ?? Infinity) > by.tab.clock.wall())
        violate('I7', `${by.tab.name} sees an end that has not come by its own clock`);
      if (event.type === 'session' && event.endsAt !== undefined) given.set(event.sessionId, event.endsAt);
    },

    sent({ request }, by) {
      const { sessionId, refreshToken, version } = request;
      const wall = by.tab.clock.wall();
      const saidByApp = given.get(sessionId) ?? Infinity;
      // (An answer of the server moves it.)
      const isMoved = plan.refreshLife !== undefined && version > 1;
      if (!isMoved && saidByApp <= wall)
        violate(
          'I6',
          `${by.tab.name} asks ${Math.round(wall - saidByApp)} ms after the end that the app gave`,
        );
      const endsAt = server.find(refreshToken)?.endsAt ?? Infinity;
      // (What the app says counts until the server's next answer; and tabs whose clocks differ see an end at different times.)
      const isKnown = (saidByApp === Infinity || isMoved) && stats.faults['jump'] === undefined;
      if (isKnown && endsAt < scheduler.now())
        violate(
          'I6',
          `${by.tab.name} asks ${Math.round(scheduler.now() - endsAt)} ms after the end that the server announced`,
        );
    },

    endAnnounced(by, end) {
      const last = announced.get(end);
      announced.set(end, by);
      if (!last) return;
      // Two without a common store each have their own word for it.
      const apart = participants.some(({ state }) => state()?.storage === 'memory') || truth.storeHurt();
      if (!apart) violate('I6', `${last.tab.name} and ${by.tab.name} announce the end of ${end}`);
    },
  };
}
