import {
  isTokenCoordinatorError,
  TokenCoordinatorError,
  type ErrorCode,
  type ErrorDetails,
} from '../core/errors.js';
import { guarded } from '../coordinator/listeners.js';
import { causeOf } from '../core/sanitise.js';
import type { CoordinatorEvent, EventType, Snapshot, TokenResponse } from '../core/types.js';
import type { AccessTokenOptions, SessionOptions, TokenCoordinator } from '../types.js';

/** A fake coordinator's state: the snapshot and the tokens. */
export interface FakeState extends Given<Snapshot> {
  /** The token that `getAccessToken` and `peekAccessToken` give until `expiresAt`; default: none. */
  readonly accessToken?: string | undefined;
  /** The value of `peekIdToken`; default: none. */
  readonly idToken?: string | undefined;
}

type Given<T> = { readonly [K in keyof T]?: T[K] | undefined };

const always = new Set(['status', 'refreshStatus', 'role', 'storage', 'version']);

/** Options of `createFakeCoordinator`. */
export interface FakeCoordinatorOptions extends FakeState {
  /**
   * The result of a refresh: asked when `getAccessToken` finds no live token, or is forced. Callers get its error, and the snapshot shows it
   * as `error`. Default: an access token that lives an hour.
   */
  readonly refresh?: ((options: AccessTokenOptions) => TokenResponse | Promise<TokenResponse>) | undefined;
}

/** A coordinator that a test drives by hand. */
export interface FakeCoordinator extends TokenCoordinator {
  /** Changes what is shown, all at once; subscribers are told once, and not at all if nothing changes. Emits nothing, never throws. */
  readonly set: (change: FakeState) => void;
  /** Tells listeners of an event; `at` is now unless given. Changes nothing, never throws. */
  readonly emit: <T extends EventType>(type: T, details?: Partial<Omit<CoordinatorEvent<T>, 'type'>>) => void;
}

/**
 * A coordinator for component tests and Storybook: no locks, no storage, no channel, no server, no timers. It does what the real one does
 * for one tab, as far as components can see: `setSession`, `signOut` and `close` work, calls at once share one refresh, and methods can
 * be destructured. Every audience (`resource`, `scope`) gets the same token; `timeoutMs` and `minValidityMs` are not looked at.
 *
 * @param asked - what it shows at first; default: signed in, follower, version 1, the access token `fake-token-1` without an end
 * @returns a coordinator with `set` and `emit` to drive it; its calls reject with the codes of the real one
 * @throws nothing
 * @example
 * import { createFakeCoordinator } from 'one-refresh/testing';
 *
 * const coordinator = createFakeCoordinator({ status: 'signed-out' });
 * coordinator.set({ status: 'signed-in', accessToken: 'a token', subject: 'Ada' });
 */
