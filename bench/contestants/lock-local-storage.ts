// The first idea of a good engineer: a Web Lock around the refresh, and the storage is read again under it. It loses: another tab's write
// to localStorage may arrive in this process after the lock does.
import { isFresh, requestRefresh, toPair, type Pair } from './by-hand.js';
import type { Client } from './contestant.js';

const KEY = 'tokens';

export function create(): Client {
  let refreshing: Promise<string> | undefined;
  const read = (): Pair | undefined => JSON.parse(localStorage.getItem(KEY) ?? 'null') ?? undefined;
  const write = (pair: Pair): void => localStorage.setItem(KEY, JSON.stringify(pair));

  async function refresh(): Promise<string> {
    const current = read();
    if (current && isFresh(current)) return current.accessToken;
    if (!current) throw new Error('Signed out');
    const pair = toPair(await requestRefresh(current.refreshToken));
    write(pair);
    return pair.accessToken;
  }

  return {
    async getToken() {
      const pair = read();
      if (pair && isFresh(pair)) return pair.accessToken;
      return (refreshing ??= navigator.locks
        .request('refresh', refresh)
        .finally(() => (refreshing = undefined)));
    },
    signIn: async (tokens) => write(toPair(tokens)),
  };
}
