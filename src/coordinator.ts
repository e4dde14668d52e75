import { requiredLife } from './core/calls.js';
import type { ErrorCode } from './core/errors.js';
import { TokenCoordinatorError } from './core/errors.js';
import { leads, lifeLeft, tokenOf } from './core/knowledge.js';
import type { AccessToken } from './core/record.js';
import { audienceKey, isOpen } from './core/record.js';
import type { Effect, Outcome, State } from './core/state.js';
import type { CoordinatorEvent, EventType, Snapshot, TokenResponse } from './core/types.js';
import type { CheckedOptions } from './options.js';
import { outcomeOf } from './outcome.js';
import type { Ports } from './runtime.js';
import { createRuntime } from './runtime.js';
import type { AccessTokenOptions, TokenCoordinator, TokenSelector } from './types.js';

interface Pending {
  resolve(token: string): void;
  reject(error: unknown): void;
}

const loading: Snapshot = Object.freeze({
  status: 'loading',
  refreshStatus: 'idle',
  role: 'none',
  storage: 'memory',
  version: 0,
});

/** Promises, snapshots and listeners on top of one participant. */
export function createCoordinator(
  options: CheckedOptions,
  ports: Ports,
  lifeOfJwt: (token: string) => number | undefined,
): TokenCoordinator {
  const { client, isSessionLost, ...core } = options;
  const pending = new Map<number, Pending>();
  const controllers = new Map<number, AbortController>();
  const subscribers = new Set<() => void>();
  const listeners = new Map<EventType, Set<(event: never) => void>>();
  let nextCall = 1;
  let snapshot: Snapshot = loading;
  let seen: State | undefined;
  let fast: { readonly token: AccessToken; readonly fresh: number; readonly dead: number } | undefined;
  let lastWall = 0;
  let announceReady: () => void;
  const ready = new Promise<void>((resolve) => (announceReady = resolve));

  const { dispatch, state, now } = createRuntime(ports, core, {
    send({ attempt, refreshToken }) {
      const controller = new AbortController();
      controllers.set(attempt.tag, controller);
      const { sessionId, version, resource, scope } = attempt;
      const request = {
        sessionId,
        version,
        attempt: attempt.number,
        idempotencyKey: `${sessionId}.${version}`,
        signal: controller.signal,
        ...(refreshToken !== undefined && { refreshToken }),
        ...(resource !== undefined && { resource }),
        ...(scope !== undefined && { scope }),
      };
      const answer = (outcome: Outcome, life?: number): void => {
        controllers.delete(attempt.tag);
        dispatch({ type: 'answered', attempt: attempt.tag, outcome, life });
      };
      void (async () => client.refresh(request))().then(
        (tokens) => {
          if (typeof (tokens as TokenResponse | undefined)?.access_token !== 'string') {
            return answer({ kind: 'unavailable', unspent: false });
          }
          answer({ kind: 'tokens', tokens }, lifeOf(tokens));
        },
        (error: unknown) => answer(outcomeOf(error, isSessionLost)),
      );
    },
    abort: (attempt) => controllers.get(attempt)?.abort(),
    revoke: (token) => void client.revoke?.(token, 'refresh_token').catch(() => {}),
    settle({ id, token, error }) {
      const call = pending.get(id);
      pending.delete(id);
      if (error) call?.reject(error);
      else call?.resolve(token ?? '');
    },
    emit: ({ event }) => {
      for (const listener of listeners.get(event.type) ?? []) guarded(() => listener(event as never));
    },
    changed,
  });

  /** Life by the claims of a JWT (RFC 9068), for servers that leave out `expires_in`. */
  function lifeOf(tokens: TokenResponse): number | undefined {
    return tokens.expires_in === undefined ? lifeOfJwt(tokens.access_token) : undefined;
  }

  function changed(after: State): void {
    if (after === seen) return;
    seen = after;
    if (after.loaded) announceReady();
    fast = undefined;
    const next = snapshotOf(after);
    if (same(next, snapshot)) return;
    snapshot = Object.freeze(next);
    for (const subscriber of subscribers) guarded(subscriber);
  }

  /** The token in memory with its instants of death, on the wall clock; computed anew only after a step or a clock turned back. */
  function inMemory(wall: number): typeof fast {
    if (!fast || wall < lastWall) {
      const token = tokenOf(state(), '');
      if (!token) return undefined;
      const dead = wall + lifeLeft(state(), '', now());
      fast = { token, dead, fresh: dead - requiredLife(state(), token) };
    }
    lastWall = wall;
    return fast;
  }

  function ask<T = string>(
    start: (id: number) => void,
    { signal }: Pick<AccessTokenOptions, 'signal'> = {},
  ): Promise<T> {
    if (state().closed) return Promise.reject(failure('ERR_CLOSED', 'This coordinator was closed'));
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const id = nextCall++;
    return new Promise<T>((resolve, reject) => {
      const abort = (): void => dispatch({ type: 'cancel', id, error: aborted(signal!) });
      const stop = (): void => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort);
      pending.set(id, {
        resolve: (value) => (stop(), resolve(value as T)),
        reject: (error) => (stop(), reject(error as Error)),
      });
      start(id);
    });
  }

  function getAccessToken(asked?: AccessTokenOptions): Promise<string> {
    if (!asked) {
      const wall = ports.clock.wall();
      if (wall >= lastWall && !state().closed) {
        const known = inMemory(wall);
        if (known && wall < known.fresh) return Promise.resolve(known.token.token);
      }
    }
    const { minValidityMs, forceRefresh = false, timeoutMs, resource, scope, signal } = asked ?? {};
    return ask(
      (id) =>
        dispatch({
          type: 'call',
          id,
          audience: { resource, scope },
          force: forceRefresh,
          minValidityMs,
          timeoutMs: timeoutMs ?? core.refreshTimeoutMs + 5_000,
        }),
      { signal },
    );
  }

  const coordinator: TokenCoordinator = {
    ready,

    setSession(tokens, { subject, ifSignedOut = false } = {}) {
      if (typeof (tokens as TokenResponse | undefined)?.access_token !== 'string' || !tokens.access_token) {
        const message = 'setSession() takes a token response (RFC 6749 §5.1) with an access_token';
        return Promise.reject(failure('ERR_CONFIGURATION', message));
      }
      const { clock } = ports;
      return ask((call) =>
        dispatch({
          type: 'session',
          operation: {
            kind: 'session',
            call,
            sessionId: clock.id(),
            tokens,
            subject,
            ifSignedOut,
            life: lifeOf(tokens),
            at: clock.wall(),
          },
        }),
      ).then(() => {});
    },

    getAccessToken,

    peekAccessToken(selector?: TokenSelector) {
      if (selector?.resource === undefined && selector?.scope === undefined) {
        const wall = ports.clock.wall();
        const known = inMemory(wall);
        return known && wall < known.dead ? known.token.token : undefined;
      }
      const key = audienceKey(selector);
      return lifeLeft(state(), key, now()) > 0 ? tokenOf(state(), key)?.token : undefined;
    },

    peekIdToken() {
      const { record } = state();
      return isOpen(record) ? record.idToken : undefined;
    },

    async getAuthorizationHeaders({ url, method = 'GET', resource, scope }) {
      const accessToken = await getAccessToken(
        resource === undefined && scope === undefined ? undefined : { resource, scope },
      );
      if (client.authorize) return client.authorize({ url, method, accessToken });
      return { Authorization: `Bearer ${accessToken}` };
    },

    getSnapshot: () => snapshot,

    subscribe(listener) {
      // A set of wrappers: one function subscribed twice is two subscriptions.
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

    signOut: ({ revoke = true } = {}) =>
      ask((call) => dispatch({ type: 'sign-out', call, revoke })).then(() => {}),

    close() {
      dispatch({ type: 'close' });
      announceReady();
      return Promise.resolve();
    },
  };

  dispatch({ type: 'start' });
  return coordinator;
}

