import { promisifyRequest } from 'idb-keyval';
import type { StoreOpenError, StorePort } from '../core/ports.js';

const DATABASE = 'one-refresh';
const RECORDS = 'records';
/** Safari can leave an open hanging for good; every operation has this limit, milliseconds. */
const LIMIT_MS = 3_000;

/** One record of the origin's database, every change one strict, atomic read-modify-write transaction. */
export function indexedDbStore(name: string): StorePort {
  let connection: Promise<IDBDatabase> | undefined;
  const forget = (): void => void (connection = undefined);

  async function open(): Promise<IDBDatabase> {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(RECORDS);
    const db = await promisifyRequest(request);
    db.onclose = forget;
    db.onversionchange = () => {
      db.close();
      forget();
    };
    return db;
  }

  function connect(): Promise<IDBDatabase> {
    return (connection ??= inTime(open().catch(unusable)).catch((error: Error) => {
      forget();
      throw error;
    }));
  }

  async function begin(mode: IDBTransactionMode): Promise<IDBTransaction> {
    return (await connect()).transaction(RECORDS, mode, { durability: 'strict' });
  }

  /** One transaction: `run` makes its requests, and says when it is over. What it throws, a used up quota, ends it. */
  async function transact<T>(
    mode: IDBTransactionMode,
    run: (records: IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    const transaction = await begin(mode).catch((error: Error) => {
      // The browser closed the connection (another tab upgrades or deletes, WebKit lost its database process).
      if (error.name !== 'InvalidStateError') throw error;
      forget();
      return begin(mode);
    });
    try {
      return await inTime(run(transaction.objectStore(RECORDS)));
    } catch (error) {
      forget();
      // What was given up must not be written after all.
      try {
        transaction.abort();
      } catch {
        // Finished already.
      }
      throw error;
    }
  }

  // The browser opens it in another process: it may begin while this page still gets ready. A failure is met by the first read.
  connect().catch(() => {});

  return {
    read: () => transact('readonly', (records) => promisifyRequest(records.get(name))),
    update: (change) =>
      transact('readwrite', async (records) => {
        const { transaction } = records;
        const changed = change(await promisifyRequest(records.get(name)));
        if (changed) records.put(changed, name);
        // Without waiting for another turn of the event loop.
        transaction.commit?.();
        await promisifyRequest(transaction);
      }),
  };
}

/** Said no. (No answer in time is another matter: a browser that has just been started is slow, and somebody may be signed in.) */
function unusable(error: Error): never {
  throw Object.assign(error, { storeUnusable: true } satisfies StoreOpenError);
}

/** Rejects if it takes too long; what comes of it later is nobody's business. */
function inTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('No answer')), LIMIT_MS);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
