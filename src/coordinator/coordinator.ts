import { fault, isDuration, isSignal, misused, requiredLife } from '../core/calls.js';
import { tell } from '../core/commit.js';
import { lifeLeft, tokenOf } from '../core/knowledge.js';
import { patienceMs, silenceMs } from '../core/limits.js';
import { isText } from '../core/parse.js';
import { attemptLock, audienceKey, isLost, isOpen, SCHEMA, tombstone } from '../core/record.js';
import type { State } from '../core/state.js';
import type { CoordinatorEvent, EventType, Snapshot } from '../core/types.js';
import type { lazyExport } from '../lazy-export.js';
import type { CheckedOptions } from '../options.js';
import { withRevocations } from '../revocations.js';
import { createRuntime, type Ports, type Runtime } from '../runtime.js';
import { areTokens, isKnownType, tokensWithLife } from '../token-response.js';
import type { AccessTokenOptions, SessionOptions, TokenCoordinator, TokenSelector } from '../types.js';
import { createCalls, type Calls } from './calls.js';
import { createListeners } from './listeners.js';
import { createSender, type Sender } from './sender.js';
import { initialSnapshot, snapshotOf } from './snapshot.js';

/** The token for a caller without options, at once. */
interface Fast {
  readonly token: string;
  readonly promise: Promise<string>;
  readonly fresh: number;
  readonly dead: number;
}

/** Stands between a coordinator and its callers, for an option that few apps use; `notify` tells the coordinator's listeners. */
export type Guard = (
  coordinator: TokenCoordinator,
  notify: (type: EventType, event: CoordinatorEvent) => void,
) => TokenCoordinator;

/**
 * Promises, snapshots and listeners on top of one participant.
 * @param loadExport - absent in a worker, which may not load code later and shows nobody an `exportSession`
 */
