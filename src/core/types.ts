import type { TokenCoordinatorError } from './errors.js';

/** A token response (RFC 6749 §5.1), snake_case and in seconds, as any OAuth client library returns it. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type?: string | undefined;
  /** Life of the access token in seconds from the moment the server made the response. */
  readonly expires_in?: number | undefined;
  /** Absent: the old one stays in use (RFC 6749 §6). */
  readonly refresh_token?: string | undefined;
  readonly id_token?: string | undefined;
  readonly scope?: string | undefined;
  readonly [member: string]: unknown;
}

/** What a coordinator shows of itself: frozen, the same object until something changes, never a token in it. */
export interface Snapshot {
  readonly status: 'loading' | 'signed-out' | 'signed-in' | 'reauth-required';
  /** `paused`: backing off, offline, or refused for a fault of configuration. */
  readonly refreshStatus: 'idle' | 'refreshing' | 'paused';
  readonly role: 'leader' | 'follower' | 'none';
  /** `memory`: this tab cannot use IndexedDB; tokens live in the open tabs only. */
  readonly storage: 'indexeddb' | 'memory';
  /** 1 for the pair given at sign-in, +1 for each committed refresh, 0 without a session. */
  readonly version: number;
  readonly sessionId?: string | undefined;
  readonly subject?: string | undefined;
  /** Epoch milliseconds; absent if the server did not say. */
  readonly expiresAt?: number | undefined;
  readonly error?: TokenCoordinatorError | undefined;
}

/** The names of the events. */
export type EventType =
  | 'session-started'
  | 'signed-out'
  | 'reauth-required'
  | 'leader-changed'
  | 'refresh-started'
  | 'refresh-succeeded'
  | 'refresh-failed'
  | 'conflict'
  | 'in-doubt'
  | 'takeover'
  | 'storage-changed';

/** One event; never contains a token. */
export interface CoordinatorEvent<T extends EventType = EventType> {
  readonly type: T;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly sessionId?: string | undefined;
  readonly version?: number | undefined;
  /** The fencing token: grows with every write-ahead, election and claim. */
  readonly term?: number | undefined;
  /** 1 for the first request of a version, +1 for each repetition. */
  readonly attempt?: number | undefined;
  readonly reason?: string | undefined;
  readonly durationMs?: number | undefined;
}
