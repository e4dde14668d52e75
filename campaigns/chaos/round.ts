// One round: a new session, a refresh, what the plan has in store for it, calm, and what everybody then says.
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenRequestEntry } from '../../demo/server/token-endpoint-log.js';
import type { TabReport } from './page/main.js';
import type { Plan } from './plan.js';
import { arm, strike, until, victimsOf, type Scene, type Struck } from './strike.js';
import { within, type Note, type Tab, type World } from './world.js';

export interface Evidence {
  plan: Plan;
  struck: Struck[];
  /** The plan's strike, and why it did not happen. */
  missed: string[];
  /** The participant at the moment. */
  by?: string;
  entries: readonly TokenRequestEntry[];
  notes: readonly Note[];
  reports: TabReport[];
  /** The end state of each living tab: `token`, or an error's code. */
  ends: string[];
  /** The state of the remaining tabs, or the next visit, right after the refresh; before anybody woke or came back. */
  survivors: string[];
  locks: string[];
  complaints: string[];
  ms: number;
}

/** A session's first token lives so long, seconds: every round begins with one that is over. */
const LIFE = 0.25;
/** How long one call may take. */
const LIMIT_MS = 8_000;
/** How long an application goes on trying. */
const HOPE_MS = 20_000;

export async function playRound(world: World, plan: Plan): Promise<Evidence> {
  const startedAt = performance.now();
  const { mode } = world.settings;
  const tabs = await furnish(world, plan);
  world.server.log.clear();
  world.notes.length = 0;
  world.complaints.length = 0;
  await each(tabs, (tab) => tab.page.evaluate(() => window.chaos.begin()));

  const asker = tabs[plan.asker % tabs.length]!;
  const sessionId = await within(
    30_000,
    asker.page.evaluate((life) => window.chaos.signIn('alice', life), LIFE),
  );
  const kinds = plan.strikes.map(({ kind }) => kind);
  const pids = new Map<Tab, number>();
  for (const one of plan.strikes.filter(({ kind }) => kind === 'kill')) {
    for (const tab of victimsOf(one, tabs, asker)) pids.set(tab, await world.pidOf(tab));
  }
  await each(tabs, (tab) => tab.page.evaluate((id) => window.chaos.expired(id!), sessionId));

  const struck: Struck[] = [];
  const missed: string[] = [];
  const later: (() => Promise<void>)[] = [];
  const gate = plan.strikes.length > 0 ? world.gate(plan.moment) : undefined;
  if (plan.wire) arm(world, plan.wire);

  await need(asker);
  if (plan.allAsk) await each(tabs, async (tab) => (tab === asker ? undefined : need(tab)));

  let by: string | undefined;
  if (gate) {
    by = await within(6_000, gate.arrived).catch(() => undefined);
    const arrivedAt = performance.now();
    if (by === undefined) missed.push(`nobody came to ${plan.moment}`);
    else {
      const sender = mode === 'page' ? tabs.find(({ id }) => id === by) : undefined;
      const workerPids = kinds.some((kind) => kind.startsWith('worker')) ? await world.workerProcesses() : [];
      const soon: Scene['soon'] = [];
      const scene: Scene = { world, pids, workerPids, by, gate, soon, later, orders: {}, dropped: false };
      for (const one of plan.strikes) {
        const victims = victimsOf(one, world.there(), sender ?? asker);
        const done = await strike(scene, one, victims).catch((error: unknown) => String(error));
        if (typeof done === 'object') struck.push(done);
        else missed.push(`${one.kind}: ${done ?? 'nobody to strike'}`);
      }
      await sleep(plan.dwellMs);
      // Where the machine was too slow for this, it is a slow disk or endpoint that struck, and not what was planned.
      const heldMs = performance.now() - arrivedAt;
      if (heldMs > longestHold(world, plan)) missed.push(`it stood still for ${Math.round(heldMs)} ms`);
      if (scene.dropped) gate.drop();
      else gate.release(scene.orders);
      if (soon.length > 0) await sleep(300);
      for (const undo of soon) await undo();
    }
  }

  // As if nothing had happened: the tabs that are left, or the next visit.
  const survivors = await visit(world, by === undefined ? 0 : 3_000);
  const had = await hear(world, survivors);

  world.calm();
  for (const undo of later.reverse()) {
    await undo().catch((error: unknown) => missed.push(String(error)));
  }
  const living = await visit(world, 0);
  const ends = await hear(world, living);
  const locks = await quiet(living[0]!, 2 * world.settings.refreshTimeoutMs + 2_000);
  const reports = await converge(living);
  prove(world, plan, struck, missed);
  const notes = (): Note[] => world.notes.filter(({ sessionId = '' }) => !world.pastSessions.has(sessionId));
  if (reports.some(({ snapshot }) => snapshot.status === 'reauth-required')) {
    // The tab that found out may have left the word to a tab that is seen; and nobody is to say it again.
    await until(() => notes().some(({ what }) => what === 'reauth-required'), 8_000).catch(() => {});
    await sleep(500);
  }
  const told = notes();
  for (const id of [sessionId, ...reports.map(({ snapshot }) => snapshot.sessionId)])
    world.pastSessions.add(id ?? '');
  return {
    plan,
    struck,
    missed,
    ...(by !== undefined && { by }),
    entries: world.server.log.entries,
    notes: told,
    reports,
    ends,
    survivors: had,
    locks,
    complaints: [...world.complaints],
    ms: Math.round(performance.now() - startedAt),
  };
}