export function createFakeCoordinator(asked: FakeCoordinatorOptions = {}): FakeCoordinator {
  const options: FakeCoordinatorOptions = Object(asked);
  const { refresh = defaultRefresh, accessToken, idToken, ...rest } = options;
  const shown = withoutGaps(rest);
  const status = shown.status ?? 'signed-in';
  const open = isOpen(status);
  let sessions = 1;
  let snapshot: Snapshot = Object.freeze({
    status,
    refreshStatus: 'idle',
    role: open ? 'follower' : 'none',
    storage: 'indexeddb',
    version: open ? 1 : 0,
    sessionId: open ? 'fake-session-1' : undefined,
    ...shown,
  });
  const given = 'accessToken' in options ? accessToken : `fake-token-${snapshot.version}`;
  let tokens = { accessToken: open ? given : accessToken, idToken };
  let closed = false;
  let refreshing: Promise<string> | undefined;
  const subscribers = new Set<() => void>();
  const listeners = new Map<EventType | '*', Set<(event: CoordinatorEvent) => void>>();

  function defaultRefresh(): TokenResponse {
    return { access_token: `fake-token-${snapshot.version + 1}`, expires_in: 3_600 };
  }

  function set(change: FakeState): void {
    const next: FakeState = { ...snapshot, ...tokens, ...withoutGaps(change) };
    const before: FakeState = { ...snapshot, ...tokens };
    if (Object.keys(next).every((key) => next[key as keyof FakeState] === before[key as keyof FakeState]))
      return;
    const { accessToken: newAccessToken, idToken: newIdToken, ...rest } = next;
    tokens = { accessToken: newAccessToken, idToken: newIdToken };
    snapshot = Object.freeze(rest as Snapshot);
    subscribers.forEach((subscriber) => guarded(subscriber));
  }

  function emit(type: EventType, details: Partial<CoordinatorEvent> = {}): void {
    const { sessionId, version } = snapshot;
    const event: CoordinatorEvent = { at: Date.now(), sessionId, version, ...details, type };
    for (const heard of [type, '*'] as const)
      listeners.get(heard)?.forEach((listener) => guarded(() => listener(event)));
  }

  function peekAccessToken(): string | undefined {
    const { status: now, expiresAt = Infinity } = snapshot;
    return isOpen(now) && Date.now() < expiresAt ? tokens.accessToken : undefined;
  }

  /** The members of a token response that a component can see. */
  function shownOf({ access_token, expires_in, id_token }: TokenResponse): FakeState {
    return {
      accessToken: access_token,
      ...(id_token !== undefined && { idToken: id_token }),
      expiresAt: expires_in === undefined ? undefined : Date.now() + expires_in * 1_000,
    };
  }

  async function runRefresh(asked: AccessTokenOptions): Promise<string> {
    const { sessionId } = snapshot;
    set({ refreshStatus: 'refreshing' });
    emit('refresh-started');
    try {
      const response = await refresh(asked);
      if (snapshot.sessionId !== sessionId || !isOpen(snapshot.status)) throw fault('ERR_SIGNED_OUT');
      const version = snapshot.version + 1;
      set({ ...shownOf(response), version, refreshStatus: 'idle', error: undefined });
      emit('refresh-succeeded');
      return response.access_token;
    } catch (cause) {
      if (snapshot.sessionId !== sessionId || !isOpen(snapshot.status)) throw fault('ERR_SIGNED_OUT');
      const error = isTokenCoordinatorError(cause)
        ? cause
        : fault('ERR_REFRESH_UNAVAILABLE', { cause: causeOf(cause) });
      const lost = error.code === 'ERR_REAUTH_REQUIRED';
      set({ refreshStatus: lost ? 'idle' : 'paused', ...(lost && { status: 'reauth-required' }), error });
      emit(lost ? 'reauth-required' : 'refresh-failed', { reason: error.reason });
      throw error;
    }
  }

  async function getAccessToken(asked: AccessTokenOptions = {}): Promise<string> {
    const { signal, forceRefresh = false } = asked;
    for (;;) {
      if (signal?.aborted) throw fault('ERR_ABORTED', { cause: signal.reason });
      if (closed) throw fault('ERR_CLOSED');
      if (snapshot.status !== 'loading') break;
      await nextChange(signal);
    }
    if (snapshot.status === 'signed-out') throw fault('ERR_SIGNED_OUT');
    const token = peekAccessToken();
    if (token !== undefined && !forceRefresh) return token;
    if (snapshot.status === 'reauth-required') {
      throw snapshot.error ?? fault('ERR_REAUTH_REQUIRED', { reason: 'refresh_rejected' });
    }
    const { sessionId } = snapshot;
    const current = (refreshing ??= runRefresh(asked).finally(() => (refreshing = undefined)));
    // A refresh that takes long keeps nobody who has gone, or whose session has.
    const answered = current.then(
      () => true,
      () => true,
    );
    while (!(await Promise.race([answered, nextChange(signal)]))) {
      if (signal?.aborted) throw fault('ERR_ABORTED', { cause: signal.reason });
      if (closed) throw fault('ERR_CLOSED');
      if (snapshot.sessionId !== sessionId || !isOpen(snapshot.status)) throw fault('ERR_SIGNED_OUT');
    }
    return current;
  }

  function nextChange(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        subscribers.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      subscribers.add(done);
      signal?.addEventListener('abort', done);
    });
  }

  async function signOut(): Promise<void> {
    if (closed) throw fault('ERR_CLOSED');
    if (!isOpen(snapshot.status)) return;
    const nothing = {
      accessToken: undefined,
      idToken: undefined,
      sessionId: undefined,
      subject: undefined,
      sessionExpiresAt: undefined,
    };
    const idle = { refreshStatus: 'idle', expiresAt: undefined, error: undefined } as const;
    const { sessionId } = snapshot;
    set({ ...nothing, ...idle, status: 'signed-out', role: 'none', version: 0 });
    emit('signed-out', { sessionId });
  }

  return {
    name: '',
    ready: Promise.resolve(),
    set,
    emit,
    getAccessToken,
    peekAccessToken,
    peekIdToken: () => (isOpen(snapshot.status) ? tokens.idToken : undefined),
    getSnapshot: () => snapshot,
    async setSession(response, about) {
      const { subject, sessionExpiresAt, ifSignedOut = false } = Object(about) as SessionOptions;
      if (closed) throw fault('ERR_CLOSED');
      const { access_token } = Object(response) as Partial<TokenResponse>;
      if (typeof access_token !== 'string' || access_token === '') throw fault('ERR_CONFIGURATION');
      if (ifSignedOut && snapshot.status === 'signed-in') return;
      const sessionId = `fake-session-${++sessions}`;
      const fresh = { version: 1, refreshStatus: 'idle', error: undefined, idToken: undefined } as const;
      set({
        ...fresh,
        ...shownOf(response),
        status: 'signed-in',
        role: 'leader',
        sessionId,
        subject: subject ?? undefined,
        sessionExpiresAt,
      });
      emit('session-started');
    },
    async getAuthorizationHeaders() {
      return { Authorization: `Bearer ${await getAccessToken()}` };
    },
    subscribe(listener) {
      const subscriber = (): void => listener();
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },
    on(type, listener) {
      const wrapped = (event: CoordinatorEvent): void => listener(event as never);
      const all = listeners.get(type) ?? new Set();
      listeners.set(type, all.add(wrapped));
      return () => void all.delete(wrapped);
    },
    signOut,
    async exportSession() {
      const { accessToken = '', idToken: given } = tokens;
      const isHere = isOpen(snapshot.status);
      await signOut();
      return isHere ? { access_token: accessToken, id_token: given, token_type: 'Bearer' } : undefined;
    },
    async close() {
      if (closed) return;
      closed = true;
      // Also those who wait for the end of `loading`.
      subscribers.forEach((subscriber) => subscriber());
      subscribers.clear();
    },
  };
}

function isOpen(status: Snapshot['status']): boolean {
  return status === 'signed-in' || status === 'reauth-required';
}

function fault(code: ErrorCode, details?: ErrorDetails): TokenCoordinatorError {
  return new TokenCoordinatorError(code, `The fake coordinator rejects with ${code}`, details);
}

/** Required members stay as they were where `undefined` is given; the rest goes. */
function withoutGaps<T extends FakeState>(change: T): Omit<T, keyof Snapshot> & Partial<Snapshot> {
  const members = Object.entries(change).filter(([key, value]) => value !== undefined || !always.has(key));
  return Object.fromEntries(members) as Omit<T, keyof Snapshot> & Partial<Snapshot>;
}
