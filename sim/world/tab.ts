import type { ClockPort, LifecycleChange, LifecyclePort } from '../../src/core/ports.js';
import type { Random } from './random.js';
import type { Scheduler, Task } from './scheduler.js';

/** One simulated page: its life, its clocks, and everything that waits while it stands still. */
export interface Tab {
  readonly index: number;
  readonly name: string;
  readonly clock: ClockPort;
  readonly lifecycle: LifecyclePort;
  readonly alive: () => boolean;
  /** Alive, and its code runs. */
  readonly running: () => boolean;
  /** In the back/forward cache. */
  readonly cached: () => boolean;
  readonly visible: () => boolean;
  /** Milliseconds during which its code could run. */
  readonly age: () => number;
  /** When it last could not run, or `-Infinity`; virtual time. */
  readonly lastStill: () => number;
  /** How often it has stood still since then; virtual time. */
  readonly standstills: (since: number) => number;
  /** Runs `task` in this page: at once, after a standstill, or never. */
  readonly run: (task: () => void) => void;
  readonly tell: (change: LifecycleChange) => void;
  /** Stands still; `sleep`: its monotonic clock does too. */
  readonly freeze: (sleep: boolean) => void;
  readonly thaw: () => void;
  readonly setCached: (cached: boolean) => void;
  readonly setVisible: (visible: boolean) => void;
  /** Not frozen, cached or prerendering, as far as it was told. */
  readonly active: () => boolean;
  readonly activate: () => void;
  readonly jump: (milliseconds: number) => void;
  /** Timers come no more often than this. */
  readonly throttle: (milliseconds: number) => void;
  readonly throttled: () => number;
  readonly kill: () => void;
  readonly onKill: (then: () => void) => void;
  readonly timers: () => number;
}

/** A timer of the page. */
interface Timer {
  readonly due: number;
  readonly ring: () => void;
  task: Task | undefined;
}

/** The wall time of virtual time 0. */
const EPOCH = Date.UTC(2026, 0, 1);

export function createTab(
  index: number,
  { now, at, cancel }: Scheduler,
  random: Random,
  start: { readonly active: boolean; readonly visible: boolean; readonly skew: number },
): Tab {
  const born = now();
  const backlog: (() => void)[] = [];
  const ends: (() => void)[] = [];
  const listeners = new Set<(change: LifecycleChange) => void>();
  let { active, visible, skew } = start;
  let alive = true;
  let cached = false;
  let stoppedAt: number | undefined;
  let asleep = false;
  let still = 0;
  let slept = 0;
  /** When each of its standstills ended. */
  const ended: number[] = [];
  let interval = 0;
  let released = { at: -Infinity, interval: 0 };
  let ids = 0;
  const timers = new Set<Timer>();

  const stopped = (): boolean => stoppedAt !== undefined;
  const standing = (): number => (stoppedAt === undefined ? 0 : now() - stoppedAt);
  const monotonic = (): number => now() - born - slept - (asleep ? standing() : 0);

  function run(task: () => void): void {
    if (!alive) return;
    if (stopped()) backlog.push(task);
    else task();
  }

  function wait(timer: Timer, delay = timer.due - monotonic()): void {
    const exact = now() + Math.ceil(delay);
    const late = interval > 0 ? Math.ceil(exact / interval) * interval : exact + random.next();
    timer.task = at(late - now(), () => run(timer.ring));
  }

  const clock: ClockPort = {
    wall: () => EPOCH + skew + Math.floor(now()),
    monotonic,
    random: random.next,
    id: () => `t${index}.${ids++}.${Math.floor(random.next() * 2 ** 20).toString(36)}`,
    setTimer(delayMs, callback) {
      const timer: Timer = {
        due: monotonic() + delayMs,
        ring() {
          if (!timers.has(timer)) return;
          // The monotonic clock stood still meanwhile.
          if (timer.due > monotonic()) return wait(timer);
          timers.delete(timer);
          callback();
        },
        task: undefined,
      };
      timers.add(timer);
      wait(timer, delayMs);
      return () => {
        timers.delete(timer);
        cancel(timer.task!);
      };
    },
  };

  return {
    index,
    name: `t${index}`,
    clock,
    lifecycle: {
      state: () => ({ active, visible }),
      listen(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    alive: () => alive,
    running: () => alive && !stopped(),
    cached: () => cached,
    visible: () => visible,
    age: () => now() - born - still - standing(),
    lastStill: () => (stopped() ? now() : (ended.at(-1) ?? -Infinity)),
    standstills: (since) => ended.filter((at) => at >= since).length + Number(stopped()),
    run,
    tell: (change) =>
      run(() => {
        if (change === 'leave' || change === 'freeze') active = false;
        if (change === 'return') active = true;
        listeners.forEach((listener) => listener(change));
      }),
    freeze(sleep) {
      if (!alive || stopped()) return;
      stoppedAt = now();
      asleep = sleep;
    },
    thaw() {
      if (stoppedAt === undefined) return;
      still += standing();
      if (asleep) slept += standing();
      if (released.at >= stoppedAt) released = { ...released, at: now() };
      ended.push(now());
      stoppedAt = undefined;
      asleep = false;
      // One task each, as on a real page: promises that a task settles run before the next one.
      for (const task of backlog.splice(0)) at(0, () => run(task));
    },
    setCached: (now) => (cached = now),
    setVisible: (now) => (visible = now),
    active: () => active,
    activate: () => (active = true),
    jump: (milliseconds) => (skew += milliseconds),
    throttle(milliseconds) {
      if (interval > 0) released = { at: now(), interval };
      interval = milliseconds;
      for (const timer of timers) {
        cancel(timer.task!);
        wait(timer);
      }
    },
    throttled: () => Math.max(interval, now() - released.at < 100 ? released.interval : 0),
    kill() {
      if (!alive) return;
      alive = false;
      timers.clear();
      backlog.length = 0;
      for (const end of ends) end();
    },
    onKill: (then) => ends.push(then),
    timers: () => timers.size,
  };
}
