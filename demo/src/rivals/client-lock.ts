// The client lock of the literature, in the browser's own means: a Web Lock around the refresh, with a time limit; inside it the storage is
// read again, since another tab may have refreshed meanwhile; `invalid_grant` is handled as a conflict before it counts as the end.
import { requestRefresh } from './refresh-request.js';
import { isFresh, toStored, type SlowTokenStorage, type StoredTokens } from './stored-tokens.js';
import { SessionLostError, type TokenSource } from './token-source.js';
import type { RivalOptions } from './uncoordinated.js';

/** A holder that is gone must not block the others for ever. */
const LOCK_MS = 5_000;
/** How long after a conflict the storage is read once more, milliseconds. */
const SETTLE_MS = 200;

export function createClientLock(options: RivalOptions, storage: SlowTokenStorage): TokenSource {
  /** The token that the lab declared to be over. */
  let expired = { login: 0, version: 0 };
  const fresh = (stored: StoredTokens | undefined): stored is StoredTokens =>
    isFresh(stored) && !(stored.login === expired.login && stored.version <= expired.version);

  async function refreshUnderLock(): Promise<string> {
    try {
      return await navigator.locks.request(
        `${options.name}:refresh`,
        { signal: AbortSignal.timeout(LOCK_MS) },
        refreshOnce,
      );
    } catch (error) {
      if ((error as Error).name !== 'TimeoutError') throw error;
      return refreshOnce();
    }
  }

  async function refreshOnce(): Promise<string> {
    const held = await storage.read();
    if (held === undefined) throw new SessionLostError();
    if (fresh(held)) return held.accessToken;
    const result = await requestRefresh(held, options);
    if (result.kind === 'tokens') {
      await storage.write(result.tokens);
      return result.tokens.accessToken;
    }
    return settleConflict(held);
  }

  async function settleConflict(held: StoredTokens): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const stored = await storage.read();
    if (stored !== undefined && stored.refreshToken !== held.refreshToken) return stored.accessToken;
    await storage.clear();
    throw new SessionLostError();
  }

  let refreshing: Promise<string> | undefined;
  const source: TokenSource = {
    peek: () => {
      const stored = storage.peek();
      return fresh(stored) ? stored.accessToken : undefined;
    },
    async getAccessToken() {
      const stored = storage.peek();
      if (fresh(stored)) return stored.accessToken;
      refreshing ??= refreshUnderLock().finally(() => (refreshing = undefined));
      return refreshing;
    },
    async renew(version) {
      expired = { login: storage.peek()?.login ?? 0, version };
      return source.getAccessToken();
    },
    signIn: (login) => storage.write(toStored(login, 1, Date.now())),
    login: () => storage.peek()?.login ?? 0,
    version: () => storage.peek()?.version ?? 0,
    expiresAt: () => storage.peek()?.expiresAt ?? 0,
  };
  return source;
}
