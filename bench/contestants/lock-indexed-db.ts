// The second idea of a good engineer, and the one to beat: a Web Lock around the refresh, and under it the pair is read from IndexedDB,
// where a commit is a commit. The token is kept in memory too.
import { isFresh, requestRefresh, toPair, type Pair } from './by-hand.js';
import type { Client } from './contestant.js';

const STORE = 'tokens';

export function create(): Client {
  let memory: Pair | undefined;
  let refreshing: Promise<string> | undefined;
  const database = new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('app', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error!);
  });

  async function read(): Promise<Pair | undefined> {
    const request = (await database).transaction(STORE).objectStore(STORE).get('pair');
    return new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result as Pair | undefined);
      request.onerror = () => reject(request.error!);
    });
  }

  async function write(pair: Pair): Promise<void> {
    const transaction = (await database).transaction(STORE, 'readwrite', { durability: 'strict' });
    transaction.objectStore(STORE).put(pair, 'pair');
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error!);
    });
  }

  async function refresh(): Promise<string> {
    memory = await read();
    if (memory && isFresh(memory)) return memory.accessToken;
    if (!memory) throw new Error('Signed out');
    memory = toPair(await requestRefresh(memory.refreshToken));
    await write(memory);
    return memory.accessToken;
  }

  return {
    async getToken() {
      if (memory && isFresh(memory)) return memory.accessToken;
      return (refreshing ??= navigator.locks
        .request('refresh', refresh)
        .finally(() => (refreshing = undefined)));
    },
    signIn: (tokens) => write((memory = toPair(tokens))),
  };
}
