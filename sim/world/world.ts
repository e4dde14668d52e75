import type { Effect, Event, State } from '../../src/core/state.js';
import type { SessionRecord } from '../../src/core/record.js';
import type { Plan } from './plan.js';
import { createChannelHub, type ChannelHub } from './channel-hub.js';
import { createDatabase, type Database } from './database.js';
import { createLockManager, type LockManager } from './lock-manager.js';
import { createNetwork, type Network } from './network.js';
import { createParticipant, type Participant } from './participant.js';
import { createRandom, type Random } from './random.js';
import { createScheduler, type Scheduler } from './scheduler.js';
import { createServer, observed, type Server } from './server.js';
import type { TokenResponse } from '../../src/core/types.js';
import type { RefreshRequest } from '../../src/types.js';
import { createTab, type Tab } from './tab.js';
import type { Check } from '../judge/check.js';

/** The whole simulated world of one schedule. */
export interface World {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly server: ReturnType<typeof observed>;
  /** The server of a participant's own configuration. */
  readonly serverOf: (by: Participant) => Server;
  readonly network: Network;
  readonly database: Database;
  readonly locks: LockManager;
  readonly hub: ChannelHub;
  readonly participants: readonly Participant[];
  /** Opens a tab; where there are two configurations, of either. */
  readonly open: (life: { readonly active: boolean; readonly visible: boolean }, app?: number) => Participant;
  /** Faults of the surroundings that last until an instant. */
  readonly outage: { offline: number; serverDown: number; storeDown: number };
  /** Nothing goes wrong any more. */
  calm: boolean;
  /** When that began, and every tab woke up; virtual time. */
  calmSince: number;
  readonly stats: Stats;
}

/** The events of one schedule, to be added up. */
export interface Stats {
  steps: number;
  faults: Record<string, number>;
  transitions: Record<string, number>;
  messages: Record<string, number>;
  storeOperations: number;
}

export interface WorldHooks {
  readonly phase: (by: Participant, phase: string) => void;
  /** Absent where nobody reads it. */
  readonly note: ((by: Participant | undefined, text: () => string) => void) | undefined;
}

/**
 * Builds the world of a plan. `spared` names faults that are not to happen: the shrinking of a schedule leaves them
 * out one after the other, while everything else keeps its own stream of chance.
 */
