import type { ChannelPort, StorePort } from '../core/ports.js';
import type { SessionStore } from './session-store.js';

/**
 * Loads the store that ends with the last tab, for apps that want it, and lets it hear the channel. An operation fails while it cannot be
 * loaded.
 * @param channel - absent where there is no native one: then no key can be handed over
 */
export function sessionPorts(
  name: string,
  store: StorePort,
  channel: ChannelPort | undefined,
): { store: StorePort; channel?: ChannelPort } {
  let loading: Promise<SessionStore> | undefined;
  const loaded = (): Promise<SessionStore> =>
    (loading ??= import('./session-store.js').then(
      ({ sessionStore }) => sessionStore(name, store, channel),
      (error: unknown) => {
        loading = undefined;
        throw error;
      },
    ));
  return {
    store: {
      read: async () => (await loaded()).read(),
      update: async (change) => (await loaded()).update(change),
    },
    ...(channel && {
      channel: overheard(
        channel,
        (data) =>
          void loading?.then(
            ({ hear }) => hear(data),
            () => {},
          ),
      ),
    }),
  };
}

/** The channel, with somebody who hears all that comes before its listener does. */
export function overheard(channel: ChannelPort, hear: (data: unknown) => void): ChannelPort {
  return {
    ...channel,
    open: (listener) =>
      channel.open((data) => {
        hear(data);
        listener(data);
      }),
  };
}
