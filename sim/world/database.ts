import type { StoreOpenError, StorePort } from '../../src/core/ports.js';
import type { SessionRecord } from '../../src/core/record.js';
import { cloneRecord } from './clone.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';
import type { Tab } from './tab.js';

/**
 * The faults of one operation. `unopened`: the database could not be opened. `refused`: it failed and wrote
 * nothing. `unsure`: it was written, and reported as failed. `slow`: it takes seconds. `hung`: no answer within the
 * adapter's limit, and nothing was written; `hung-written`: it was.
 */
export type StoreFault = 'unopened' | 'refused' | 'unsure' | 'slow' | 'hung' | 'hung-written';

/** The record of the simulated origin. */
export interface Database {
  readonly portOf: (tab: Tab) => StorePort;
  readonly value: () => SessionRecord | undefined;
  /** Sets what is stored, past all pages: a wipe, a rollback at a crash of the browser. */
  readonly overwrite: (value: SessionRecord | undefined) => void;
  /** The last durable states, newest first. */
  readonly history: () => readonly (SessionRecord | undefined)[];
}

export interface DatabaseHooks {
  readonly fault: (tab: Tab, writes: boolean) => StoreFault | undefined;
  /** A transaction of this page saw `before` and, at the same instant, decided on `after`. */
  readonly executed: (
    tab: Tab,
    before: SessionRecord | undefined,
    after: SessionRecord | undefined,
    writes: boolean,
  ) => void;
  /** Durable. */
  readonly written: (tab: Tab, before: SessionRecord | undefined, after: SessionRecord) => void;
  /** Whether a frozen page blocks the others with its open transaction (Chrome on Android does). */
  readonly blocks: () => boolean;
  /** It does. */
  readonly blocked: () => void;
}

type Change = (stored: unknown) => SessionRecord | undefined;

interface Operation {
  readonly tab: Tab;
  readonly change: Change | undefined;
  readonly fault: StoreFault | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  over: boolean;
}

/** The adapter's limit for one operation; milliseconds. */
const LIMIT_MS = 3_000;

export function createDatabase(
  { at, now, settling }: Scheduler,
  random: Random,
  hooks: DatabaseHooks,
): Database {
  let value: SessionRecord | undefined;
  let history: (SessionRecord | undefined)[] = [undefined];
  const queue: Operation[] = [];
  let busy = false;
  /** When the last outcome of each tab comes; virtual time. */
  const settled = new WeakMap<Tab, number>();

  function put(next: SessionRecord | undefined): void {
    value = next;
    history = [next, ...history.slice(0, 3)];
  }

  function fail(operation: Operation, error: Error & Partial<StoreOpenError>): void {
    operation.tab.run(() => {
      if (operation.over) return;
      operation.over = true;
      operation.reject(error);
      settling();
    });
  }

  function next(): void {
    queue.shift();
    busy = false;
    pump();
  }

  /** One transaction after the other: the head of the queue runs its change when its turn has come. */
  function pump(): void {
    const operation = queue[0];
    if (busy || !operation) return;
    busy = true;
    at(random.spread(0.1, 4), () => execute(operation));
  }

  function execute(operation: Operation): void {
    const { tab, change, fault } = operation;
    if (!tab.alive() || operation.over) return next();
    if (!tab.running()) {
      // Its transaction waits for its code. Either it is open already, or it had not begun.
      if (hooks.blocks()) {
        hooks.blocked();
        at(50, () => execute(operation));
        return;
      }
      tab.run(() => {
        queue.push(operation);
        pump();
      });
      return next();
    }
    if (fault === 'refused' || fault === 'unopened') {
      const error: Error & Partial<StoreOpenError> = new Error('Simulated');
      fail(operation, fault === 'unopened' ? Object.assign(error, { storeUnusable: true as const }) : error);
      return next();
    }
    const before = value && cloneRecord(value);
    if (!change) {
      hooks.executed(tab, before, undefined, false);
      settle(operation, before);
      return next();
    }
    if (fault === 'hung') return next();
    const after = change(before);
    hooks.executed(tab, before, after, true);
    if (!after) {
      settle(operation, undefined);
      return next();
    }
    at(fault === 'slow' ? random.spread(100, 2_500) : random.spread(0.1, 6), () => {
      // Killed in mid-transaction: rolled back, unless it had left the page already.
      if (!tab.alive() && random.chance(0.5)) return next();
      put(after);
      hooks.written(tab, before, after);
      if (fault === 'unsure') fail(operation, new Error('Simulated: connection lost'));
      else if (fault !== 'hung-written') settle(operation, undefined);
      next();
    });
  }

  /** The outcomes of one tab come in the order of its operations, as they do from IndexedDB. */
  function settle(operation: Operation, result: unknown): void {
    const { tab } = operation;
    const due = Math.max(now() + random.spread(0.05, 1), settled.get(tab) ?? 0);
    settled.set(tab, due);
    at(due - now(), () =>
      tab.run(() => {
        if (operation.over) return;
        operation.over = true;
        operation.resolve(result);
        settling();
      }),
    );
  }

  function enqueue(tab: Tab, change: Change | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fault = hooks.fault(tab, change !== undefined);
      const operation: Operation = { tab, change, fault, resolve, reject, over: false };
      // The adapter gives up, and aborts what has not been written. (Only where something can hang: timers cost time.)
      if (fault || hooks.blocks()) {
        at(LIMIT_MS, () => fail(operation, new Error('Simulated: no answer')));
      }
      queue.push(operation);
      pump();
    });
  }

  return {
    portOf: (tab) => ({
      read: () => enqueue(tab, undefined),
      update: (change) => enqueue(tab, change).then(() => {}),
    }),
    value: () => value,
    overwrite: put,
    history: () => history,
  };
}
