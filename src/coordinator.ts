import { watchForMisuse } from '#misuse';
import { say } from '#texts';
import { fault, misused, requiredLife, standingError } from './core/calls.js';
import { RefreshUnavailableError, TokenCoordinatorError } from './core/errors.js';
import { tell } from './core/commit.js';
import { leads, lifeLeft, tokenOf } from './core/knowledge.js';
import { patienceMs, silenceMs } from './core/limits.js';
import { isText } from './core/parse.js';
import {
  attemptLock,
  audienceKey,
  idempotencyKey,
  isForeign,
  isOpen,
  SCHEMA,
  tokensIn,
  tombstone,
} from './core/record.js';
import { maySend } from './core/refresh.js';
import type { Fault } from './core/record.js';
import { causeOf, messageOf, type Secrets } from './core/sanitise.js';
import type { Outcome, State } from './core/state.js';
import type { CoordinatorEvent, EventType, Snapshot } from './core/types.js';
import type { lazyExport } from './lazy-export.js';
import type { CheckedOptions } from './options.js';
import { outcomeOf, programmingFault } from './outcome.js';
import type { Ports } from './runtime.js';
import { withRevocations } from './revocations.js';
import { createRuntime } from './runtime.js';
import { areTokens, isKnownType, refusalOf, tokensWithLife, typeOf } from './token-response.js';
import type { AccessTokenOptions, TokenClient, TokenCoordinator, TokenSelector } from './types.js';

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
  const { name, client, isSessionLost, debug: _, ...core } = options;
  const { clock } = ports;
  const pending = new Map<number, { resolve: (token: string) => void; reject: (error: Error) => void }>();
  const controllers = new Map<number, AbortController>();
  /** By the type of event; those to '' are told that the snapshot has changed. */
  const listeners = new Map<EventType | '*' | '', Set<(event?: CoordinatorEvent) => void>>();
  /** The fault of `refresh`, as far as it was reported. */
  const faults = new Set<string>();
  let sending = false;
  /** The last sign-in that this tab has begun; never rejects. */
  let signingIn: Promise<void> | undefined;
  let nextCall = 1;
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
  const { dispatch, state, now } = createRuntime({ ...ports, store: revocations.store }, core, {
    send({ attempt }) {
      const { tag, sessionId, version, refreshToken, resource, scope } = attempt;
      const { record } = state();
      const secrets = (): Secrets => [refreshToken, ...tokensIn(record), ...tokensIn(state().record)];
      const controller = new AbortController();
      controllers.set(tag, controller);
      let isSent = false;
      const assertSendable = (): void => {
        // A client that was let through once may have sent something.
        if (!maySend(state(), attempt, now()))
          throw Object.assign(new RefreshUnavailableError(), { unspent: !isSent });
        isSent = true;
      };
      const cancelWatch = misuse.watch(nextCall);
      let isSameTask = true;
      const cancelTask = clock.setTimer(0, () => (isSameTask = false));
      sending = true;
      const answer = (async () =>
        client.refresh({
          refreshToken,
          resource,
          scope,
          sessionId,
          version,
          attempt: attempt.attempt,
          idempotencyKey: idempotencyKey(attempt),
          signal: controller.signal,
          assertSendable,
        }))();
      sending = false;
      void answer
        .then(
          (answered) => outcomeOfAnswer(answered, sessionId, secrets),
          (error: unknown): Outcome => {
            const message = programmingFault(error, isSameTask && !isSent, secrets());
            if (message === undefined)
              return outcomeOf(
                misuse.gaveCauseOf(error) ? fault('ERR_CONFIGURATION') : error,
                isSessionLost,
                secrets(),
              );
            // Once: each wake-up tries again.
            if (!faults.has(message)) report(error);
            faults.add(message);
            const why = { cause: causeOf(error, secrets()) };
            // (A request may have left all the same, as without an `await`.)
            return { kind: 'fault', fault: { code: 'ERR_CONFIGURATION', message }, unspent: false, why };
          },
        )
        // An error, or an answer, that throws when it is looked at.
        .catch(() => outcomeOf(undefined, undefined))
        .then((outcome: Outcome) => {
          cancelWatch();
          cancelTask();
          controllers.delete(tag);
          dispatch({ type: 'answered', tag, outcome });
        });
    },
    deliver(effect) {
      switch (effect.type) {
        case 'settle': {
          const { id, token, error } = effect;
          const call = pending.get(id);
          pending.delete(id);
          if (error) misuse.gave(error);
          return error ? call?.reject(error) : call?.resolve(token!);
        }
        case 'emit':
          return notify(effect.event.type, effect.event);
        case 'revoke':
          return revocations.revoke(effect.token, effect.after);
        case 'dispose':
          return controllers.forEach((controller) => controller.abort());
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

  const misuse = watchForMisuse(clock, core.refreshTimeoutMs, pending, dispatch);

  function notify(type: EventType | '*' | '', event?: CoordinatorEvent): void {
    const all = listeners.get(type) ?? new Set();
    // A copy, so that a listener that stops and starts again is told once.
    for (const listener of Array.from(all)) if (all.has(listener)) guarded(() => listener(event));
    if (event && type !== '*') notify('*', event);
  }

  function listen(type: EventType | '*' | '', listener: (event: never) => void): () => void {
    // One function that listens twice is two listeners.
    const one = (event?: CoordinatorEvent): void => listener(event as never);
    const all = listeners.get(type) ?? new Set();
    listeners.set(type, all.add(one));
    return () => void all.delete(one);
  }

  /** Nothing here waits: the server has rotated, and a page that dies now loses the pair. */
  function outcomeOfAnswer(answered: unknown, sessionId: string, secrets: () => Secrets): Outcome {
    const tokens = tokensWithLife(answered, clock.wall());
    if (!tokens) return outcomeOf(undefined, undefined);
    const { record } = state();
    // (The commit finds out that this session is over.)
    if (!isOpen(record) || record.sessionId !== sessionId) return { kind: 'tokens', tokens };
    const refusal = refusalOf(tokens, record, client);
    const typed = { ...tokens, token_type: tokens.token_type ?? typeOf(record) };
    if (!refusal) return { kind: 'tokens', tokens: typed };
    const { access_token, refresh_token, id_token } = tokens;
    const message = messageOf(refusal.message, [...secrets(), access_token, refresh_token, id_token]);
    const refused: Fault = { code: 'ERR_CONFIGURATION', message };
    return refusal.isForeign
      ? { kind: 'foreign', refused, refreshToken: refresh_token }
      : { kind: 'tokens', tokens, refused };
  }

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

  function ask(start: (id: number) => void, signal?: AbortSignal): Promise<string> {
    const refused = state().closed ? 'ERR_CLOSED' : sending ? 'ERR_CONFIGURATION' : undefined;
    return new Promise((resolve, reject) => {
      const fail = (error: TokenCoordinatorError): void => {
        misuse.gave(error);
        reject(error);
      };
      const aborted = (): TokenCoordinatorError =>
        new TokenCoordinatorError('ERR_ABORTED', say('ERR_ABORTED'), { cause: signal?.reason });
      if (refused) return fail(fault(refused));
      if (signal?.aborted) return fail(aborted());
      const id = nextCall++;
      const abort = (): void => dispatch({ type: 'cancel', id, error: aborted() });
      const stop = (): void => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort);
      pending.set(id, {
        resolve: (token) => (stop(), resolve(token)),
        reject: (error) => (stop(), reject(error)),
      });
      start(id);
    });
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
    const wrong =
      !(timeoutMs >= 0) || !((minValidityMs ?? 0) >= 0)
        ? 'durations'
        : !isAudience({ resource, scope }) && 'audience';
    if (wrong) return Promise.reject(misused(wrong));
    return ask(
      (id) => dispatch({ type: 'call', id, resource, scope, force, minValidityMs, failFast, timeoutMs }),
      signal,
    );
  }

  const coordinator: TokenCoordinator = {
    name,
    ready,

    async setSession(
      given,
      { subject, sessionExpiresAt: endsAt, ifSignedOut = false, dpopKeyPair, refreshable = true } = {},
    ) {
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
          dispatch({ type: 'session', id, sessionId, tokens, subject, endsAt, ifSignedOut, at });
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

    async getAuthorizationHeaders({ url, method = 'GET', resource, scope, previous }) {
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

    async signOut({ revoke = true } = {}) {
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
      const core = { attemptLock, fault, isOpen, silenceMs, tell, tombstone, SCHEMA };
      return exportSession({ ports, state, dispatch, core });
    },

    async close() {
      dispatch({ type: 'close' });
    },
  };

  dispatch({ type: 'start' });
  return guard?.(coordinator, notify) ?? coordinator;
}

const initialSnapshot: Snapshot = Object.freeze({
  status: 'loading',
  refreshStatus: 'idle',
  role: 'none',
  storage: 'memory',
  version: 0,
});

/** Where there is neither a document nor a worker scope (server rendering): opens nothing, promises nothing. */
export function createInertCoordinator(): TokenCoordinator {
  const refuse = async (): Promise<never> => {
    throw new TokenCoordinatorError('ERR_UNSUPPORTED', say('ERR_UNSUPPORTED', 'browser'));
  };
  const nothing = (): undefined => undefined;
  return {
    name: '',
    ready: Promise.resolve(),
    setSession: refuse,
    getAccessToken: refuse,
    peekAccessToken: nothing,
    peekIdToken: nothing,
    getAuthorizationHeaders: refuse,
    getSnapshot: () => initialSnapshot,
    subscribe: () => nothing,
    on: () => nothing,
    signOut: refuse,
    exportSession: refuse,
    close: async () => {},
  };
}

function snapshotOf(s: State, before: State | undefined, shown: Snapshot, client: TokenClient): Snapshot {
  const { record, pause } = s;
  const open = s.loaded && isOpen(record);
  const { ended, version, sessionId, subject } = open
    ? record
    : ({ version: 0 } as Partial<NonNullable<typeof record>>);
  const isSame =
    isForeign(record) === isForeign(before?.record) && record?.binding === before?.record?.binding;
  const unchanged =
    before && isSame && pause === before.pause && ended?.reason === before.record?.ended?.reason;
  const busy = s.flight && s.flight.phase !== 'electing' && open && !ended;
  return {
    status: !s.loaded ? 'loading' : !open ? 'signed-out' : ended ? 'reauth-required' : 'signed-in',
    refreshStatus: busy ? 'refreshing' : pause ? 'paused' : 'idle',
    role: !open || s.closed ? 'none' : leads(s) ? 'leader' : 'follower',
    storage: s.storage,
    version: version!,
    sessionId,
    subject,
    expiresAt: tokenOf(s, '')?.expiresAt,
    sessionExpiresAt: open ? record.end?.at : undefined,
    dpopNonces: open ? client.offersNonces?.() : undefined,
    error: unchanged ? shown.error : open || isForeign(record) ? standingError(s) : undefined,
  };
}

/** Its members can be stored. */
function areTexts(...members: unknown[]): boolean {
  return members.every((member) => isText(member ?? ''));
}

function isAudience(audience: TokenSelector): boolean {
  return areTexts(audience.resource, audience.scope) && isText(audienceKey(audience));
}

/** The user's code, best effort: however it fails, nobody is told. */
function quietly(run: () => Promise<void> | undefined): void {
  (async () => run())().catch(() => {});
}

/** A listener's fault is its own: reported as uncaught, it stops nobody else. */
function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    report(error);
  }
}

/** As uncaught, where the platform and its monitors look for such. */
function report(error: unknown): void {
  if (typeof reportError === 'function') return reportError(error);
  queueMicrotask(() => {
    throw error;
  });
}
