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
  let lastDue = 0;
  let stopped = false;

  function arm(ms: number): void {
    if (stopped) return;
    timer = setTimeout(() => {
      sweep()
        .catch(() => {})
        .finally(() => {
          timer = undefined;
          const rest = lastDue - Date.now();
          if (rest > 0) arm(Math.min(rest, PAUSE_MS));
        });
    }, ms);
    // In Node, a pending sweep does not keep the process alive.
    (timer as { unref?(): void }).unref?.();
  }

  return {
    dueIn(ms) {
      // One more, because a row that is due this very millisecond is not overdue yet.
      lastDue = Math.max(lastDue, Date.now() + ms + 1);
      if (timer === undefined) arm(ms + 1);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
