import { del, get, set, type UseStore } from 'idb-keyval';
import { database } from '../../browser/database.js';

/** Keys and notes in a database of their own; strict, because a key that is lost takes its session with it. */
export const keyStore: UseStore = database('one-refresh-dpop', 'dpop');

/** Reads what a tab has noted for all: a nonce, the clock's error. A note that cannot be read is as good as none. */
export const readNote = <T>(name: string): Promise<T | undefined> =>
  get<T>(name, keyStore).catch(() => undefined);

/** Notes something for all tabs, if it can be done. */
export const writeNote = (name: string, value: unknown): Promise<void> =>
  set(name, value, keyStore).catch(() => undefined);

/** Takes a note away, if it can be done. */
export const removeNote = (name: string): Promise<void> => del(name, keyStore).catch(() => undefined);
