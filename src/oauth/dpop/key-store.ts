import { get, promisifyRequest, set, type UseStore } from 'idb-keyval';
import { database } from '../../browser/database.js';

/** Keys and notes in a database of their own; strict, because a key that is lost takes its session with it. */
export const keyStore: UseStore = database('one-refresh-dpop', 'dpop');

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
