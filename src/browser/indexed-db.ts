import { get, update, type UseStore } from 'idb-keyval';
import type { StoreOpenError, StorePort } from '../core/ports.js';

const DATABASE = 'one-refresh';
const RECORDS = 'records';
/** Safari can leave an open hanging for good; every operation has this limit, milliseconds. */
const LIMIT_MS = 3_000;

/** Thrown inside a transaction to leave the record alone; never leaves this file. */
const UNCHANGED = new Error();

/** One record of the origin's database, every change one strict, atomic read-modify-write transaction. */
export function indexedDbStore(name: string): StorePort {
  let connection: Promise<IDBDatabase> | undefined;

  function connect(): Promise<IDBDatabase> {
    return (connection ??= open(() => (connection = undefined)).catch((cause: unknown) => {
      connection = undefined;
      throw Object.assign(new Error('IndexedDB cannot be opened', { cause }), {
        storeUnusable: true,
      } satisfies StoreOpenError);
    }));
  }

  /** A store function for idb-keyval: its own default neither sets durability nor survives a closed connection. */
  const use: UseStore = async (mode, callback) => {
    const transaction = await connect()
      .then((db) => begin(db, mode))
      .catch(async (error: unknown) => {
        // The browser closed the connection (another tab upgrades or deletes, WebKit lost its database process).
        if ((error as Error).name !== 'InvalidStateError') throw error;
        connection = undefined;
        return begin(await connect(), mode);
      });
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error('IndexedDB did not answer')), LIMIT_MS);
        transaction.addEventListener('abort', () => reject(transaction.error ?? new Error('Aborted')));
        Promise.resolve(callback(transaction.objectStore(RECORDS))).then(resolve, reject);
      });
    } catch (error) {
      if (error !== UNCHANGED) {
        connection = undefined;
        // What was given up must not be written after all.
        try {
          transaction.abort();
        } catch {
          // Finished already.
        }
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    read: () => get(name, use),
    async update(change) {
      let transaction: IDBTransaction | undefined;
      const committing: UseStore = (mode, callback) =>
        use(mode, (records) => {
          transaction = records.transaction;
          return callback(records);
        });
      const updater = (stored: unknown): unknown => {
        const changed = change(stored);
        if (changed === undefined) throw UNCHANGED;
        // After the put that follows: commit without waiting for another turn of the event loop.
        queueMicrotask(() => transaction!.commit?.());
        return changed;
      };
      await update(name, updater, committing).catch((error: unknown) => {
        if (error !== UNCHANGED) throw error;
      });
    },
  };
}

function begin(db: IDBDatabase, mode: IDBTransactionMode): IDBTransaction {
  return db.transaction(RECORDS, mode, { durability: 'strict' });
}

function open(onGone: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    const timer = setTimeout(() => reject(new Error('Opening IndexedDB took too long')), LIMIT_MS);
    request.onupgradeneeded = () => request.result.createObjectStore(RECORDS);
    request.onsuccess = () => {
      clearTimeout(timer);
      const db = request.result;
      db.onclose = onGone;
      db.onversionchange = () => {
        db.close();
        onGone();
      };
      resolve(db);
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(request.error ?? new Error('Opening IndexedDB failed'));
    };
  });
}
