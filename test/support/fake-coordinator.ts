import type { Snapshot } from '../../src/core/types.js';
import type { TokenCoordinator } from '../../src/types.js';

/** A coordinator that a test drives by hand. Each of `set`'s calls is one change of the snapshot. */
export interface FakeCoordinator extends TokenCoordinator {
  /** Changes the snapshot and the tokens, and tells subscribers once. */
  set(
    change: Partial<Snapshot>,
    tokens?: { accessToken?: string | undefined; idToken?: string | undefined },
  ): void;
  /** Calls of `getAccessToken` so far. */
  asked: number;
  /** The behaviour of `getAccessToken` does. */
  answer: () => Promise<string>;
  /** How many are subscribed. */
  readonly subscribers: () => number;
}

export function createFakeCoordinator(
  initial: Partial<Snapshot> = {},
  accessToken?: string,
): FakeCoordinator {
  let snapshot: Snapshot = Object.freeze({
    status: 'signed-in',
    refreshStatus: 'idle',
    role: 'follower',
    storage: 'indexeddb',
    version: 1,
    sessionId: 'first',
    ...initial,
  });
  let tokens: { accessToken?: string | undefined; idToken?: string | undefined } = { accessToken };
  const listeners = new Set<() => void>();
  const nothing = (): Promise<void> => Promise.resolve();

  const coordinator: FakeCoordinator = {
    name: '',
    ready: Promise.resolve(),
    asked: 0,
    answer: () => new Promise(() => undefined),
    subscribers: () => listeners.size,
    set(change, newTokens) {
      snapshot = Object.freeze({ ...snapshot, ...change });
      if (newTokens) tokens = { ...tokens, ...newTokens };
      for (const listener of listeners) listener();
    },
    getAccessToken() {
      coordinator.asked++;
      return coordinator.answer();
    },
    peekAccessToken: () => (Date.now() < (snapshot.expiresAt ?? Infinity) ? tokens.accessToken : undefined),
    peekIdToken: () => tokens.idToken,
    getSnapshot: () => snapshot,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getAuthorizationHeaders: () => Promise.resolve({}),
    on: () => () => undefined,
    setSession: nothing,
    signOut: nothing,
    exportSession: () => Promise.resolve(undefined),
    close: nothing,
  };
  return coordinator;
}
