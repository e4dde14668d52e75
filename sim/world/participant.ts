import { createCoordinator } from '../../src/coordinator/coordinator.js';
import { fault } from '../../src/core/calls.js';
import { patienceMs } from '../../src/core/limits.js';
import { parseRecord } from '../../src/core/parse.js';
import { isOpen } from '../../src/core/record.js';
import { newer } from '../../src/core/join.js';
import type { Effect, Event, State } from '../../src/core/state.js';
import { checkOptions, type CheckedOptions } from '../../src/options.js';
import type { Ports } from '../../src/runtime.js';
import type { AccessTokenOptions, TokenCoordinator, TokenCoordinatorOptions } from '../../src/types.js';
import { createProcessCoordinator } from '../../src/node/process-coordinator.js';
import { SAVE_AGAIN_MS } from '../../src/node/lease-terms.js';
import { createWorkerParticipant, type WorkerParticipant } from '../../src/worker/worker-participant.js';
import type { Tab } from './tab.js';

/** One call of a user's code, from its first moment until it settled. */
export interface Call {
  readonly number: number;
  readonly by: Participant;
  readonly kind: 'get' | 'session' | 'sign-out';
  readonly options: AccessTokenOptions;
  /** The state of this tab at that moment, or as a process read it then: whose session, which version. */
  session: string | undefined;
  readonly version: number;
  /** The token that it had then. */
  readonly held: string | undefined;
  /** The open session that the store had had since before this tab, which had not read it yet. */
  readonly unread: string | undefined;
  /** The tab's running time. */
  readonly since: number;
  readonly limitMs: number;
  outcome: { readonly token?: string; readonly code?: string } | undefined;
}

/** A tab with a coordinator in it, or the refresh worker. */
export interface Participant {
  readonly tab: Tab;
  /** Which configuration of the app it runs: its server and client. */
  readonly app: number;
  /** The user's code of a page; a worker has none. */
  readonly coordinator: TokenCoordinator;
  /** How a process asks for a token: it reads first, and means the session that it finds. */
  readonly ask?: (
    options: AccessTokenOptions,
    found: (sessionId: string | undefined) => void,
  ) => Promise<string>;
  /** Writes a record that the store may lack, in a process. */
  readonly reread?: () => void;
  /** Pages' requests to a worker; a page is asked nothing. */
  readonly serve?: WorkerParticipant['serve'];
  /** As of its last step. */
  readonly state: () => State | undefined;
  /** `close()` was called. */
  closed: boolean;
  /** Locks and channel were given up because the page left; its requests may still be answered. */
  left: boolean;
  /** When it last came back to them; virtual time. */
  returnedAt: number;
  /** Calls that have not settled. */
  readonly waiting: Set<Call>;
  /** Sessions that this participant has heard or read to be signed out. */
  readonly over: Set<string>;
  /** Its code ends at the so-manieth use of a port from now. */
  fuse: number | undefined;
}

export interface ParticipantHooks {
  readonly step: (
    by: Participant,
    event: Event,
    before: State | undefined,
    after: State,
    effects: readonly Effect[],
  ) => void;
  readonly lossAnnounced: (by: Participant, version: string) => void;
  readonly endAnnounced: (by: Participant, end: string) => void;
  /** A promise was settled. */
  readonly settling: () => void;
}

export function createParticipant(
  tab: Tab,
  options: TokenCoordinatorOptions,
  ports: Omit<Ports, 'observe'>,
  hooks: ParticipantHooks,
  kind: 'page' | 'worker' | 'process',
  app: number,
): Participant {
  let state: State | undefined;
  const participant: Participant = {
    tab,
    app,
    state: () => state,
    closed: false,
    left: false,
    returnedAt: -Infinity,
    waiting: new Set(),
    over: new Set(),
    fuse: undefined,
    coordinator: undefined as unknown as TokenCoordinator,
  };
  const observe: Ports['observe'] = (event, after, effects) => {
    const before = state;
    state = after;
    hooks.step(participant, event, before, after, effects);
  };
  const all = { ...fused(ports, participant), observe };
  const checked = checkOptions(options);
  if (kind === 'worker') {
    return Object.assign(participant, { serve: createWorkerParticipant(checked, all).serve });
  }
  const process = kind === 'process' ? createProcess(checked, all, hooks.settling) : undefined;
  const coordinator = process?.coordinator ?? createCoordinator(checked, all);
  coordinator.on('reauth-required', ({ sessionId, version }) =>
    hooks.lossAnnounced(participant, `${sessionId}.${version}`),
  );
  coordinator.on('session-ending', ({ sessionId, endsAt }) =>
    hooks.endAnnounced(participant, `${sessionId} at ${endsAt}`),
  );
  return Object.assign(participant, {
    coordinator,
    ...(process && { ask: process.ask, reread: process.reread }),
  });
}

