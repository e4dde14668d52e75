/** Calls `sweep` when rows are due, at most once a second, and not at all while nothing is kept. */
export interface Sweeper {
  /** Some row's time is over in that many milliseconds. */
  dueIn(ms: number): void;
  stop(): void;
}

const PAUSE_MS = 1_000;

/** @param sweep - its failure is the next sweep's work */
export function createSweeper(sweep: () => Promise<void>): Sweeper {
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires, and until when rows are due; by `performance.now()`. */
  let firesAt = 0;
  let lastDue = 0;
  let sweptAt = 0;
  let stopped = false;

  function arm(ms: number): void {
    if (stopped) return;
    clearTimeout(timer);
    firesAt = performance.now() + ms;
    timer = setTimeout(() => {
      sweptAt = performance.now();
      sweep()
        .catch(() => {})
        .finally(() => {
          timer = undefined;
          const rest = lastDue - performance.now();
          if (rest > 0) arm(Math.min(rest, PAUSE_MS));
        });
    }, ms);
    // In Node, a pending sweep does not keep the process alive.
    (timer as { unref?(): void }).unref?.();
  }

  return {
    dueIn(ms) {
      // One more, because a row that is due this very millisecond is not overdue yet.
      const due = performance.now() + ms + 1;
      lastDue = Math.max(lastDue, due);
      // A claim is due later than the answer that takes its place.
      // guard: what is due first is swept first
      const sooner = Math.max(due, sweptAt + PAUSE_MS) < firesAt;
      if (timer === undefined || sooner) arm(Math.max(ms + 1, sweptAt + PAUSE_MS - performance.now()));
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
