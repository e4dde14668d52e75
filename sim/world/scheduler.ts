/** Virtual time: nothing happens but what was put here, in order of time, then of entry. */
export interface Scheduler {
  readonly now: () => number;
  /** Runs `task` once, `delayMs` from now. */
  readonly at: (delayMs: number, task: () => void) => Task;
  /** A task that has not run yet never will. */
  readonly cancel: (task: Task) => void;
  /** Runs everything up to `until`, or until `stop()` says so. Resolves with what is left to run. */
  readonly run: (until: number, stop: () => boolean) => Promise<void>;
  /** Promises were settled: their reactions run before the next task does. */
  readonly settling: () => void;
  readonly pending: () => number;
}

/** An entry of the scheduler's queue; `run` goes when it has run, or never will. */
export interface Task {
  readonly time: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** Awaited, one turn of the microtask queue. */
const aTurn = Promise.resolve();

/**
 * More turns of the microtask queue than the longest chain of reactions takes (the runtime's `await` of a store
 * operation, the coordinator's of a refresh that a client prepared, a caller's of its token). A longer chain would only be late, in every
 * run of the same seed alike.
 */
const TURNS = 10;

/** `turns`: where the longest chain of reactions is longer. */
export function createScheduler(turns: number = TURNS): Scheduler {
  const heap: Task[] = [];
  let time = 0;
  let order = 0;
  let live = 0;
  let dirty = false;

  const before = (a: Task, b: Task): boolean => a.time < b.time || (a.time === b.time && a.order < b.order);

  function push(task: Task): void {
    let i = heap.length;
    heap.push(task);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent]!;
      if (before(above, task)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = task;
  }

  function pop(): Task {
    const first = heap[0]!;
    const last = heap.pop()!;
    const size = heap.length;
    if (size > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= size) break;
        if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++;
        if (before(last, heap[child]!)) break;
        heap[i] = heap[child]!;
        i = child;
      }
      heap[i] = last;
    }
    return first;
  }

  return {
    now: () => time,
    at(delayMs, run) {
      const task: Task = { time: time + Math.max(0, delayMs), order: order++, run };
      push(task);
      live++;
      return task;
    },
    cancel(task) {
      if (!task.run) return;
      task.run = undefined;
      live--;
    },
    async run(until, stop) {
      // The effects set going before the first task.
      for (let turn = 0; turn < turns; turn++) await aTurn;
      while (heap.length > 0 && heap[0]!.time <= until && !stop()) {
        const task = pop();
        const run = task.run;
        if (!run) continue;
        task.run = undefined;
        live--;
        time = task.time;
        run();
        if (!dirty) continue;
        dirty = false;
        for (let turn = 0; turn < turns; turn++) await aTurn;
      }
      if (!stop()) time = Math.max(time, until);
    },
    settling: () => (dirty = true),
    pending: () => live,
  };
}
