/**
 * The store, leases and channel of all processes, as one process sees them: `redisShared()`, `postgresShared()`, `folderShared()`, or your own for another
 * store. Keys and names consist of `A-Z a-z 0-9 . _ -` and `:`. Every member may reject when the shared part cannot be reached; the
 * caller gives up after three seconds. Locks are leases here: docs/node.md and docs/protocol.md say what is needed of them.
 */
export interface Shared {
  /** The record of a session; `undefined` only if there is none. Rejects if it cannot be read. */
  readonly read: (key: string) => Promise<Stored | undefined>;
  /**
   * Writes if the record's mark is still `mark` (`undefined`: there is no record), as one atomic step. Resolves, once durable, to the
   * new mark, or to `undefined` if another process wrote before. Rejects if nobody knows: the record may have been written.
   */
  readonly write: (key: string, mark: string | undefined, text: string) => Promise<string | undefined>;
  /**
   * Takes a lease that is free, has ended, or belongs to `holder` or to `instead`. Resolves to its present holder. Rejects if that
   * is not known.
   */
  readonly acquire: (lease: LeaseRequest) => Promise<string>;
  /** Takes a lease from its holder, any holder. Rejects if it may not have been taken. */
  readonly steal: (lease: LeaseRequest) => Promise<void>;
  /** Ends a lease, if this holder still has it. Rejects if that is not known; then it ends by itself. */
  readonly release: (lease: Pick<LeaseRequest, 'key' | 'name' | 'holder'>) => Promise<void>;
  /** Tells all processes of a topic. A message may be lost. Rejects if it was not sent. */
  readonly post: (topic: string) => Promise<void>;
  /**
   * Calls `hear` for every topic that a process posts, and `missed` after a time without a connection. One connection for all
   * sessions, which does not keep the process alive. Returns how to stop; never throws.
   */
  readonly listen: (hear: (topic: string) => void, missed: () => void) => () => Promise<void>;
}

/** A record as it is stored. */
export interface Stored {
  /** Changes with every write. */
  readonly mark: string;
  /** The record itself; contains tokens. */
  readonly text: string;
}

/** A lease that is asked for. */
export interface LeaseRequest {
  /** Of the session. */
  readonly key: string;
  /** Several leases per session, each with its own holder. */
  readonly name: string;
  /** The asking process: unguessable, one per request. To ask again prolongs. */
  readonly holder: string;
  /** When the lease ends unless it is prolonged; milliseconds. */
  readonly ttlMs: number;
  /** A holder whose process is known to be dead. */
  readonly instead?: string | undefined;
}
