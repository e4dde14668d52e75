// Tokens in localStorage, as applications without a library keep them, or in IndexedDB. All tabs read the same entry; nobody is told when it
// changes.
import type { Login } from './token-source.js';

export interface StoredTokens {
  login: number;
  version: number;
  accessToken: string;
  refreshToken: string;
  /** By the clock of the tab that wrote it, epoch milliseconds. */
  expiresAt: number;
}

export interface TokenStorage {
  read(): StoredTokens | undefined;
  write(tokens: StoredTokens): void;
  clear(): void;
}

export function tokenStorage(key: string): TokenStorage {
  return {
    read() {
      const text = localStorage.getItem(key);
      return text === null ? undefined : (JSON.parse(text) as StoredTokens);
    },
    write: (tokens) => localStorage.setItem(key, JSON.stringify(tokens)),
    clear: () => localStorage.removeItem(key),
  };
}

/** A storage that takes its time. */
export interface SlowTokenStorage {
  /** The tokens that this tab knows without waiting. */
  peek(): StoredTokens | undefined;
  read(): Promise<StoredTokens | undefined>;
  write(tokens: StoredTokens): Promise<void>;
  clear(): Promise<void>;
}

/** `localStorage` behind the same interface. */
export function slowly(storage: TokenStorage): SlowTokenStorage {
  return {
    peek: () => storage.read(),
    read: async () => storage.read(),
    write: async (tokens) => storage.write(tokens),
    clear: async () => storage.clear(),
  };
}

const STORE = 'tokens';

/**
 * Tokens in IndexedDB, whose transactions are ordered: a read that begins after another tab's commit sees it. `peek` knows what this tab has
 * read or written last, and has it read again.
 */
export function indexedDbStorage(name: string): SlowTokenStorage {
  let known: StoredTokens | undefined;
  const database = new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(`${name} by hand`, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error!);
  });

  async function read(): Promise<StoredTokens | undefined> {
    const request = (await database).transaction(STORE).objectStore(STORE).get(STORE);
    return new Promise((resolve, reject) => {
      request.onsuccess = () => resolve((known = request.result as StoredTokens | undefined));
      request.onerror = () => reject(request.error!);
    });
  }

  async function change(tokens: StoredTokens | undefined): Promise<void> {
    const transaction = (await database).transaction(STORE, 'readwrite', { durability: 'strict' });
    const store = transaction.objectStore(STORE);
    if (tokens) store.put(tokens, STORE);
    else store.delete(STORE);
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => {
        known = tokens;
        resolve();
      };
      transaction.onabort = () => reject(transaction.error!);
    });
  }

  return {
    peek() {
      read().catch(() => {});
      return known;
    },
    read,
    write: change,
    clear: () => change(undefined),
  };
}

export function toStored({ number, tokens }: Login, version: number, sentAt: number): StoredTokens {
  return {
    login: number,
    version,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? '',
    expiresAt: sentAt + (tokens.expires_in ?? 0) * 1000,
  };
}

export function isFresh(tokens: StoredTokens | undefined): tokens is StoredTokens {
  return tokens !== undefined && Date.now() < tokens.expiresAt;
}
