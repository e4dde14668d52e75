import { promisifyRequest, type UseStore } from 'idb-keyval';
import type { StoreOpenError } from '../core/ports.js';

/** Safari can leave a request unanswered for good. To open has this limit, and so has every operation; milliseconds. */
const LIMIT_MS = 3_000;
const NO_ANSWER = 'IndexedDB did not answer';

/**
 * A store for idb-keyval in a database of its own, one strict transaction per operation. It opens with the first operation, and again
 * after every failure. An operation that takes too long fails and writes nothing.
 *
 * No version is asked for: a new database gets version 1 with its store, any other is taken as it is. Only where the store is missing,
 * because other code opened the name first, the version is raised. An older bundle of this package, which asks for version 1, loses
 * nothing: it could not use that database before either.
 *
 *     other code   opens `one-refresh`: version 1, no store
 *     older tab        opens version 1: no store, memory ──────── closes its connection ····· cannot open version 1: memory
 *     this tab                         opens version 1: no store ─ opens version 2 ─▶ creates the store, and uses it
 *
 * Where such code keeps its connection open, the upgrade waits for it: this operation fails, and the store is there afterwards.
 */
export function database(name: string, storeName: string): UseStore {
  let connection: Promise<IDBDatabase> | undefined;

  function forget(db: IDBDatabase): void {
    connection = undefined;
    db.close();
  }

  async function open(blocked: () => void, version?: number): Promise<IDBDatabase> {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => request.result.createObjectStore(storeName);
    request.onblocked = blocked;
    const db = await promisifyRequest(request);
    if (!version && !db.objectStoreNames.contains(storeName)) {
      db.close();
      return open(blocked, db.version + 1);
    }
    db.onversionchange = () => forget(db);
    return db;
  }

  async function connect(): Promise<IDBDatabase> {
    let late = NO_ANSWER;
    const opening = open(() => (late = 'Other code keeps the database open'));
    try {
      return await inTime(opening, () => new Error(late));
    } catch (error) {
      connection = undefined;
      opening.then(forget, () => {});
      // (No answer is another matter: a browser that has just been started is slow, and somebody may be signed in.)
      if ((error as Error).message === NO_ANSWER) throw error;
      throw Object.assign(error as Error, { storeUnusable: true } satisfies StoreOpenError);
    }
  }

  async function begin(mode: IDBTransactionMode, again?: true): Promise<IDBTransaction> {
    const db = await (connection ??= connect());
    try {
      return db.transaction(storeName, mode, { durability: 'strict' });
    } catch (error) {
      // The connection is of no more use: the browser closed it, or WebKit lost its database process.
      forget(db);
      if (again) throw error;
      return begin(mode, true);
    }
  }

  return async (mode, run) => {
    const transaction = await begin(mode);
    try {
      return await inTime(run(transaction.objectStore(storeName)));
    } catch (error) {
      // A change that was given up must not be written after all.
      try {
        transaction.abort();
      } catch {
        // Finished already.
      }
      forget(transaction.db);
      throw error;
    }
  };
}

/**
 * Rejects if it takes too long; its later result is ignored.
 * @param late - makes the error when it is needed: its stack alone costs a new tab a millisecond
 */
function inTime<T>(work: T | PromiseLike<T>, late = () => new Error(NO_ANSWER)): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), LIMIT_MS);
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
