/** Options of the core, checked and with their defaults. */
export interface CoreOptions {
  readonly refreshBeforeMs?: number | undefined;
  readonly minValidityMs?: number | undefined;
  readonly proactive: 'visible' | 'always' | 'never';
  /** T of the protocol: the deadline of one token request. */
  readonly refreshTimeoutMs: number;
  readonly leaderTimeoutMs: number;
  readonly broadcast: 'pair' | 'access-token';
  /** The server and client that this participant's tokens go to; absent: nothing is compared. */
  readonly binding?: string | undefined;
  /** A session without a refresh token ends with its access token. */
  readonly needsRefreshToken?: boolean | undefined;
  /** Whether the platform has locks. */
  readonly locks: boolean;
  /**
   * Locks are leases, kept where the record is: they end by time while their holder lives, and it does not know. Without the store there
   * are none, so there is no memory mode either.
   */
  readonly leases?: boolean | undefined;
  /** Whether participants hear each other's questions (false on a transport that only hints at changes). */
  readonly answers: boolean;
  /** Whether there may be a refresh worker to ask. */
  readonly worker: boolean;
  /** Stands for election. A refresh worker does not: it keeps no timers and is stopped when idle, so it cannot lead. */
  readonly candidate: boolean;
}
