import type { StorePort } from '../core/ports.js';
import { parseRecord } from '../core/parse.js';
import { newer } from '../core/join.js';
import { type SessionRecord } from '../core/record.js';
import { inTime, LIMIT_MS } from './in-time.js';
import { SAVE_AGAIN_MS } from './lease-terms.js';
import type { Shared, Stored } from './shared.js';

/** So many other writers may be in between, and a read that failed is repeated so often. */
const MOST_WRITES = 20;
const MOST_READS = 3;
const READ_AGAIN_MS = 100;

/** Reads a record. A read spends nothing, so it is repeated; within the time of one operation. */
export async function readRecord(shared: Shared, key: string): Promise<Stored | undefined> {
  const start = performance.now();
  for (let tries = 1; ; tries++) {
    try {
      return await inTime(shared.read(key));
    } catch (error) {
      const tooLate = performance.now() - start + READ_AGAIN_MS * tries > LIMIT_MS;
      if (tries === MOST_READS || tooLate) throw error;
      await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_MS * tries));
    }
  }
}

/** A record with its mark; both are absent if there is none. */
export interface Known {
  readonly mark: string | undefined;
  /** As it was stored: beside the record there may be what is still to be revoked. */
  readonly value: unknown;
  readonly record: SessionRecord | undefined;
}

/** A text that is no JSON is no record, like a malformed one. */
export function toKnown(stored: Stored | undefined): Known {
  let value: unknown;
  try {
    value = stored && JSON.parse(stored.text);
  } catch {
    // Nobody can use it; the next sign-in replaces it.
  }
  return { mark: stored?.mark, value, record: parseRecord(value, Date.now()) };
}

/** The record of one session as the core's store: a write is compared with the mark of the last read. */
export interface RecordStore extends StorePort {
  /** The mark of what the core has seen last; `undefined` for no record, `null` before the first read. */
  readonly mark: () => string | undefined | null;
  /** Answers the core's next read with what has been read already; `undefined`: no longer. */
  readonly prime: (read: Known | undefined) => void;
  /** Calls back when nothing is left that only this process has: at once, or after the next write that works. `isAhead`: there is something. */
  readonly saved: (callback: () => void, isAhead: boolean) => void;
}

/**
 * Connects the core's store to the shared part. After a write that failed, `retry` is called until the store holds what
 * `mine`, the core's own record, says, or the core `isOver`.
 */
export function recordStore(
  shared: Shared,
  key: string,
  mine: () => SessionRecord | undefined,
  retry: () => void,
  isOver: () => boolean,
): RecordStore {
  let mark: string | undefined | null = null;
  let primed: Known | undefined;
  let unsaved = false;
  let running = 0;
  let retrying: NodeJS.Timeout | undefined;
  const waiting: (() => void)[] = [];

  async function write(change: (record: unknown) => SessionRecord | undefined): Promise<void> {
    for (let tries = 0; tries < MOST_WRITES; tries++) {
      const known = toKnown(await readRecord(shared, key));
      mark = known.mark;
      const next = change(known.value);
      if (!next) return;
      const written = await inTime(shared.write(key, known.mark, JSON.stringify(next)));
      if (written === undefined) continue;
      mark = written;
      return;
    }
    throw new Error('The record changes all the time');
  }

  function retryLater(): void {
    retrying = setTimeout(() => {
      if (isOver()) return;
      // A store that hangs is asked once at a time.
      if (running === 0) retry();
      retryLater();
    }, SAVE_AGAIN_MS).unref();
  }

  async function counted<T>(operation: () => Promise<T>): Promise<T> {
    running++;
    try {
      return await operation();
    } finally {
      running--;
    }
  }

  function keepTrying(): void {
    if (unsaved) return;
    unsaved = true;
    retryLater();
  }

  function settle(): void {
    clearTimeout(retrying);
    unsaved = false;
    for (const callback of waiting.splice(0)) callback();
  }

  return {
    mark: () => mark,
    prime: (read) => (primed = read),
    async read() {
      const known = primed ?? toKnown(await counted(() => readRecord(shared, key)));
      primed = undefined;
      mark = known.mark;
      if (unsaved && newer(known.record, mine()) === known.record) settle();
      return known.value;
    },
    saved(callback, isAhead) {
      if (isAhead) keepTrying();
      if (unsaved) waiting.push(callback);
      else callback();
    },
    async update(change) {
      try {
        await counted(() => write(change));
      } catch (error) {
        keepTrying();
        throw error;
      }
      // The core's newer knowledge has been written along with it.
      settle();
    },
  };
}
