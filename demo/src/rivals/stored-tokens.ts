// Tokens in localStorage, as applications without a library keep them. All tabs read the same entry; nobody is told when it changes.
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
