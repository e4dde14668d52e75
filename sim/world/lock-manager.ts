import { leaseMs } from '../../src/node/lease-terms.js';
import type { LockMode, LockOutcome, LockPort } from '../../src/core/ports.js';
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
  /** When its lease ends; virtual time. */
  until: number;
}

/** The locks of the simulated origin, as the browser process keeps them. */
export interface LockManager {
  readonly portOf: (tab: Tab) => LockPort;
  /** The holders of locks, and those that wait. */
  readonly list: () => { readonly tab: Tab; readonly name: string; readonly held: boolean }[];
  readonly holds: (tab: Tab, name: string) => boolean;
  /** All leases are forgotten, and nobody is told. */
  readonly forget: () => void;
  /** It has happened to leases that may be missed still. The events they would have prevented are the exception that such a store forces. */
  readonly forgotten: () => boolean;
}

/** Locks that end by time, as processes have them; milliseconds. */
export interface Leases {
  readonly deathIsSeen: boolean;
  /** T of the protocol. */
  readonly timeoutMs: number;
  /** Leases are kept where the record is: without the store none is given, prolonged or given back. */
  readonly reachable: () => boolean;
}

/** How soon a process asks again for what it could not get or give back; milliseconds. */
const ASK_AGAIN_MS = 1_000;

/**
 * Pages and the browser process talk over a pipe of their own: in order, but not at once. A grant may thus be on its
 * way to a page that has just withdrawn, was frozen (it keeps the lock) or has died (the lock passes on). `odd`: how it does not do
 * what is specified.
 */
export function createLockManager(
  { now, at }: Scheduler,
  random: Random,
  odd?: 'null' | 'silent' | false,
  leases?: Leases,
): LockManager {
  const held = new Map<string, Request>();
  const queues = new Map<string, Request[]>();
  const pipes = new Map<Tab, { to: number; from: number }>();
  let forgottenAt = -Infinity;

  /** Time for a message between page and browser process, in order. */
  function deliver(tab: Tab, way: 'to' | 'from', task: () => void): void {
    const pipe = pipes.get(tab)!;
    pipe[way] = Math.max(pipe[way], now() + random.spread(0.05, 2));
    at(pipe[way] - now(), task);
  }

  function answer(request: Request, outcome: LockOutcome): void {
    deliver(request.tab, 'from', () =>
      request.tab.run(() => {
        if (request.released) return;
        // A grant that was long on its way may be over: it counts as none (`src/node/lease-locks.ts`).
        if (
          leases &&
          outcome !== 'lost' &&
          now() > request.until - leaseMs(request.name, leases.timeoutMs) / 2
        ) {
          drop(request);
          return receive(request);
        }
        request.listener(outcome);
      }),
    );
  }

  function grant(request: Request, outcome: 'granted' | 'inherited' = 'granted'): void {
    held.set(request.name, request);
    if (leases) lease(request, leases);
    answer(request, outcome);
  }

  /** Of an attempt whose sender is seen to be dead. */
  function inherits({ name }: Request): boolean {
    const holder = held.get(name);
    return leases?.deathIsSeen === true && holder !== undefined && !holder.tab.alive();
  }

  /**
   * As `src/node/lease-locks.ts` does it: the lock `refresh` is prolonged as long as its holder runs, which steps down when it finds that it
   * has lost it; the lock of an attempt lasts 3T from its beginning. Clocks drift, by a tenth at most.
   */
  function lease(request: Request, { timeoutMs, reachable }: Leases): void {
    const { name, tab } = request;
    const isAttempt = name.startsWith('attempt:');
    const ttl = leaseMs(name, timeoutMs) * random.spread(0.9, 1.1);
    let known = now();
    request.until = now() + ttl;
    const end = (): void => {
      if (held.get(name) !== request) return;
      if (request.until > now()) return void at(request.until - now(), end);
      free(name);
    };
    at(ttl, end);
    if (isAttempt) return;
    const prolong = (): void => {
      if (request.released || !tab.alive()) return;
      tab.run(() => {
        if (request.released) return;
        if (reachable()) {
          if (held.get(name) !== request) return answer(request, 'lost');
          request.until = now() + ttl;
          known = now();
        } else if (now() - known > ttl) return answer(request, 'lost');
        at(ttl / 3, prolong);
      });
    };
    at(ttl / 3, prolong);
  }

  function free(name: string): void {
    const heir = queues.get(name)?.shift();
    const isHeir = heir && name.startsWith('attempt:') && inherits(heir);
    held.delete(name);
    if (!heir) return;
    if (leases?.reachable() === false) receive(heir);
    else grant(heir, isHeir ? 'inherited' : 'granted');
  }

  function receive(request: Request): void {
    const { name, mode, tab } = request;
    if (!tab.alive() || (leases && request.released)) return;
    if (leases?.reachable() === false) {
      at(random.next() * ASK_AGAIN_MS, () => receive(request));
      return;
    }
    // (What the adapter makes of a lock that is `null`.)
    if (odd === 'null') return answer(request, mode === 'try' ? 'refused' : 'failed');
    if (odd === 'silent') return;
    const holder = held.get(name);
    if (mode === 'steal') {
      // Nobody tells the holder of a lease.
      if (holder && !leases) answer(holder, 'lost');
      grant(request);
    } else if (!holder) grant(request);
    else if (inherits(request)) grant(request, name.startsWith('attempt:') ? 'inherited' : 'granted');
    else if (mode === 'try') answer(request, 'refused');
    else queues.set(name, [...(queues.get(name) ?? []), request]);
  }

  function drop(request: Request): void {
    const { name } = request;
    if (held.get(name) === request) {
      if (leases?.reachable() === false) return void at(random.next() * ASK_AGAIN_MS, () => drop(request));
      return free(name);
    }
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
        // The lease of a process lasts until its end; a process that asks for it may see that its holder is dead.
        for (const [name, request] of held) {
          if (request.tab === tab && (!leases || (leases.deathIsSeen && queues.get(name)?.[0]))) free(name);
        }
      });
      return {
        request(name, mode, listener) {
          const request: Request = { tab, name, mode, listener, released: false, until: Infinity };
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
    forget() {
      forgottenAt = now();
      Array.from(held.keys()).forEach(free);
    },
    forgotten: () => leases !== undefined && now() - forgottenAt < 4 * leases.timeoutMs,
  };
}
