import type { SessionRecord } from './record.js';

/**
 * The coordinator's needs of the world. One browser adapter each in `src/browser/`, one simulated port each
 * in `src/testing/`; nothing else in the library touches a platform API.
 */

/** How a lock is asked for: in the queue, only if free, or taken from its holder (Web Locks `ifAvailable`, `steal`). */
export type LockMode = 'wait' | 'try' | 'steal';

/**
 * The outcome of a lock request. `inherited`: granted, and its last holder is known to be dead (leases of attempts only). `lost`: another
 * participant stole it. `failed`: the platform refused to serve locks.
 */
export type LockOutcome = 'granted' | 'inherited' | 'refused' | 'lost' | 'failed';

/** Exclusive locks of the origin (Web Locks). Absent where the platform has none. */
export interface LockPort {
  /**
   * Reports every outcome to `listener`, never before it returns. The returned function releases or withdraws: after it
   * nothing is reported.
   */
  request(name: string, mode: LockMode, listener: (outcome: LockOutcome) => void): () => void;
}

/** A broadcast to the other participants of the same name; no order between senders, no acknowledgement. */
export interface ChannelPort {
  open(listener: (data: unknown) => void): void;
  post(message: object): void;
  close(): void;
}

/** One durable record. Every change is one atomic read-modify-write; a rejected promise means "not written, as far as known". */
export interface StorePort {
  read(): Promise<unknown>;
  /** Writes what `change` returns; `undefined` leaves the record alone. Resolves once durable. */
  update(change: (stored: unknown) => SessionRecord | undefined): Promise<void>;
}

/** A store that could not even be opened rejects with an error that carries this mark. */
export interface StoreOpenError {
  readonly storeUnusable: true;
}

/** Time and chance. */
export interface ClockPort {
  /** Epoch milliseconds; may jump. */
  wall(): number;
  /** Milliseconds that never go back; may stand still in sleep. */
  monotonic(): number;
  /** In [0, 1). */
  random(): number;
  /** An unguessable identifier. */
  id(): string;
  /** Calls back once, no earlier than `delayMs`. The returned function cancels. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

/**
 * The platform's word on this participant's life. `leave`: the page goes (perhaps into the back/forward cache);
 * `freeze`: it stands still; `return`: it is back from either, or from prerendering; `clock`: the wall clock turned back.
 */
export type LifecycleChange =
  'leave' | 'freeze' | 'return' | 'visible' | 'hidden' | 'online' | 'focus' | 'clock';

/** The refresh worker: a participant that outlives every page. It is told here, and speaks on the channel like all others. */
export interface WorkerPort {
  /** Starts it if need be. Resolves to whether there is one; never rejects. */
  ask(message: object): Promise<boolean>;
}

export interface LifecyclePort {
  /** Whether requests may be made now (not prerendering) and whether a user can see the page. */
  state(): { readonly active: boolean; readonly visible: boolean };
  /** Returns how to stop listening. */
  listen(listener: (change: LifecycleChange) => void): () => void;
}
