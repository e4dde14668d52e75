import type { Phase } from '../../src/core/state.js';
import type { TokenCoordinatorOptions } from '../../src/types.js';
import type { StoreFault } from './database.js';
import type { RequestFault } from './network.js';
import type { Random } from './random.js';
import { createRandom } from './random.js';
import type { ServerKind } from './server.js';

/** `no-faults`: the daily work of every app. `faults`: one thing after the other goes wrong. `everything`: all at once. `worker`: the same, beside a refresh worker. `hostile`: `faults`, beside a script that writes and posts anything. `two-apps`: `everything`, where tabs of two configurations share one name. `endings`: `everything`, where sessions end at a time that is known in advance. */
export type Profile =
  'no-faults' | 'faults' | 'everything' | 'worker' | 'hostile' | 'two-apps' | 'endings' | LeaseProfile;
/** Processes in place of pages, with leases for locks, and everything that befalls them. On a `folder`'s machine the death of a process is seen. */
export type LeaseProfile = 'redis' | 'postgres' | 'folder';

/** Something that is done to the world from outside, at one moment. */
export interface Action {
  readonly id: string;
  readonly kind: ActionKind;
  /** When: virtual time, or the moment when a participant's flight enters a phase for the n-th time (plus `after`). */
  readonly at: number | { readonly phase: string; readonly nth: number; readonly after: number };
  /** Which participant, counted around; -1: the one whose phase it is. */
  readonly who: number;
  /** For how long, where that applies; milliseconds. */
  readonly for: number;
  /** A number in [0, 1) for whatever else is to be chosen. */
  readonly chance: number;
}

export type ActionKind =
  // Actions of users and apps.
  | 'get'
  | 'get-other-audience'
  | 'get-fresh'
  | 'force'
  | 'unauthorized-everywhere'
  | 'sign-in'
  | 'sign-in-if-signed-out'
  | 'sign-out'
  | 'sign-out-page'
  | 'open'
  | 'close'
  | 'hide'
  | 'focus'
  // Actions of browsers and machines.
  | 'prerender'
  | 'close-tab'
  | 'crash'
  | 'crash-between'
  | 'freeze'
  | 'suspend'
  | 'cache'
  | 'sleep'
  | 'throttle'
  | 'jump'
  | 'browser-crash'
  // Actions of networks, stores and servers.
  | 'offline'
  | 'server-down'
  | 'store-down'
  | 'wipe'
  | 'failover'
  | 'revoke';

/** One schedule, before it is run. */
export interface Plan {
  readonly seed: number;
  readonly profile: Profile;
  readonly participants: number;
  readonly options: Omit<TokenCoordinatorOptions, 'name' | 'refresh'>;
  readonly server: ServerKind;
  /** It refuses a dead refresh token with an empty 400, and says no more than that while it is down. */
  readonly isWordless: boolean;
  readonly graceMs: number;
  /** Life of an access token; seconds. */
  readonly life: number;
  /** Life of a refresh token, which the server announces; seconds. `undefined`: it lives on. */
  readonly refreshLife: number | undefined;
  /** How long a session lasts, as the app says at the sign-in; milliseconds. */
  readonly sessionMs: number | undefined;
  /** Locks that do what is specified. */
  readonly locks: boolean;
  /** Locks are leases. Whether the death of a holder frees them at once. */
  readonly leases: { readonly deathIsSeen: boolean } | undefined;
  /** Locks that do not: asked for in the queue they come as `null`; or, like steals, never. */
  readonly oddLocks: 'null' | 'silent' | false;
  /** Clients take up to so long before they send (keys, proofs, discovery), and then ask whether they still may; 0: they send at once. */
  readonly prepareMs: number;
  /** The refresh worker that pages ask: not installed, or of another protocol version. `undefined`: they ask none. */
  readonly worker: 'serving' | 'absent' | 'silent' | undefined;
  /** Configurations of the app under the same name, each with a server and client of its own: a deploy changed them. */
  readonly apps: 1 | 2;
  readonly storeBlocks: boolean;
  readonly lengthMs: number;
  readonly actions: readonly Action[];
  readonly rates: {
    readonly message: number;
    readonly store: number;
    readonly request: number;
  };
  readonly requestFaults: readonly RequestFault[];
  readonly storeFaults: readonly StoreFault[];
}