/** Where there is neither a document nor a worker (server rendering): opens nothing, promises nothing. */
export function createInertCoordinator(): TokenCoordinator {
  const refuse = (): Promise<never> =>
    Promise.reject(
      failure('ERR_UNSUPPORTED', 'Tokens are coordinated in browsers; there is no document or worker here'),
    );
  return {
    ready: Promise.resolve(),
    setSession: refuse,
    getAccessToken: refuse,
    peekAccessToken: () => undefined,
    peekIdToken: () => undefined,
    getAuthorizationHeaders: refuse,
    getSnapshot: () => loading,
    subscribe: () => () => {},
    on: () => () => {},
    signOut: refuse,
    close: () => Promise.resolve(),
  };
}

function snapshotOf(s: State): Snapshot {
  const { record, loaded, closed } = s;
  const open = loaded && isOpen(record);
  const expiresAt = tokenOf(s, '')?.expiresAt;
  const flying = s.flight && s.flight.phase !== 'electing' && open && !record.ended && !s.elect;
  const lost = open && record.ended?.kind === 'reauth-required' ? record.ended.reason : undefined;
  const error = lost
    ? failure('ERR_REAUTH_REQUIRED', 'The server ended the session; the user has to sign in again', {
        reason: lost,
      })
    : s.pause?.error;
  return {
    status: !loaded ? 'loading' : !open ? 'signed-out' : lost ? 'reauth-required' : 'signed-in',
    refreshStatus: flying ? 'refreshing' : s.pause ? 'paused' : 'idle',
    role: !open || closed ? 'none' : leads(s) ? 'leader' : 'follower',
    storage: s.storage,
    version: open ? record.version : 0,
    ...(open && { sessionId: record.sessionId }),
    ...(open && record.subject !== undefined && { subject: record.subject }),
    ...(open && expiresAt !== undefined && { expiresAt }),
    ...(error && { error }),
  };
}

function same(a: Snapshot, b: Snapshot): boolean {
  const keys = Object.keys(a) as (keyof Snapshot)[];
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => a[key] === b[key] || (key === 'error' && a.error?.message === b.error?.message))
  );
}

function failure(code: ErrorCode, message: string, details?: object): TokenCoordinatorError {
  return new TokenCoordinatorError(code, message, details);
}

function aborted(signal: AbortSignal): TokenCoordinatorError {
  return failure('ERR_ABORTED', 'The call was aborted by its signal', { cause: signal.reason as unknown });
}

/** A listener's fault is its own: reported as uncaught, it stops nobody else. */
function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
