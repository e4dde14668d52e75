import type { LockMode, LockOutcome, LockPort } from '../../core/ports.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';
import type { Tab } from './tab.js';

interface Request {
  readonly tab: Tab;
  readonly name: string;
  readonly mode: LockMode;
  readonly listener: (outcome: LockOutcome) => void;
  /** Its page wants nothing of it any more. */
  released: boolean;
}

/** The locks of the simulated origin, as the browser process keeps them. */
export interface LockManager {
  readonly portOf: (tab: Tab) => LockPort;
  /** Who holds what, or waits for it. */
  readonly list: () => { readonly tab: Tab; readonly name: string; readonly held: boolean }[];
  readonly holds: (tab: Tab, name: string) => boolean;
}

/**
 * Pages and the browser process talk over a pipe of their own: in order, but not at once. A grant may thus be on its
 * way to a page that has just withdrawn, was frozen (it keeps the lock) or has died (the lock passes on). `odd`: how it does not do
 * what is specified.
 */
export function createLockManager(
  { now, at }: Scheduler,
  random: Random,
  odd?: 'null' | 'silent' | false,
): LockManager {
  const held = new Map<string, Request>();
  const queues = new Map<string, Request[]>();
  const pipes = new Map<Tab, { to: number; from: number }>();

  /** Time for a message between page and browser process, in order. */
  function deliver(tab: Tab, way: 'to' | 'from', task: () => void): void {
    const pipe = pipes.get(tab)!;
    pipe[way] = Math.max(pipe[way], now() + random.spread(0.05, 2));
    at(pipe[way] - now(), task);
  }

  function answer(request: Request, outcome: LockOutcome): void {
    deliver(request.tab, 'from', () =>
      request.tab.run(() => {
        if (!request.released) request.listener(outcome);
      }),
    );
  }

  function grant(request: Request): void {
    held.set(request.name, request);
    answer(request, 'granted');
  }

  function free(name: string): void {
    held.delete(name);
    const next = queues.get(name)?.shift();
    if (next) grant(next);
  }

  function receive(request: Request): void {
    const { name, mode, tab } = request;
    if (!tab.alive()) return;
    // (What the adapter makes of a lock that is `null`.)
    if (odd === 'null') return answer(request, mode === 'try' ? 'refused' : 'failed');
    if (odd === 'silent') return;
    const holder = held.get(name);
    if (mode === 'steal') {
      if (holder) answer(holder, 'lost');
      grant(request);
    } else if (!holder) grant(request);
    else if (mode === 'try') answer(request, 'refused');
    else queues.set(name, [...(queues.get(name) ?? []), request]);
  }

  function drop(request: Request): void {
    const { name } = request;
    if (held.get(name) === request) return free(name);
    const queue = queues.get(name);
    if (queue) {
      queues.set(
        name,
        queue.filter((one) => one !== request),
      );
    }
  }

  return {
    portOf(tab) {
      pipes.set(tab, { to: 0, from: 0 });
      tab.onKill(() => {
        for (const [name, queue] of queues) {
          queues.set(
            name,
            queue.filter((one) => one.tab !== tab),
          );
        }
        for (const [name, request] of held) if (request.tab === tab) free(name);
      });
      return {
        request(name, mode, listener) {
          const request: Request = { tab, name, mode, listener, released: false };
          deliver(tab, 'to', () => receive(request));
          return () => {
            if (request.released) return;
            request.released = true;
            deliver(tab, 'to', () => drop(request));
          };
        },
      };
    },
    list: () => [
      ...Array.from(held.values(), ({ tab, name }) => ({ tab, name, held: true })),
      ...Array.from(queues.values(), (queue) =>
        queue.map(({ tab, name }) => ({ tab, name, held: false })),
      ).flat(),
    ],
    holds: (tab, name) => held.get(name)?.tab === tab,
  };
}
