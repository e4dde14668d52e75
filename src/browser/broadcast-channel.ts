import type { ChannelPort } from '../core/ports.js';

/** The browser's own BroadcastChannel; `undefined` where there is none. */
export function nativeChannel(name: string): ChannelPort | undefined {
  if (typeof BroadcastChannel === 'undefined') return undefined;
  let channel: BroadcastChannel | undefined;
  return {
    open(listener) {
      if (channel) return;
      try {
        channel = new BroadcastChannel(name);
      } catch {
        // An opaque origin (sandboxed frame): alone, and the store or memory has to do.
        return;
      }
      channel.onmessage = ({ data }) => listener(data);
      // An unreadable message is as good as lost, which is allowed.
      channel.onmessageerror = () => {};
      // In Node (tests of the app) a channel must not keep the process alive.
      (channel as { unref?(): void }).unref?.();
    },
    post(message) {
      try {
        channel?.postMessage(message);
      } catch {
        // Lost, which is allowed.
      }
    },
    close() {
      channel?.close();
      channel = undefined;
    },
  };
}
