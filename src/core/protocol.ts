import type { Audience, SessionRecord } from './record.js';
import type { CoordinatorEvent } from './types.js';

/** Messages of another protocol version are ignored; with a store nothing is lost by it. */
export const PROTOCOL = 1;

/** Members of every message: all that its sender knows of the session, but its tokens. The empty session is none. */
export type Position = Pick<SessionRecord, 'sessionId' | 'version' | 'term' | 'leader' | 'journal' | 'ended'>;

/** The messages between participants. The store is the truth; messages are speed. */
export type Message = Position & {
  /** Of a question: the sender has no store, so whoever knows better answers. */
  readonly memory?: boolean;
} & (
    | {
        readonly type: 'pair' | 'session-started' | 'signed-out';
        readonly record: SessionRecord;
        /** The sender's store may not have it, so whoever has a store writes it. */
        readonly unsaved: boolean;
        /** The refresh token was left out on purpose; it is in the store. */
        readonly withheld?: boolean;
      }
    /** News that the position tells; `journal` is for memory mode, where no store keeps the write-ahead. */
    | {
        readonly type:
          | 'leader-changed'
          | 'leader-resigned'
          | 'leader-pong'
          | 'reauth-required'
          | 'refresh-failed'
          | 'conflict'
          | 'journal';
      }
    /** Of a starting or waking participant: holders of something newer answer, and so does the leader, if it lives. */
    | { readonly type: 'hello' }
    /** A participant with a store, or the refresh worker, is asked to refresh, and says that it will. */
    | ({ readonly type: 'refresh-request' } & Audience)
    | { readonly type: 'refresh-accepted'; readonly to?: string }
    /** All that a transport without questions and answers says. */
    | { readonly type: 'changed' }
  );

/** A message as it arrives: with its sender, and the server and client that the sender works for. */
export type Envelope = Message & { readonly from: string; readonly binding?: string | undefined };

/** Puts a message into its envelope; `events` are what only its sender saw of its token requests, for a monitor. */
export function toEnvelope(
  message: Message,
  from: string,
  binding?: string,
  events?: readonly CoordinatorEvent[],
): object {
  return { ...message, protocol: PROTOCOL, from, binding, events };
}
