import { get, promisifyRequest, set, type UseStore } from 'idb-keyval';

/** Safari can leave a request to IndexedDB unanswered for good. */
const LIMIT_MS = 3_000;

let database: Promise<IDBDatabase> | undefined;

/** A store for idb-keyval in a database of its own; strict, because a key that is lost takes its session with it. */
export const keyStore: UseStore = async (mode, callback) => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('IndexedDB did not answer')), LIMIT_MS);
  });
  const run = async (): Promise<IDBObjectStore> => {
    const opened = await (database ??= open());
    return opened.transaction('dpop', mode, { durability: 'strict' }).objectStore('dpop');
  };
  try {
    return await Promise.race([run().then(callback), limit]);
  } catch (error) {
    // The next one opens it anew.
    database = undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
};

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open('one-refresh-dpop', 1);
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore('dpop'));
  const opened = await promisifyRequest(request);
  const forget = (): void => void (database = undefined);
  opened.addEventListener('close', forget);
  opened.addEventListener('versionchange', () => {
    opened.close();
    forget();
  });
  return opened;
}

/** One atomic change of a stored value; `undefined` is its absence, before and after. */
export function changeStored<T>(id: string, change: (found: T | undefined) => T | undefined): Promise<void> {
  return keyStore('readwrite', async (store) => {
    const changed = change(await promisifyRequest<T | undefined>(store.get(id)));
    if (changed === undefined) store.delete(id);
    else store.put(changed, id);
    await promisifyRequest(store.transaction);
  });
}

/** Reads what a tab has noted for all: a nonce, the clock's error. A note that cannot be read is as good as none. */
export const readNote = <T>(name: string): Promise<T | undefined> =>
  get<T>(name, keyStore).catch(() => undefined);

/** Notes something for all tabs, if it can be done. */
export const writeNote = (name: string, value: unknown): Promise<void> =>
  set(name, value, keyStore).catch(() => undefined);
