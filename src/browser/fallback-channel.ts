import { BroadcastChannel } from 'broadcast-channel';
import type { ChannelPort } from '../core/ports.js';
import type { Message, toEnvelope } from '../core/protocol.js';

type Hint = Pick<Message, 'sessionId' | 'version' | 'term'>;

/** Questions could not be answered here, so they are not asked. */
const silent: Message['type'][] = ['hello', 'leader-pong', 'refresh-request', 'refresh-accepted'];

/**
 * The transport for browsers without a native channel, loaded only there. The package leaves messages at rest, so no
 * token is ever posted on it: every message becomes the hint "session, version", and a tab that hears it reads the store.
 * (`envelope` is handed in, so that this chunk shares no module with the one that loads it.)
 */
export function fallbackChannel(name: string, envelope: typeof toEnvelope): ChannelPort {
  let channel: BroadcastChannel<Hint> | undefined;
  return {
    open(listener) {
      if (channel) return;
      channel = new BroadcastChannel<Hint>(name, { webWorkerSupport: false });
      channel.onmessage = (hint) => listener(envelope({ ...hint, type: 'changed' }, ''));
    },
    post(message) {
      const { type, sessionId, version } = message as Message;
      if (!silent.includes(type)) channel?.postMessage({ sessionId, version, term: 0 }).catch(() => {});
    },
    close() {
      channel?.close().catch(() => {});
      channel = undefined;
    },
  };
}
