import { TokenCoordinatorError, type ErrorCode } from '../../src/core/errors.js';
import type { Snapshot } from '../../src/core/types.js';
import type { TokenCoordinator } from '../../src/types.js';

/** A coordinator reduced to one session in one tab, for the tests of what stands on its interface. */
export interface FakeSession extends Pick<
  TokenCoordinator,
  'getAccessToken' | 'getAuthorizationHeaders' | 'getSnapshot' | 'peekAccessToken'
> {
  /** The access token of the current version; `undefined`: signed out. */
  readonly token: () => string | undefined;
  /** Refreshes so far. Calls that meet one under way share it. */
  refreshes: number;
  /** A refresh's work before its version is there. */
  beforeRefresh: () => Promise<void>;
  /** Begins a session, or ends it. */
  start(sessionId: string | undefined): void;
  /** Another tab has refreshed. */
  advance(): void;
}

export function createFakeSession(): FakeSession {
  let sessionId: string | undefined = 'first';
  let version = 1;
  let refreshing: Promise<void> | undefined;

  const token = (): string | undefined => sessionId && `${sessionId}-${version}`;
  const fail = (code: ErrorCode): never => {
    throw new TokenCoordinatorError(code, 'as the test wants it');
  };
  const session: FakeSession = {
    token,
    refreshes: 0,
    beforeRefresh: () => Promise.resolve(),
    start(id) {
      sessionId = id;
      version = 1;
    },
    advance: () => void version++,
    peekAccessToken: token,
    getSnapshot: () =>
      ({ status: sessionId ? 'signed-in' : 'signed-out', version, sessionId }) as unknown as Snapshot,
    async getAccessToken({ forceRefresh = false } = {}) {
      if (forceRefresh) {
        refreshing ??= (async () => {
          session.refreshes++;
          await session.beforeRefresh();
          version++;
        })().finally(() => (refreshing = undefined));
        await refreshing;
      }
      return token() ?? fail('ERR_SIGNED_OUT');
    },
    async getAuthorizationHeaders() {
      return { Authorization: `Bearer ${await session.getAccessToken()}` };
    },
  };
  return session;
}
