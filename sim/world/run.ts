import { act } from './actions.js';
import { createCalls } from './calls.js';
import { createChecker, type Checker, type Violation } from '../judge/checker.js';
import { createHostile } from './hostile.js';
import type { Participant } from './participant.js';
import { createPlan, type Action, type Plan, type Profile } from './plan.js';
import { count, createWorld, type Stats, type World } from './world.js';

/** One line of a timeline. */
export interface Note {
  readonly at: number;
  /** Index of the participant; `undefined` for the world. */
  readonly who: number | undefined;
  readonly text: string;
}

export interface Result {
  readonly plan: Plan;
  readonly violation: Violation | undefined;
  /** Faults and actions that took place, by name; any of them can be spared in another run. */
  readonly injected: readonly string[];
  readonly stats: Stats;
  readonly expiries: number;
  readonly requests: number;
  /** Those whose pair nobody has: lost, refused, or signed out while they were under way. */
  readonly inVain: number;
  readonly calls: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly notes: readonly Note[];
}

export interface RunOptions {
  /** Names of faults and actions to leave out. */
  readonly spared?: ReadonlySet<string>;
  readonly trace?: boolean;
  /** The parts of its plan that are made by hand instead of drawn. */
  readonly plan?: Partial<Plan> | undefined;
}

/** More steps than any sound schedule takes: somebody runs in circles. */
const MOST_STEPS = 20_000;

