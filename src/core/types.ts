import type { TokenCoordinatorError } from './errors.js';
import type { Cause } from './sanitise.js';

/** A token response (RFC 6749 §5.1), snake_case and in seconds, as any OAuth client library returns it. */
export interface TokenResponse {
  /** The access token; opaque to clients (RFC 6749 §1.4). */
  readonly access_token: string;
  /** How the token is used; absent: `Bearer` (RFC 6750). */
  readonly token_type?: string | undefined;
  /** Life of the access token in seconds from the moment the server made the response. */
  readonly expires_in?: number | undefined;
  /** Absent: the old one stays in use (RFC 6749 §6). */
  readonly refresh_token?: string | undefined;
  /** The ID token (OpenID Connect Core §3.1.3.3), if there is one; absent in a refresh: the old one stays. */
  readonly id_token?: string | undefined;
  /** The granted scope, if it differs from the requested one (RFC 6749 §3.3). */
  readonly scope?: string | undefined;
  // `any` lets interfaces and classes pass as well, which have no index signature of their own.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [member: string]: any;
}

/** A coordinator's public state: frozen, the same object until something changes, never a token in it. */
export interface Snapshot {
  /** `loading` until the store has been read once; `reauth-required`: the server ended the session, the user has to sign in again. */
  readonly status: 'loading' | 'signed-out' | 'signed-in' | 'reauth-required';
  /** `paused`: backing off, offline, or refused for a fault of configuration. */
  readonly refreshStatus: 'idle' | 'refreshing' | 'paused';
  /** `leader`: this tab refreshes ahead of expiry; `none`: no session, or closed. */
  readonly role: 'leader' | 'follower' | 'none';
  /** `memory`: this tab cannot use IndexedDB; tokens live in the open tabs only. */
  readonly storage: 'indexeddb' | 'memory';
  /** 1 for the pair given at sign-in, +1 for each committed refresh, 0 without a session. */
  readonly version: number;
  /** Random, one per sign-in; absent without a session. */
  readonly sessionId?: string | undefined;
  /** The signed-in user, as `setSession` was told. */
  readonly subject?: string | undefined;
  /** Epoch milliseconds; absent if the server did not say. */
  readonly expiresAt?: number | undefined;
  /**
   * When the session ends, as far as is known in advance: as the last answer of the server that named an end said it, or else `setSession`.
   * Epoch milliseconds; absent if nobody has said it. From then on `status` is `reauth-required`, and the server is not asked.
   */
  readonly sessionExpiresAt?: number | undefined;
  /**
   * With DPoP: whether the authorization server sends nonces (RFC 9449 §8). `false`: proofs made ahead of time may stay usable, see
   * SECURITY.md. Absent without DPoP, and until this tab itself has refreshed.
   */
  readonly dpopNonces?: boolean | undefined;
  /** Why refreshing does not work at the moment, or why the session was lost. */
  readonly error?: TokenCoordinatorError | undefined;
}

/** The names of the events. */
export type EventType =
  | 'session-started'
  | 'signed-out'
  | 'reauth-required'
  | 'session-ending'
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
  /** The event's name. */
  readonly type: T;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Whose session it is about. */
  readonly sessionId?: string | undefined;
  /** The version of the pair at that moment. */
  readonly version?: number | undefined;
  /** Grows with each write-ahead, election, claim, noted failure and loss: orders the events of one version. A new pair counts whatever its term. */
  readonly term?: number | undefined;
  /** 1 for the first request of a version, +1 for each repetition. */
  readonly attempt?: number | undefined;
  /** Of failures, conflicts and losses: a code, never a token. Of `session-ending`: `expiry` or `idle`. */
  readonly reason?: string | undefined;
  /** Of `session-ending`: when the session ends; epoch milliseconds. */
  readonly endsAt?: number | undefined;
  /** Of failures, conflicts and losses: the HTTP status of the answer, if there was one. */
  readonly status?: number | undefined;
  /** Of those: the OAuth error of the answer (RFC 6749 §5.2), at most 64 of its characters, without known tokens. */
  readonly error?: string | undefined;
  /** Of those: its `error_description`, at most 256 of its characters, without known tokens. */
  readonly errorDescription?: string | undefined;
  /** Of those: the error, without known tokens. */
  readonly cause?: Cause | undefined;
  /** Milliseconds since the request was sent. */
  readonly durationMs?: number | undefined;
}