/** How long a refresh may stand still: its deadline, or what the library gives IndexedDB. */
function longestHold({ settings }: World, { moment }: Plan): number {
  const isStore = moment === 'before-send' || moment === 'before-broadcast';
  return Math.min(
    isStore ? 2_800 : Infinity,
    settings.refreshTimeoutMs * (moment === 'before-send' ? 0.45 : 0.9),
  );
}

/** As many tabs as the plan wants, all of them here, and a worker where there is to be one. */
async function furnish(world: World, { tabs: count }: Plan): Promise<Tab[]> {
  world.calm();
  const gone = world.tabs.filter(({ state }) => state !== 'there');
  for (const tab of [...gone, ...world.there().slice(count)]) {
    await tab.page.close().catch(() => {});
    world.tabs.splice(world.tabs.indexOf(tab), 1);
  }
  while (world.tabs.length < count) await world.openTab();
  const [tab] = world.tabs;
  if (world.settings.mode === 'worker') {
    const isThere = await tab!.page.evaluate(async () => {
      const [one] = await navigator.serviceWorker.getRegistrations();
      return one !== undefined;
    });
    // Pages register it when they load.
    if (!isThere) {
      await tab!.page.reload();
      await world.ready(tab!);
    }
    await within(
      10_000,
      tab!.page.evaluate(() => window.chaos.workerInstalled()),
    );
  }
  return [...world.tabs];
}

/** Lets a tab need a token, and does not wait for it. */
function need(tab: Tab): Promise<void> {
  return within(
    30_000,
    tab.page.evaluate(
      ([limit, hope]) => void window.chaos.need(limit!, hope!).catch(() => {}),
      [LIMIT_MS, HOPE_MS],
    ),
  );
}

/** Those who are there; or, once the refresh is over for the server, somebody who comes then. */
async function visit(world: World, patienceMs: number): Promise<Tab[]> {
  const there = world.there();
  if (there.length > 0) return there;
  const isOver = (): boolean => {
    const refreshes = world.server.log.refreshes();
    return refreshes.length > 0 && refreshes.every(({ sent }) => sent !== undefined);
  };
  await until(isOver, patienceMs).catch(() => {});
  return [await world.openTab()];
}

function hear(world: World, tabs: readonly Tab[]): Promise<string[]> {
  const ask = (tab: Tab): Promise<string> =>
    within(
      HOPE_MS + LIMIT_MS + 5_000,
      tab.page.evaluate(([limit, hope]) => window.chaos.need(limit!, hope!), [LIMIT_MS, HOPE_MS]),
    );
  return each(tabs, (tab) =>
    ask(tab)
      .catch(async (error: unknown) => {
        // A reload that was too late to strike in time.
        if (!String(error).includes('context was destroyed')) throw error;
        await world.ready(tab);
        return ask(tab);
      })
      .catch((error: unknown) => (tab.state === 'there' ? `no answer: ${String(error)}` : 'gone')),
  );
}

/** Nothing is held or waited for while nothing is refreshed; the lock of a request that hangs goes after two deadlines. */
async function quiet(tab: Tab, patienceMs: number): Promise<string[]> {
  let locks: string[] = [];
  const isQuiet = async (): Promise<boolean> => {
    locks = await tab.page.evaluate(() => window.chaos.locks());
    return locks.length === 0;
  };
  await until(isQuiet, patienceMs).catch(() => {});
  return locks;
}

/** Their common state once they agree; or, if they do not, after a while. */
async function converge(tabs: readonly Tab[]): Promise<TabReport[]> {
  let reports: TabReport[] = [];
  const isOne = async (): Promise<boolean> => {
    reports = await each(tabs, (tab) => tab.page.evaluate(() => window.chaos.report()));
    const versions = reports.flatMap(({ snapshot, stored }) => [snapshot.version, stored?.version ?? -1]);
    return new Set(versions).size === 1;
  };
  await until(isOne, 3_000).catch(() => {});
  return reports;
}

/** Facts that only the server, or a participant that went on, can tell. */
function prove({ server, notes }: World, { wire }: Plan, struck: Struck[], missed: string[]): void {
  const fails = struck.findIndex(({ kind }) => kind === 'store-fails');
  const failed = notes.find(({ what }) => what === 'store-failed');
  if (fails >= 0 && failed) struck[fails]!.proof = `${failed.by} could not write`;
  else if (fails >= 0) {
    struck.splice(fails, 1);
    missed.push('store-fails: nothing was written meanwhile');
  }
  if (!wire) return;
  const hit = server.log.refreshes().find(({ faults }) => faults.some((fault) => !fault.includes('held')));
  if (hit) struck.push({ kind: wire, who: [`request ${hit.id}`], proof: hit.faults.join(', ') });
  else missed.push(`${wire}: no request was hit`);
}

function each<T>(tabs: readonly Tab[], ask: (tab: Tab) => Promise<T>): Promise<T[]> {
  return Promise.all(tabs.map((tab) => within(40_000, ask(tab))));
}
