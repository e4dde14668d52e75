import type { ChannelPort } from '../../src/core/ports.js';
import type { SessionRecord } from '../../src/core/record.js';
import { cloneRecord } from './clone.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';
import type { Tab } from './tab.js';

/** The BroadcastChannel of the simulated origin. */
export interface ChannelHub {
  readonly portOf: (tab: Tab) => ChannelPort;
  /** Posts anything, past all participants: any script of the origin can. */
  readonly inject: (data: unknown) => void;
}

/**
 * Each pair of sender and receiver keeps its order, nothing else does. A frozen page finds its messages when it wakes;
 * a cached page never hears of them. `lose` decides about each delivery.
 */
export function createChannelHub(
  { now, at }: Scheduler,
  random: Random,
  lose: (from: Tab, to: Tab, message: object) => boolean,
  posted: (from: Tab, message: object) => void,
): ChannelHub {
  interface Listener {
    readonly tab: Tab;
    readonly hear: (data: unknown) => void;
  }
  const open = new Map<Tab, Listener>();
  const last = new Map<Tab, Map<Tab, number>>();

  function deliver(from: Tab, to: Listener, message: object): void {
    if (lose(from, to.tab, message)) return;
    let times = last.get(from);
    if (!times) last.set(from, (times = new Map()));
    const time = Math.max(times.get(to.tab) ?? 0, now() + random.spread(0.1, 5));
    times.set(to.tab, time);
    at(time - now(), () => {
      if (to.tab.cached()) return;
      to.tab.run(() => {
        // Closed meanwhile.
        if (open.get(to.tab) === to) to.hear(message);
      });
    });
  }

  return {
    inject(data) {
      for (const listener of open.values()) {
        at(random.spread(0.1, 5), () => {
          if (listener.tab.cached()) return;
          listener.tab.run(() => {
            if (open.get(listener.tab) === listener) listener.hear(structuredClone(data));
          });
        });
      }
    },
    portOf: (tab) => {
      tab.onKill(() => open.delete(tab));
      return {
        open(hear) {
          if (!open.has(tab)) open.set(tab, { tab, hear });
        },
        post(message) {
          if (!open.has(tab)) return;
          posted(tab, message);
          const { record } = message as { record?: SessionRecord };
          const copy = record ? { ...message, record: cloneRecord(record) } : message;
          for (const listener of open.values()) if (listener.tab !== tab) deliver(tab, listener, copy);
        },
        close: () => void open.delete(tab),
      };
    },
  };
}
