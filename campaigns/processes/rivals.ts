import type { Redis } from 'ioredis';

/** A pair as the ways without this library keep it in Redis. */
interface Pair {
  readonly access: string;
  readonly refresh: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** How long the lock of both samples lasts; milliseconds. */
const LOCK_MS = 5_000;

export const rivals = ['no-lock', 'article', 'lock-and-reread'] as const;
export type Rival = (typeof rivals)[number];

export async function savePair(redis: Redis, session: string, tokens: Tokens): Promise<void> {
  const pair: Pair = {
    access: tokens.access_token,
    refresh: tokens.refresh_token,
    expiresAt: Date.now() + tokens.expires_in * 1000,
  };
  await redis.set(`pair:${session}`, JSON.stringify(pair));
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
}

/** Three ways to come by a token without this library, as they are usually written. */
export function createRival(redis: Redis, url: string, kind: Rival): (session: string) => Promise<string> {
  const load = async (session: string): Promise<Pair> =>
    JSON.parse((await redis.get(`pair:${session}`)) ?? '{}') as Pair;
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));

  async function refresh(session: string, { refresh: token }: Pair): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token });
    const response = await fetch(url, { method: 'POST', body });
    if (!response.ok) throw new Error('invalid_grant');
    const tokens = (await response.json()) as Tokens;
    await savePair(redis, session, tokens);
    return tokens.access_token;
  }

  async function withoutLock(session: string): Promise<string> {
    const pair = await load(session);
    return pair.expiresAt > Date.now() ? pair.access : refresh(session, pair);
  }

  /** SET NX PX around the refresh; the lock is deleted, even another process's. */
  async function asInTheArticle(session: string): Promise<string> {
    const lock = `lock:${session}`;
    for (;;) {
      const pair = await load(session);
      if (pair.expiresAt > Date.now()) return pair.access;
      if ((await redis.set(lock, '1', 'PX', LOCK_MS, 'NX')) === 'OK') {
        try {
          return await refresh(session, pair);
        } finally {
          await redis.del(lock);
        }
      }
      await pause();
    }
  }

  /** The same with a second look under the lock, and a lock that only its owner deletes. */
  async function withSecondLook(session: string): Promise<string> {
    const lock = `lock:${session}`;
    const mine = crypto.randomUUID();
    for (;;) {
      const known = await load(session);
      if (known.expiresAt > Date.now()) return known.access;
      if ((await redis.set(lock, mine, 'PX', LOCK_MS, 'NX')) === 'OK') {
        try {
          const pair = await load(session);
          return pair.expiresAt > Date.now() ? pair.access : await refresh(session, pair);
        } finally {
          const release = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end";
          await redis.eval(release, 1, lock, mine);
        }
      }
      await pause();
    }
  }

  return { 'no-lock': withoutLock, article: asInTheArticle, 'lock-and-reread': withSecondLook }[kind];
}
