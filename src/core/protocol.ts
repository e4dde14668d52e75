import type { LossReason } from './errors.js';
import type { Audience, Failure, Journal, SessionRecord } from './record.js';
import { parseRecord } from './record.js';

/** Messages of another protocol version are ignored; with a store nothing is lost by it. */
export const PROTOCOL = 1;

/** Where in a session's life the sender stands; the empty session is none. */
export interface Position {
  readonly sessionId: string;
  readonly version: number;
  readonly term: number;
  readonly leader?: string | undefined;
}

/** What participants tell each other. The store is the truth; messages are speed. */
export type Message = Position &
  (
    | {
        readonly type: 'pair' | 'session-started' | 'signed-out';
        readonly record: SessionRecord;
        /** The sender's store may not have it, so whoever has a store writes it. */
        readonly unsaved: boolean;
        /** The refresh token was left out on purpose; it is in the store. */
        readonly withheld?: boolean;
      }
    | { readonly type: 'leader-changed' | 'leader-resigned' }
    | { readonly type: 'reauth-required'; readonly reason: LossReason }
    /** Of a starting or waking participant: holders of something newer answer, and so does the leader, if it lives. */
    | {
        readonly type: 'hello';
        /** The sender has no store, so everybody who knows better answers. */
        readonly memory: boolean;
      }
    | { readonly type: 'leader-pong' }
    /** The failure's wait is a duration, not an instant: kept on the receiver's monotonic clock. */
    | { readonly type: 'refresh-failed'; readonly attempt: number; readonly failure: Failure }
    /** Memory mode: the write-ahead that no store keeps. */
    | { readonly type: 'journal'; readonly journal: Journal }
    /** Memory mode: a participant with a store is asked to refresh, and says that it will. */
    | ({ readonly type: 'refresh-request' } & Audience)
    | { readonly type: 'refresh-accepted'; readonly to: string }
    /** All that a transport without questions and answers says. */
    | { readonly type: 'changed' }
  );

/** A message as it arrives: who sent it. */
export type Envelope = Message & { readonly from: string };

/** Puts a message into its envelope. */
export function toEnvelope(message: Message, from: string): object {
  return { ...message, protocol: PROTOCOL, from };
}

/** Reads what arrived; any script of the origin can post. Unknown, foreign and malformed messages are `undefined`. */
export function parseMessage(data: unknown): Envelope | undefined {
  const message = Object(data) as Envelope & {
    readonly protocol: unknown;
    readonly [member: string]: unknown;
  };
  const sound =
    message.protocol === PROTOCOL &&
    [message.from, message.type, message.sessionId].every((member) => typeof member === 'string') &&
    [message.version, message.term].every(Number.isFinite) &&
    (!('record' in message) || parseRecord(message.record)?.sessionId === message.sessionId) &&
    (!('failure' in message) || Number.isFinite((message.failure as Partial<Failure> | null)?.retryInMs));
  return sound ? message : undefined;
}