/**
 * As `one-refresh/node` makes it, without its own timers: the others hear only of a change. A call reads first, and ends when
 * the shared part is away.
 */
function createProcess(
  options: CheckedOptions,
  { locks, channel, store, clock, observe }: Ports,
  settling: () => void,
): Required<Pick<Participant, 'coordinator' | 'ask' | 'reread'>> {
  const waiting: (() => void)[] = [];
  const calls = new Set<AbortController>();
  let state: State | undefined;
  let unsaved = false;
  let cancelRetry = (): void => {};
  /** The record that a call has just read, for the core. */
  let primed: { readonly record: unknown } | undefined;
  const isAway = (): boolean => state?.storage === 'memory';
  const settle = (): void => {
    cancelRetry();
    unsaved = false;
    for (const callback of waiting.splice(0)) callback();
  };
  const { coordinator, reread, save } = createProcessCoordinator(options, {
    locks: locks!,
    store: {
      async read() {
        const record = primed ? primed.record : await store.read();
        const known = unsaved ? parseRecord(record, clock.wall()) : undefined;
        if (unsaved && newer(known, state?.record) === known) settle();
        return record;
      },
      async update(change) {
        try {
          await store.update(change);
        } catch (error) {
          keepTrying();
          throw error;
        }
        settle();
      },
    },
    clock,
    observe(event, after, effects) {
      const wasAway = isAway();
      state = after;
      observe?.(event, after, effects);
      if (!wasAway && isAway()) for (const call of calls) call.abort();
    },
    saved: (callback, isAhead) => {
      if (isAhead) keepTrying();
      if (unsaved) waiting.push(callback);
      else callback();
    },
    onChange(callback) {
      channel.open(callback);
      return () => channel.close();
    },
    changed: () => channel.post({ type: 'changed' }),
  });

  function keepTrying(): void {
    if (!unsaved) retry();
    unsaved = true;
  }

  function retry(): void {
    cancelRetry = clock.setTimer(SAVE_AGAIN_MS, () => {
      if (state?.disposed) return;
      save();
      retry();
    });
  }

  const ask: Participant['ask'] = async (asked, found) => {
    const start = clock.monotonic();
    const limitMs = asked.timeoutMs ?? patienceMs(options);
    let stopWaiting = (): void => {};
    const late = new Promise<never>((_, reject) => {
      // (Longer than a read may take.)
      const end = (): void => {
        reject(fault('ERR_TIMEOUT'));
        settling();
      };
      if (limitMs < 3_000) stopWaiting = clock.setTimer(limitMs, end);
    });
    const read = store.read().catch(() => {
      throw fault('ERR_STORAGE');
    });
    const record = await Promise.race([read, late]).finally(stopWaiting);
    if (isAway()) {
      save();
      throw fault('ERR_STORAGE');
    }
    primed = { record };
    reread();
    primed = undefined;
    // (It has asked for what was primed, and concludes from it in the turns that follow.)
    for (let turn = 0; turn < 3; turn++) await Promise.resolve();
    const known = state?.record;
    // (A call that comes while this process signs in waits for it.)
    found(isOpen(known) && !state?.signingIn ? known.sessionId : undefined);
    const timeoutMs = Math.max(0, limitMs - (clock.monotonic() - start));
    const call = new AbortController();
    calls.add(call);
    try {
      return await coordinator.getAccessToken({ ...asked, timeoutMs, signal: call.signal });
    } catch (error) {
      throw isAway() ? fault('ERR_STORAGE') : error;
    } finally {
      calls.delete(call);
    }
  };

  return {
    coordinator,
    ask,
    reread: save,
  };
}

/** Ports that end the tab's process at one use of them: between two effects of the same step. */
function fused(ports: Omit<Ports, 'observe'>, participant: Participant): Ports {
  const { locks, channel, store } = ports;
  const burnt = (): boolean => {
    if (participant.fuse !== undefined && participant.fuse-- <= 0) participant.tab.kill();
    return !participant.tab.alive();
  };
  return {
    ...ports,
    locks: locks && {
      request: (name, mode, listener) => (burnt() ? () => {} : locks.request(name, mode, listener)),
    },
    channel: {
      ...channel,
      post: (message) => {
        if (!burnt()) channel.post(message);
      },
    },
    store: {
      read: () => (burnt() ? new Promise(() => {}) : store.read()),
      update: (change) => (burnt() ? new Promise(() => {}) : store.update(change)),
    },
  };
}
