// Most apps have this: the tokens in localStorage, one refresh at a time within the tab, and no word about other tabs.
import { isFresh, requestRefresh, toPair, type Pair } from './by-hand.js';
import type { Client } from './contestant.js';

const KEY = 'tokens';

export function create(): Client {
  let refreshing: Promise<string> | undefined;
  const read = (): Pair | undefined => JSON.parse(localStorage.getItem(KEY) ?? 'null') ?? undefined;
  const write = (pair: Pair): void => localStorage.setItem(KEY, JSON.stringify(pair));

  async function refresh({ refreshToken }: Pair): Promise<string> {
    const pair = toPair(await requestRefresh(refreshToken));
    write(pair);
    return pair.accessToken;
  }

  return {
    async getToken() {
      const pair = read();
      if (pair && isFresh(pair)) return pair.accessToken;
      if (!pair) throw new Error('Signed out');
      return (refreshing ??= refresh(pair).finally(() => (refreshing = undefined)));
    },
    signIn: async (tokens) => write(toPair(tokens)),
  };
}
