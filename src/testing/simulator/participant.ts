import { createCoordinator } from '../../coordinator.js';
import type { Effect, Event, State } from '../../core/state.js';
import { checkOptions, type CheckedOptions } from '../../options.js';
import type { Ports } from '../../runtime.js';
import type { AccessTokenOptions, TokenCoordinator, TokenCoordinatorOptions } from '../../types.js';
import { createProcessCoordinator, type ProcessCoordinator } from '../../node/process-coordinator.js';
import { createWorkerParticipant, type WorkerParticipant } from '../../worker/worker-participant.js';
import type { Tab } from './tab.js';

/** One call of a user's code, from its first moment until it settled. */
export interface Call {
  readonly number: number;
  readonly by: Participant;
  readonly kind: 'get' | 'session' | 'sign-out';
  readonly options: AccessTokenOptions;
  /** This tab's state at that moment: whose session, which version. */
  readonly session: string | undefined;
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
  /** A process's step before each call. */
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
  const process = kind === 'process' ? createProcess(checked, all) : undefined;
  const coordinator = process?.coordinator ?? createCoordinator(checked, all);
  coordinator.on('reauth-required', ({ sessionId, version }) =>
    hooks.lossAnnounced(participant, `${sessionId}.${version}`),
  );
  return Object.assign(participant, { coordinator, ...(process && { reread: process.reread }) });
}

/** As `one-refresh/node` makes it, without its own timers: the others hear only of a change. */
function createProcess(
  options: CheckedOptions,
  { locks, channel, store, clock, observe }: Ports,
): ProcessCoordinator {
  const waiting: (() => void)[] = [];
  let unsaved = false;
  const made = createProcessCoordinator(options, {
    locks: locks!,
    store: {
      read: () => store.read(),
      async update(change) {
        try {
          await store.update(change);
        } catch (error) {
          if (!unsaved) retry(500);
          unsaved = true;
          throw error;
        }
        unsaved = false;
        for (const callback of waiting.splice(0)) callback();
      },
    },
    clock,
    observe,
    saved: (callback) => {
      if (unsaved) waiting.push(callback);
      else callback();
    },
    onChange(callback) {
      channel.open(callback);
      return () => channel.close();
    },
    changed: () => channel.post({ type: 'changed' }),
  });
  function retry(ms: number): void {
    clock.setTimer(ms, () => {
      if (!unsaved || made.coordinator.getSnapshot().role === 'none') return;
      made.save();
      retry(Math.min(2 * ms, 5_000));
    });
  }
  return {
    ...made,
    // It writes what the store lacks.
    reread: made.save,
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