export function createCoordinator(
  options: CheckedOptions,
  ports: Ports,
  loadExport?: typeof lazyExport,
  guard?: Guard,
): TokenCoordinator {
  const { name, client, isSessionLost: _, debug: __, ...core } = options;
  const { clock } = ports;
  const { notify, listen } = createListeners();
  /** The last sign-in that this tab has begun; never rejects. */
  let signingIn: Promise<void> | undefined;
  let snapshot = initialSnapshot;
  let seen: State | undefined;
  let announceReady = (): void => {};
  const ready = new Promise<void>((resolve) => (announceReady = resolve));
  /** The token in memory with its instants of death, on the wall clock; until the next step, or the clock turns back. */
  let fast: Fast | undefined;
  /** (A number in an object is changed in place; in a variable each new one is allocated.) */
  const last = { wall: 0.5 };

  const revocations = withRevocations(
    ports.store,
    clock,
    core.binding,
    client.revoke && (async (token) => client.revoke?.(token, 'refresh_token')),
  );
  const calls: Calls = createCalls(
    clock,
    core.refreshTimeoutMs,
    (event) => runtime.dispatch(event),
    () => (state().closed ? 'ERR_CLOSED' : sender.isSending() ? 'ERR_CONFIGURATION' : undefined),
  );
  const { ask } = calls;
  const sender: Sender = createSender(options, clock, calls, () => runtime);
  const runtime: Runtime = createRuntime({ ...ports, store: revocations.store }, core, {
    send: ({ attempt }) => sender.send(attempt),
    deliver(effect) {
      switch (effect.type) {
        case 'settle':
          return calls.settle(effect);
        case 'emit':
          return notify(effect.event.type, effect.event);
        case 'revoke':
          return revocations.revoke(effect.token, effect.after);
        case 'dispose':
          return sender.abort();
      }
    },
    changed(after) {
      if (after === seen) return;
      const next = snapshotOf(after, seen, snapshot, client);
      const { sessionId } = snapshot;
      if (sessionId && sessionId !== next.sessionId) {
        quietly(() => client.unbind?.({ name, sessionId }));
      }
      seen = after;
      fast = undefined;
      if (snapshot.status === 'loading' && (after.loaded || after.closed)) announceReady();
      if (next.status === 'signed-in' && snapshot.status !== 'signed-in')
        quietly(() => client.prepareRevocation?.());
      for (const key in next) {
        if (next[key as keyof Snapshot] === snapshot[key as keyof Snapshot]) continue;
        snapshot = Object.freeze(next);
        return notify('');
      }
    },
  });

  const { dispatch, state, now } = runtime;

  function inMemory(wall: number): typeof fast {
    if (!fast || wall < last.wall) {
      const token = tokenOf(state(), '');
      if (!token) return undefined;
      const dead = wall + lifeLeft(state(), '', now());
      const promise = Promise.resolve(token.token);
      fast = { token: token.token, promise, fresh: dead - requiredLife(state(), token), dead };
    }
    last.wall = wall;
    return fast;
  }

  function getAccessToken(asked?: AccessTokenOptions): Promise<string> {
    const wall = clock.wall();
    if (wall < last.wall) {
      // Memory counts by the time when it was current.
      fast = undefined;
      dispatch({ type: 'lifecycle', change: 'clock' });
    }
    if (!asked && !state().closed) {
      const known = inMemory(wall);
      if (known && wall < known.fresh) return known.promise;
    }
    last.wall = wall;
    const {
      minValidityMs,
      forceRefresh: force = false,
      failFast = false,
      resource,
      scope,
      signal,
    } = asked ?? {};
    const timeoutMs = asked?.timeoutMs ?? patienceMs(core);
    const wrong = ![timeoutMs, minValidityMs ?? 0].every(isDuration)
      ? 'durations'
      : !isAudience({ resource, scope })
        ? 'audience'
        : !isSignal(signal) && 'signal';
    if (wrong) return Promise.reject(misused(wrong));
    return ask(
      (id) => dispatch({ type: 'call', id, resource, scope, force, minValidityMs, failFast, timeoutMs }),
      signal,
    );
  }

  const coordinator: TokenCoordinator = {
    name,
    ready,

    async setSession(given, about) {
      const {
        subject,
        sessionExpiresAt: endsAt,
        ifSignedOut = false,
        dpopKeyPair,
        refreshable = true,
      } = Object(about) as SessionOptions;
      // At once: the caller may change the arguments later.
      const at = clock.wall();
      const tokens = tokensWithLife(given, at);
      const wrong =
        !tokens || !areTexts(given.refresh_token, given.id_token, given.token_type, subject)
          ? 'tokens'
          : !areTokens(tokens.access_token, tokens.refresh_token)
            ? 'characters'
            : dpopKeyPair && !client.bind
              ? 'dpopKeyPair'
              : !isKnownType(tokens.token_type, client)
                ? 'token_type'
                : endsAt !== undefined && !(Number.isFinite(endsAt) && endsAt > at)
                  ? 'sessionExpiresAt'
                  : core.needsRefreshToken && refreshable && !tokens.refresh_token
                    ? 'refresh_token'
                    : undefined;
      if (!tokens || wrong) throw misused(wrong!);
      const sessionId = clock.id();
      dispatch({ type: 'signing-in', change: 1 });
      let written = false;
      const begin = async (): Promise<void> => {
        // Whether somebody is, a tab without a store has to ask first.
        if (ifSignedOut) await ready;
        await client.bind?.({ name, sessionId, tokens, dpopKeyPair });
        await ask((id) => {
          written = true;
          // (An app without a name for its user says null.)
          dispatch({
            type: 'session',
            id,
            sessionId,
            tokens,
            subject: subject ?? undefined,
            endsAt,
            ifSignedOut,
            at,
          });
        });
      };
      const failed = (error: unknown): never => {
        // Nothing is left of it, unless it may have been written all the same.
        if (!written) quietly(() => client.unbind?.({ name, sessionId }));
        throw error;
      };
      const begun = begin()
        .catch(failed)
        .finally(() => dispatch({ type: 'signing-in', change: -1 }));
      signingIn = begun.catch(() => {});
      await begun;
      // Another tab's sign-in came first, or the next one already.
      if (snapshot.sessionId !== sessionId) quietly(() => client.unbind?.({ name, sessionId }));
    },

    getAccessToken,

    peekAccessToken(asked) {
      const audience = Object(asked) as TokenSelector;
      if (!isAudience(audience)) return undefined;
      const key = audienceKey(audience);
      if (!key) {
        const wall = clock.wall();
        const known = inMemory(wall);
        return known && wall < known.dead ? known.token : undefined;
      }
      return lifeLeft(state(), key, now()) > 0 ? tokenOf(state(), key)?.token : undefined;
    },

    peekIdToken() {
      const { record } = state();
      return isOpen(record) ? record.idToken : undefined;
    },

    async getAuthorizationHeaders(request) {
      const { url, method = 'GET', resource, scope, previous } = Object(request) as typeof request;
      const accessToken = await getAccessToken({ resource, scope });
      const { sessionId } = snapshot;
      return (
        client.authorize?.({ url, method, accessToken, sessionId, previous }) ?? {
          Authorization: `Bearer ${accessToken}`,
        }
      );
    },

    getSnapshot: () => snapshot,

    subscribe: (listener) => listen('', listener),

    on: listen,

    async signOut(how) {
      const { revoke = true } = Object(how) as { revoke?: boolean };
      // guard: a sign-out in a tab that has only just been opened waits for the first read
      if (!state().loaded) await ready;
      const signOut = (): Promise<unknown> => ask((id) => dispatch({ type: 'sign-out', id, revoke }));
      // A sign-in that this tab has begun comes before, however long it takes; the present session ends now.
      const earlier = state().signingIn > 0 && signingIn;
      await signOut();
      if (!earlier) return;
      await earlier;
      await signOut();
    },

    async exportSession() {
      await ready;
      const { exportSession } = await loadExport!();
      const core = { attemptLock, fault, isLost, isOpen, silenceMs, tell, tombstone, SCHEMA };
      return exportSession({ ports, state, dispatch, core });
    },

    async close() {
      dispatch({ type: 'close' });
    },
  };

  dispatch({ type: 'start' });
  return guard?.(coordinator, notify) ?? coordinator;
}

/** Its members can be stored. */
function areTexts(...members: unknown[]): boolean {
  return members.every((member) => isText(member ?? ''));
}

function isAudience(audience: TokenSelector): boolean {
  const { resource = '', scope = '' } = audience;
  return isText(resource) && isText(scope) && isText(audienceKey(audience));
}

/** The user's code, best effort: however it fails, nobody is told. */
function quietly(run: () => Promise<void> | undefined): void {
  (async () => run())().catch(() => {});
}
