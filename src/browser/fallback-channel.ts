import type { BroadcastChannel as Channel } from 'broadcast-channel';
import type { ChannelPort } from '../core/ports.js';
import { toEnvelope, type Message } from '../core/protocol.js';
import type { SessionRecord } from '../core/record.js';

/**
 * The transport for browsers without a native channel, loaded only there. The package leaves messages at rest, so no
 * token is ever posted on it: every message becomes the hint "session, version", and whoever hears it reads the store.
 */
export function fallbackChannel(name: string): ChannelPort {
  let channel: Promise<Channel<Hint> | undefined> | undefined;
  return {
    open(listener) {
      channel ??= import('broadcast-channel').then(
        ({ BroadcastChannel }) => {
          const opened = new BroadcastChannel<Hint>(name, { webWorkerSupport: false });
          opened.onmessage = ({ sessionId, version }) =>
            listener(toEnvelope({ type: 'changed', sessionId, version }, ''));
          return opened;
        },
        () => undefined,
      );
    },
    post(message) {
      const hint = hintOf(message as Message);
      if (hint) void channel?.then((opened) => opened?.postMessage(hint)).catch(() => {});
    },
    close() {
      void channel?.then((opened) => opened?.close()).catch(() => {});
      channel = undefined;
    },
  };
}

interface Hint {
  readonly sessionId: string;
  readonly version: number;
}

/** Only what says that the store has changed; questions could not be answered. */
function hintOf(message: Message): Hint | undefined {
  const { type } = message;
  if (type === 'hello' || type === 'leader-pong' || type === 'refresh-accepted' || type === 'changed')
    return undefined;
  const { sessionId, version }: Pick<SessionRecord, 'sessionId' | 'version'> =
    'record' in message ? message.record : message;
  return { sessionId, version };
}