const SERVERS: readonly ServerKind[] = [
  'strict',
  'strict',
  'strict',
  'refusing',
  'grace-same',
  'grace-new',
  'grace-latest',
  'static',
  'idempotent',
  'versioned',
];
const REQUEST_FAULTS: readonly RequestFault[] = [
  'lost-request',
  'lost-answer',
  'hung-request',
  'hung-answer',
  'slow-request',
  'slow-answer',
  'error-request',
  'error-answer',
  'rate-limited',
  'oauth-error',
  'html',
  'unusable-answer',
  'duplicate',
];
/** Answers that are no use, though the server has rotated. */
const REFUSED_ANSWERS: readonly RequestFault[] = ['foreign-answer', 'other-type'];
const STORE_FAULTS: readonly StoreFault[] = ['unopened', 'refused', 'unsure', 'slow', 'hung', 'hung-written'];
/** The phases in which a fault weighs most come more often. */
const PHASES: readonly (Phase | 'written' | 'journaled')[] = [
  // No phase of a flight, but the moment when a write is durable and its page does not know yet.
  'written',
  'written',
  'written',
  'journaling',
  'sending',
  'sending',
  'committing',
  'queued',
  'claiming',
  'stealing',
  'asking',
  'electing',
  'probing',
  'probing',
  'journaling',
  // The same for a write-ahead: only the check before the send can save it.
  'journaled',
  'sending',
  'committing',
  'failing',
  'reconciling',
  'checking',
];
const DAILY: readonly ActionKind[] = [
  'get',
  'get',
  'get',
  'get',
  'get-fresh',
  'get-other-audience',
  'force',
  'unauthorized-everywhere',
  'open',
  'close',
  'hide',
  'focus',
];
const SESSIONS: readonly ActionKind[] = ['sign-in', 'sign-in-if-signed-out', 'sign-out'];
const FAULTS: readonly ActionKind[] = [
  'prerender',
  'close-tab',
  'close-tab',
  'crash',
  'crash',
  'crash-between',
  'freeze',
  'freeze',
  'suspend',
  'suspend',
  'cache',
  'cache',
  'sleep',
  'throttle',
  'jump',
  'browser-crash',
  'offline',
  'server-down',
  'store-down',
  'wipe',
  'revoke',
];

const LEASES: readonly Profile[] = ['redis', 'postgres', 'folder'];
const ALL_AT_ONCE: readonly Profile[] = ['everything', 'worker', 'two-apps', 'endings', ...LEASES];

/** The faults of processes: nobody tells them that they stand still. */
const PROCESS_FAULTS: readonly ActionKind[] = [
  'crash',
  'crash',
  'crash-between',
  'crash-between',
  'suspend',
  'suspend',
  'suspend',
  'suspend',
  'jump',
  'offline',
  'server-down',
  'store-down',
  'failover',
  'revoke',
];