/** Runs the schedule of one seed, from the first tab to the silence after the last fault. */
export async function runSchedule(seed: number, profile: Profile, options: RunOptions = {}): Promise<Result> {
  const { spared = new Set<string>(), trace = false } = options;
  const plan = { ...createPlan(seed, profile), ...options.plan };
  const notes: Note[] = [];
  const injected: string[] = [];
  const phases = new Map<string, number>();
  const armed = new Map<string, (Action & { readonly at: Exclude<Action['at'], number> })[]>();
  let checker: Checker;

  const note = !trace
    ? undefined
    : (by: Participant | undefined, text: () => string): void =>
        void notes.push({ at: world.scheduler.now(), who: by?.tab.index, text: text() });
  const world: World = createWorld(plan, spared, injected, (made) => (checker = createChecker(made)), {
    note,
    phase(by, phase) {
      const nth = (phases.get(phase) ?? 0) + 1;
      phases.set(phase, nth);
      for (const action of armed.get(phase) ?? []) {
        if (action.at.nth !== nth) continue;
        // Never in the middle of a step: its effects are under way.
        world.scheduler.at(action.at.after, () => perform(action, action.who === -1 ? by : undefined));
      }
    },
  });
  checker = checker!;
  const { scheduler, participants } = world;
  const calls = createCalls(world, checker, note);
  const stop = (): boolean => {
    if (world.stats.steps > MOST_STEPS) checker.violate('I8', 'no end of steps');
    return checker.violation() !== undefined;
  };

  function perform(action: Action, whose?: Participant): void {
    if (world.calm || spared.has(action.id)) return;
    injected.push(action.id);
    // (A worker that was stopped is nobody.)
    const present = participants.filter(({ tab, serve }) => !serve || tab.alive());
    const who = whose ?? present[action.who % present.length]!;
    note?.(who, () => `── ${action.kind} (${action.id}, ${Math.round(action.for)} ms)`);
    act(world, checker, calls, action, who);
  }

  for (const action of plan.actions) {
    const { at } = action;
    if (typeof at === 'number') scheduler.at(at, () => perform(action));
    else armed.set(at.phase, [...(armed.get(at.phase) ?? []), { ...action, at }]);
  }
  for (let n = 0; n < plan.participants; n++) {
    const visible = n === 0 || world.random.chance(0.5);
    scheduler.at(n * world.random.spread(1, 2_000), () => {
      const made = world.open({ active: true, visible });
      if (n === 0) calls.signIn(made, false);
    });
  }

  if (checker.hostile) {
    const hostile = createHostile(world, checker.hostile);
    for (const { id, at } of hostile.acts) {
      scheduler.at(at, () => {
        if (world.calm || spared.has(id)) return;
        injected.push(id);
        hostile.act(id, (what) => note?.(undefined, () => `── a hostile script ${what}`));
      });
    }
  }

  try {
    await scheduler.run(plan.lengthMs, stop);
    if (!stop()) await settle();
  } catch (error) {
    checker.violate('exception', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return {
    plan,
    violation: checker.violation(),
    injected,
    stats: world.stats,
    expiries: checker.truth.versions,
    requests: world.network.exchanges().length,
    inVain: world.network
      .exchanges()
      .filter(
        ({ request: { sessionId, version } }) => !checker.truth.committed.has(`${sessionId}.${version + 1}`),
      ).length,
    calls: calls.total(),
    losses: checker.truth.losses,
    notes,
  };

  /** The faults end, every living tab wakes up and wants a token; then comes silence. */
  async function settle(): Promise<void> {
    const T = plan.options.refreshTimeoutMs ?? 30_000;
    world.calm = true;
    world.calmSince = scheduler.now();
    Object.assign(world.outage, { offline: 0, serverDown: 0, storeDown: 0 });
    note?.(undefined, () => '── everything works again');
    for (const one of participants) {
      const { tab } = one;
      if (!tab.alive()) continue;
      const cached = tab.cached();
      if (one.left) one.returnedAt = scheduler.now();
      one.left = false;
      tab.throttle(0);
      tab.setCached(false);
      tab.thaw();
      one.fuse = undefined;
      const away = cached || !tab.active();
      tab.activate();
      scheduler.at(1, () => {
        // The first word of a page that comes back; all others only look up.
        if (away) tab.tell('return');
        tab.setVisible(true);
        tab.tell('visible');
        if (plan.profile !== 'no-faults') tab.tell('online');
      });
    }
    // Longer than any answer still travels and any pause still lasts.
    await scheduler.run(scheduler.now() + 200_000 + 4 * T, stop);
    if (checker.hostile) await heal(T);
    for (const one of participants) {
      scheduler.at(world.random.spread(1, 100), () => {
        // A process reads before every call.
        if (one.tab.running()) one.reread?.();
        calls.get(one, {});
      });
    }
    await scheduler.run(scheduler.now() + 3 * T + 20_000, stop);
    // Tokens expire in the silence, too: a refresh that happens to be under way may come to its end, be it behind a lock without answer.
    const busy = (): boolean => participants.some(({ tab, state }) => tab.alive() && state()?.flight);
    for (let quiet = false, n = 0; !quiet && n < 200 + (3 * T) / 50; n++) {
      const { steps } = world.stats;
      await scheduler.run(scheduler.now() + 50, stop);
      quiet = !busy() && world.stats.steps === steps;
    }
    if (!stop()) checker.atEnd();
    // (A process writes back what a store has lost when it has something to do, not because another one starts.)
    if (!stop() && plan.profile !== 'no-faults' && !checker.hostile && !plan.leases) await wipeAndOpen();
    count(world.stats.messages, 'total');
  }

  /** Whatever a hostile script has left behind: after one sign-in everybody is served. */
  async function heal(T: number): Promise<void> {
    const present = participants.find(({ tab, closed, serve }) => tab.running() && !closed && !serve);
    const who = present ?? world.open({ active: true, visible: true });
    await scheduler.run(scheduler.now() + 5_000, stop);
    note?.(who, () => '── signs in, and that heals all');
    checker.hostile!.healing(who);
    calls.signIn(who, false);
    await scheduler.run(scheduler.now() + T + 20_000, stop);
    checker.hostile!.healed();
  }

  /** Nothing moves any more; then the store is wiped, and somebody opens: a tab that knows the session writes it back. */
  async function wipeAndOpen(): Promise<void> {
    const holder = participants
      .filter(({ tab, closed }) => tab.running() && !closed)
      .find(({ state }) => {
        const { record } = state() ?? {};
        return record && !record.ended && !record.withheld;
      });
    const known = holder?.state()?.record;
    if (!holder || !known) return;
    note?.(undefined, () => '── the store is wiped');
    checker.truth.storeResetAt = scheduler.now();
    world.database.overwrite(undefined);
    const opened = world.open({ active: true, visible: true }, holder.app);
    await scheduler.run(scheduler.now() + 5_000, stop);
    const { sessionId } = opened.state()?.record ?? {};
    if (!stop() && sessionId !== known.sessionId) {
      checker.violate(
        'I7',
        `${opened.tab.name} finds ${sessionId ?? 'nobody'} signed in, not ${known.sessionId}`,
      );
    }
  }
}