export function createWorld(
  plan: Plan,
  spared: ReadonlySet<string>,
  injected: string[],
  checkerOf: (world: World) => Required<Check>,
  hooks: WorldHooks,
): World {
  const { seed, rates } = plan;
  // (A call of a process reads first.)
  const scheduler = createScheduler(plan.leases && 20);
  const random = createRandom(seed, 2);
  const stats: Stats = { steps: 0, faults: {}, transitions: {}, messages: {}, storeOperations: 0 };
  const outage = { offline: 0, serverDown: 0, storeDown: 0 };
  const participants: Participant[] = [];
  const { now } = scheduler;

  const faults = createRandom(seed, 3);
  let drawn = 0;
  /** Decides about one fault, and keeps its name: a spared fault did not happen, and changes no other draw. */
  function strikes<T extends string>(rate: number, kinds: readonly T[], where: string): T | undefined {
    const chance = faults.next();
    const kind = faults.pick(kinds);
    const number = drawn++;
    if (chance >= rate || world.calm) return undefined;
    const id = `f${number}`;
    if (spared.has(id)) return undefined;
    injected.push(id);
    count(stats.faults, `${where}: ${kind}`);
    return kind;
  }

  const servers = (['f', 'g'] as const)
    .slice(0, plan.apps)
    .map((prefix) => createServer(plan.server, plan.graceMs, plan.life, now, prefix, plan.refreshLife)) as [
    Server,
    ...Server[],
  ];
  const server = observed(servers);
  const serverOf = ({ app }: Pick<Participant, 'app'>): Server => servers[app]!;
  const apps = createRandom(seed, 11);
  const network = createNetwork(
    scheduler,
    createRandom(seed, 4),
    (tab) => serverOf(participants[tab.index]!),
    plan.options.refreshTimeoutMs ?? 30_000,
    {
      fault: (tab) => {
        const kind = strikes(rates.request, plan.requestFaults, 'request');
        const down = plan.isWordless ? 'empty-request' : 'error-request';
        const is = now() < outage.offline ? 'lost-request' : now() < outage.serverDown ? down : kind;
        if (is) hooks.note?.(participants[tab.index], () => `request meets ${is}`);
        return is;
      },
      isWordless: plan.isWordless,
      listens: (tab) => participants[tab.index]?.state()?.disposed !== true,
      sent: (exchange) => checker.sent(exchange, participants[exchange.tab.index]!),
      heard: (exchange) => {
        hooks.note?.(
          participants[exchange.tab.index],
          () => `hears answer ${exchange.number}: ${exchange.outcome}`,
        );
        checker.heard(exchange, participants[exchange.tab.index]!);
      },
    },
  );
  const database = createDatabase(scheduler, createRandom(seed, 5), {
    fault: (tab) => {
      stats.storeOperations++;
      const kind = strikes(rates.store, plan.storeFaults, 'store');
      const is = now() < outage.storeDown ? (plan.leases ? 'refused' : 'unopened') : kind;
      if (is) hooks.note?.(participants[tab.index], () => `store operation meets ${is}`);
      return is;
    },
    executed: (tab, before, after, writes) => {
      hooks.note?.(participants[tab.index], () =>
        writes
          ? `transaction${after ? ` writes v${after.version} n${after.term}` : ' changes nothing'}`
          : 'reads',
      );
      checker.executed(participants[tab.index]!, before, after);
    },
    written: (tab, before, after) => {
      checker.written(participants[tab.index]!, before, after);
      hooks.phase(participants[tab.index]!, 'written');
      // (What a hostile script wrote may be written back as it is.)
      const { journal, term } = Object(after) as SessionRecord;
      if (journal && journal.term === term && !journal.failure)
        hooks.phase(participants[tab.index]!, 'journaled');
    },
    blocks: () => plan.storeBlocks && !world.calm,
    blocked: () => void (world.stats.faults['store: blocked'] ??= 1),
  });
  const locks = createLockManager(
    scheduler,
    createRandom(seed, 6),
    plan.oddLocks,
    plan.leases && {
      ...plan.leases,
      timeoutMs: plan.options.refreshTimeoutMs ?? 30_000,
      reachable: () => now() >= outage.storeDown,
    },
  );
  const hub = createChannelHub(
    scheduler,
    createRandom(seed, 7),
    (_from, to) => {
      const lost = strikes(rates.message, ['lost'], 'message') !== undefined;
      if (lost) hooks.note?.(participants[to.index], () => 'a message to it is lost');
      return lost;
    },
    (from, message) => {
      const { type } = message as { type: string };
      count(stats.messages, type);
      hooks.note?.(participants[from.index], () => `posts ${type}`);
      checker.posted(participants[from.index]!, message);
    },
  );

  const workers = createRandom(seed, 9);
  const clients = createRandom(seed, 12);
  let worker: Participant | undefined;

  /** A page's request to the worker: a message to another process, which may have to be started first. */
  function ask(from: Tab, message: object): Promise<boolean> {
    const copy = structuredClone(message);
    if (plan.worker === 'serving') scheduler.at(workers.spread(1, 2_000), () => serve(copy));
    return new Promise((resolve) =>
      scheduler.at(workers.spread(0.1, 20), () =>
        from.run(() => {
          scheduler.settling();
          resolve(plan.worker !== 'absent');
        }),
      ),
    );
  }

  function serve(message: object): void {
    if (!worker?.tab.alive()) worker = open({ active: true, visible: false }, 0, 'worker');
    const { tab, serve } = worker;
    tab.run(() => {
      let idle = false;
      void serve!(message).then(() => (idle = true));
      scheduler.settling();
      // When it has had nothing to do for a while; sometimes in the middle of something, with whatever it does for others.
      const patience = strikes(0.15, ['stopped'], 'worker') ? workers.spread(1, 5_000) : 10_000;
      const stop = (): void => {
        if (!idle && patience === 10_000 && !world.calm) return void scheduler.at(10_000, stop);
        network.orphan(tab);
        tab.kill();
      };
      scheduler.at(patience, stop);
    });
  }

  /** The work of a client with keys: its request takes a while to make, and may be too late when it is made. */
  function prepared(tab: Tab, request: RefreshRequest): Promise<TokenResponse> {
    const begunAt = now();
    const send = (): Promise<TokenResponse> => {
      scheduler.settling();
      try {
        request.assertSendable?.();
      } catch (error) {
        hooks.note?.(participants[tab.index], () => `may not send attempt ${request.attempt} any more`);
        throw error;
      }
      return network.send(tab, request, begunAt);
    };
    if (plan.prepareMs === 0) return send();
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        try {
          send().then(resolve, reject);
        } catch (error) {
          reject(error);
        }
      };
      const most = world.calm ? Math.min(plan.prepareMs, 400) : plan.prepareMs;
      scheduler.at(clients.next() * most, () => tab.run(finish));
    });
  }

  /** Its request outlives the page; its answer does not. */
  function revoke(token: string, by: Participant): Promise<void> {
    hooks.note?.(by, () => `revokes ${token}`);
    checker.revoked(token, by);
    const isAway = now() < Math.max(outage.offline, outage.serverDown);
    const isLost = strikes(rates.request, ['lost'], 'revocation') !== undefined || isAway;
    return new Promise((resolve, reject) =>
      scheduler.at(random.spread(5, 200), () => {
        if (!isLost) serverOf(by).revoke(token);
        by.tab.run(() => {
          scheduler.settling();
          if (isLost) reject(new Error('Simulated'));
          else resolve();
        });
      }),
    );
  }

  function open(
    { active, visible }: { active: boolean; visible: boolean },
    app: number = plan.apps > 1 ? apps.int(0, plan.apps - 1) : 0,
    kind: 'page' | 'worker' | 'process' = plan.leases ? 'process' : 'page',
  ): Participant {
    const index = participants.length;
    const tab = createTab(index, scheduler, createRandom(seed, 100 + index), { active, visible, skew: 0 });
    const client = {
      refresh: (request: RefreshRequest) => prepared(tab, request),
      revoke: (token: string) => revoke(token, participants[index]!),
    };
    const ports = {
      locks: plan.locks || plan.oddLocks ? locks.portOf(tab) : undefined,
      channel: hub.portOf(tab),
      store: database.portOf(tab),
      clock: tab.clock,
      lifecycle: tab.lifecycle,
      worker: kind === 'page' && plan.worker ? { ask: (message: object) => ask(tab, message) } : undefined,
    };
    // Its first step comes while it is being made.
    const early: [Event, State | undefined, State, readonly Effect[]][] = [];
    let made = undefined as Participant | undefined;
    const step = (
      by: Participant,
      event: Event,
      before: State | undefined,
      after: State,
      effects: readonly Effect[],
    ): void => {
      if (!made) {
        early.push([event, before, after, effects]);
        return;
      }
      stats.steps++;
      // (A sign-out may have waited until the tab knew what is stored.)
      const isRead = after.loaded && !before?.loaded;
      if (isRead || effects.some(({ type }) => type === 'settle')) scheduler.settling();
      const from = before?.flight?.phase ?? 'idle';
      const to = after.flight?.phase ?? 'idle';
      if (from !== to) count(stats.transitions, arrow(from, to));
      hooks.note?.(by, () => describeStep(event, before, after, effects));
      checker.step(by, event, before, after, effects);
      if (from !== to) hooks.phase(by, to);
    };
    made = createParticipant(
      tab,
      { name: 'sim', refresh: client, binding: `app ${app}`, ...plan.options },
      ports,
      {
        step,
        lossAnnounced: (by, version) => checker.lossAnnounced(by, version),
        endAnnounced: (by, end) => checker.endAnnounced(by, end),
        settling: scheduler.settling,
      },
      kind,
      app,
    );
    participants.push(made);
    for (const seen of early) step(made, ...seen);
    return made;
  }

  const world: World = {
    plan,
    scheduler,
    random,
    server,
    serverOf,
    network,
    database,
    locks,
    hub,
    participants,
    open,
    outage,
    calm: false,
    calmSince: Infinity,
    stats,
  };
  const checker = checkerOf(world);
  return world;
}

const arrows: Record<string, Record<string, string>> = {};

/** Made once: a new string for each of a million steps takes longer than the count. */
function arrow(from: string, to: string): string {
  return ((arrows[from] ??= {})[to] ??= `${from} → ${to}`);
}

export function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

/** One step on one line. */
function describeStep(
  event: Event,
  before: State | undefined,
  after: State,
  effects: readonly Effect[],
): string {
  const record = after.record;
  const known = record
    ? `v${record.version} n${record.term}${record.ended ? ` ${record.ended.kind}` : ''}`
    : '–';
  const phase = after.flight?.phase ?? 'idle';
  const was = before?.flight?.phase ?? 'idle';
  const what =
    'operation' in event && typeof event.operation === 'object'
      ? `${event.type} ${(event.operation as { kind: string }).kind}`
      : event.type === 'message'
        ? `hears ${event.message.type}`
        : event.type === 'lock'
          ? `lock ${event.outcome}`
          : event.type === 'lifecycle'
            ? event.change
            : event.type;
  const done = effects.map(({ type }) => type).join(' ');
  return `${what} · ${known}${was === phase ? (phase === 'idle' ? '' : ` · ${phase}`) : ` · ${was} → ${phase}`}${done && ` ⇒ ${done}`}`;
}
