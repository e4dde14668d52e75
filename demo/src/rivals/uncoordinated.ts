// No coordination: each tab refreshes when it finds the token expired, and takes `invalid_grant` for the end of the session. This is what
// most applications do; one refresh at a time within the tab is all the care they take. Given a server that checks versions, it also
// understands a conflict: then it looks for the pair that a neighbour stored.
import { requestRefresh, type RefreshRequestOptions } from './refresh-request.js';
import { isFresh, tokenStorage, toStored, type StoredTokens } from './stored-tokens.js';
import { SessionLostError, type TokenSource } from './token-source.js';

export interface RivalOptions extends RefreshRequestOptions {
  /** Names the storage entry. */
  name: string;
}

/** How long a neighbour's pair is waited for after a conflict, and how often it is looked for; milliseconds. */
const NEIGHBOUR_MS = 2_000;
const LOOK_MS = 10;

export function createUncoordinated(options: RivalOptions): TokenSource {
  const storage = tokenStorage(options.name);
  /** The token that the lab declared to be over. */
  let expired = { login: 0, version: 0 };
  const fresh = (stored: StoredTokens | undefined): stored is StoredTokens =>
    isFresh(stored) && !(stored.login === expired.login && stored.version <= expired.version);
  let refreshing: Promise<string> | undefined;

  async function refresh(held: StoredTokens): Promise<string> {
    const result = await requestRefresh(held, options);
    switch (result.kind) {
      case 'tokens':
        storage.write(result.tokens);
        return result.tokens.accessToken;
      case 'conflict':
        return neighboursPair(held, result.currentVersion);
      case 'invalid_grant':
        // A pair that a neighbour stored meanwhile is left alone, which is more care than many applications take.
        if (storage.read()?.refreshToken === held.refreshToken) storage.clear();
        throw new SessionLostError();
    }
  }

  /** The winner of the race stores its pair as soon as it has it. */
  async function neighboursPair(held: StoredTokens, version: number): Promise<string> {
    for (let waited = 0; waited < NEIGHBOUR_MS; waited += LOOK_MS) {
      const stored = storage.read();
      if (stored === undefined) throw new SessionLostError();
      if (stored.login !== held.login || stored.version >= version) return stored.accessToken;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    // Nobody has it: the answer was lost, or the winner was closed. Without the pair there is no way on.
    storage.clear();
    throw new SessionLostError();
  }

  const source: TokenSource = {
    peek: () => {
      const stored = storage.read();
      return fresh(stored) ? stored.accessToken : undefined;
    },
    async getAccessToken() {
      const stored = storage.read();
      if (stored === undefined) throw new SessionLostError();
      if (fresh(stored)) return stored.accessToken;
      refreshing ??= refresh(stored).finally(() => (refreshing = undefined));
      return refreshing;
    },
    async renew(version) {
      expired = { login: storage.read()?.login ?? 0, version };
      return source.getAccessToken();
    },
    async signIn(login) {
      storage.write(toStored(login, 1, Date.now()));
    },
    login: () => storage.read()?.login ?? 0,
    version: () => storage.read()?.version ?? 0,
    expiresAt: () => storage.read()?.expiresAt ?? 0,
  };
  return source;
}