/** Draws a whole world and what befalls it from one seed. */
export function createPlan(seed: number, profile: Profile): Plan {
  const random = createRandom(seed, 1);
  const { int, chance, pick, spread } = random;
  const faulty = profile !== 'no-faults';
  const everything = ALL_AT_ONCE.includes(profile);
  const leases = LEASES.includes(profile) ? { deathIsSeen: profile === 'folder' } : undefined;
  // A stream of its own: the world is otherwise that of `everything`.
  const workers = createRandom(seed, 8);
  const clients = createRandom(seed, 11);
  const endings = createRandom(seed, 13);
  const isAnnounced = profile === 'endings' && endings.chance(0.7);
  // (A judge of hostile scripts expects a token by default limits, which locks without an answer take longer than.)
  const isOdd = faulty && profile !== 'hostile' && clients.chance(0.03);
  const oddLocks = isOdd && clients.pick(['null', 'silent'] as const);
  const participants = chance(0.1) ? int(7, 12) : int(2, 6);
  const life = Math.round(spread(20, 900));
  const refreshTimeoutMs = pick([30_000, 30_000, 10_000, 5_000, 2_000]);
  const expiries = spread(1.5, 3.5);
  const lengthMs = life * 1000 * expiries;
  // One kind of trouble at a time in `faults`, so that what it does alone is seen.
  const troubled = (): boolean => everything || chance(0.4);
  const rate = (most: number): number => (faulty && troubled() && chance(0.7) ? spread(most / 30, most) : 0);

  return {
    seed,
    profile,
    participants,
    options: {
      refreshTimeoutMs,
      leaderTimeoutMs: pick([1_500, 1_500, 500, 3_000]),
      refreshBeforeMs: chance(0.25) ? spread(1, life * 1000) : undefined,
      minValidityMs: chance(0.25) ? spread(1, life * 500) : undefined,
      proactive: pick(['visible', 'visible', 'visible', 'always', 'never']),
      broadcast: pick(['pair', 'pair', 'access-token']),
    },
    server: pick(SERVERS),
    isWordless: faulty && createRandom(seed, 14).chance(0.15),
    graceMs: pick([10_000, 30_000, 60_000]),
    life,
    // Mostly long enough for the next refresh to move the end.
    refreshLife: isAnnounced ? endings.spread(0.5, 3) * life : undefined,
    sessionMs:
      profile === 'endings' && (!isAnnounced || endings.chance(0.2))
        ? endings.spread(0.3, 3) * life * 1000
        : undefined,
    locks: leases !== undefined || (chance(0.88) && !oddLocks),
    oddLocks: leases ? false : oddLocks,
    leases,
    // Mostly some round trips; now and then longer than it may take.
    prepareMs: clients.chance(0.5)
      ? clients.chance(faulty ? 0.3 : 0)
        ? clients.spread(refreshTimeoutMs / 4, refreshTimeoutMs)
        : clients.spread(1, 400)
      : 0,
    worker:
      profile === 'worker'
        ? workers.pick(['serving', 'serving', 'serving', 'serving', 'absent', 'silent'] as const)
        : undefined,
    apps: profile === 'two-apps' ? 2 : 1,
    storeBlocks: faulty && chance(0.15) && !leases,
    lengthMs,
    actions: [
      ...createActions(random, profile, lengthMs, participants, refreshTimeoutMs),
      ...openSignOutPage(createRandom(seed, 10), lengthMs),
    ],
    // A channel that drops everything is one of those that processes have.
    rates: { message: leases && clients.chance(0.2) ? 1 : rate(0.5), store: rate(0.1), request: rate(0.6) },
    requestFaults: [
      ...(everything ? REQUEST_FAULTS : [pick(REQUEST_FAULTS), pick(REQUEST_FAULTS)]),
      ...(faulty && createRandom(seed, 13).chance(0.2) ? REFUSED_ANSWERS : []),
    ],
    // (A connection can always be tried again.)
    storeFaults: leases
      ? STORE_FAULTS.filter((fault) => fault !== 'unopened')
      : everything
        ? STORE_FAULTS
        : [pick(STORE_FAULTS)],
  };
}

function createActions(
  { int, chance, pick, spread, next }: Random,
  profile: Profile,
  lengthMs: number,
  participants: number,
  timeoutMs: number,
): Action[] {
  const actions: Action[] = [];
  const add = (kind: ActionKind, at: Action['at'], who = int(0, 99)): void => {
    // Now and then longer than everybody's patience together.
    const duration = chance(0.2) ? timeoutMs * spread(3, 8) : spread(timeoutMs / 20, timeoutMs * 4);
    actions.push({ id: `a${actions.length}`, kind, at, who, for: duration, chance: next() });
  };
  const daily = LEASES.includes(profile)
    ? DAILY.filter((kind) => kind !== 'hide' && kind !== 'focus')
    : DAILY;
  for (let n = int(8, 20 + participants); n > 0; n--) add(pick(daily), next() * lengthMs);
  if (chance(profile === 'two-apps' ? 0.8 : 0.3)) {
    for (let n = int(1, 3); n > 0; n--) add(pick(SESSIONS), next() * lengthMs);
  }
  if (profile === 'no-faults') return actions;

  const everything = ALL_AT_ONCE.includes(profile);
  const processFaults = PROCESS_FAULTS.filter((kind) => kind !== 'failover' || profile !== 'folder');
  const kinds = LEASES.includes(profile) ? processFaults : everything ? FAULTS : [pick(FAULTS), pick(FAULTS)];
  for (let n = int(1, everything ? 12 : 5); n > 0; n--) {
    const kind = pick(kinds);
    // Half of them in the middle of something: a moment drawn from hours would hardly ever hit the milliseconds that count.
    if (chance(0.4)) add(kind, next() * lengthMs);
    else {
      const after = chance(0.5) ? 0 : spread(0.1, 400);
      const phase = pick(profile === 'worker' ? [...PHASES, 'waking', 'waking'] : PHASES);
      add(
        kind,
        { phase, nth: int(1, phase === 'written' ? 16 : phase === 'sending' ? 6 : 3), after },
        chance(0.8) ? -1 : undefined,
      );
    }
  }
  return actions;
}

/** In some schedules: a page that is opened for nothing but to sign out (a link in a mail), and does so before it has read anything. */
function openSignOutPage({ chance, next }: Random, lengthMs: number): Action[] {
  if (!chance(0.1)) return [];
  return [{ id: 'sign-out-page', kind: 'sign-out-page', at: next() * lengthMs, who: 0, for: 0, chance: 0 }];
}
