import type { ChannelPort } from '../core/ports.js';
import { toEnvelope } from '../core/protocol.js';

/** Loads the transport for browsers without a native channel; messages posted until then are lost, which is allowed. */
export function lazyChannel(name: string): ChannelPort {
  let loaded: ChannelPort | undefined;
  let closed = false;
  return {
    open(listener) {
      closed = false;
      if (loaded) return loaded.open(listener);
      import('./fallback-channel.js')
        .then(({ fallbackChannel }) => {
          loaded ??= fallbackChannel(name, toEnvelope);
          if (!closed) loaded.open(listener);
        })
        // Not loaded, or nothing here to build a channel on: alone, and the store still tells.
        .catch(() => {});
    },
    post: (message) => loaded?.post(message),
    close() {
      closed = true;
      loaded?.close();
    },
  };
}
