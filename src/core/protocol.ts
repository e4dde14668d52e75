import type { LossReason } from './errors.js';
import type { Audience, Journal, SessionRecord } from './record.js';
import { parseRecord } from './record.js';

/** Messages of another protocol version are ignored; with a store nothing is lost by it. */
export const PROTOCOL = 1;

/** Where in a session's life the sender stands. */
interface Position {
  readonly sessionId: string;
  readonly version: number;
  readonly term: number;
}

/** What participants tell each other. The store is the truth; messages are speed. */
export type Message =
  /** A record as its sender knows it. `unsaved`: its store does not have it, so whoever has a store writes it. */
  | {
      readonly type: 'pair' | 'session-started' | 'signed-out';
      readonly record: SessionRecord;
      readonly unsaved?: boolean | undefined;
      /** The refresh token was left out on purpose; it is in the store. */
      readonly withheld?: boolean | undefined;
    }
  | (Position & { readonly type: 'leader-changed' | 'leader-resigned'; readonly leader: string })
  | (Position & {
      readonly type: 'reauth-required';
      readonly leader?: string | undefined;
      readonly reason: LossReason;
    })
  /** Of a starting or waking participant: holders of something newer answer, and so does `leader`, if it lives. */
  | {
      readonly type: 'hello';
      readonly sessionId?: string | undefined;
      readonly version: number;
      readonly leader?: string | undefined;
      /** The sender has no store, so everybody who knows better answers. */
      readonly memory: boolean;
    }
  | { readonly type: 'leader-pong'; readonly leader: string; readonly term: number }
  /** A duration, not an instant: kept on the receiver's monotonic clock. */
  | (Position & {
      readonly type: 'refresh-failed';
      readonly attempt: number;
      readonly retryInMs: number;
      readonly error?: string | undefined;
      readonly errorDescription?: string | undefined;
    })
  /** Memory mode: the write-ahead that no store keeps. */
  | (Position & { readonly type: 'journal'; readonly journal: Journal })
  /** Memory mode: a participant with a store is asked to refresh, and says that it will. */
  | (Position & Audience & { readonly type: 'refresh-request' })
  | { readonly type: 'refresh-accepted'; readonly to: string }
  /** All that a transport without questions and answers says. */
  | { readonly type: 'changed'; readonly sessionId: string; readonly version: number };

/** A message as it arrives: who sent it. */
export type Envelope = Message & { readonly from: string };

const position = { sessionId: 'string', version: 'number', term: 'number' };
const shapes: Record<Message['type'], Record<string, string>> = {
  pair: { record: 'object' },
  'session-started': { record: 'object' },
  'signed-out': { record: 'object' },
  'leader-changed': { ...position, leader: 'string' },
  'leader-resigned': { ...position, leader: 'string' },
  'reauth-required': { ...position, reason: 'string' },
  hello: { version: 'number', memory: 'boolean' },
  'leader-pong': { leader: 'string', term: 'number' },
  'refresh-failed': { ...position, attempt: 'number', retryInMs: 'number' },
  journal: { ...position, journal: 'object' },
  'refresh-request': position,
  'refresh-accepted': { to: 'string' },
  changed: { sessionId: 'string', version: 'number' },
};

/** Puts a message into its envelope. */
export function toEnvelope(message: Message, from: string): object {
  return { ...message, protocol: PROTOCOL, from };
}

/** Reads what arrived; any script of the origin can post. Unknown, foreign and malformed messages are `undefined`. */
export function parseMessage(data: unknown): Envelope | undefined {
  const message = data as (Envelope & { protocol?: unknown }) | null;
  if (typeof message !== 'object' || message?.protocol !== PROTOCOL || typeof message.from !== 'string') {
    return undefined;
  }
  const shape = Object.hasOwn(shapes, message.type) ? shapes[message.type] : undefined;
  const fields = message as unknown as Record<string, unknown>;
  if (!shape || !Object.entries(shape).every(([key, type]) => typeof fields[key] === type)) return undefined;
  if ('record' in message && !parseRecord(message.record)) return undefined;
  return message;
}
