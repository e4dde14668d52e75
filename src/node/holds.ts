/** The work under way in this process. */
export interface Holds {
  /** Keeps the process alive until the returned function is called. */
  readonly hold: () => () => void;
  /** Resolves when nothing is under way, and after `limitMs` in any case. */
  readonly settled: (limitMs: number) => Promise<void>;
}

/** No timer or socket of ours keeps a process alive, so that it ends by itself. While somebody waits, one timer does. */
export function createHolds(): Holds {
  const anchor = setInterval(() => {}, 2 ** 31 - 1).unref();
  let count = 0;
  let changed = (): void => {};
  const isBusy = (): boolean => count > 0;

  return {
    hold() {
      if (count++ === 0) anchor.ref();
      let released = false;
      return () => {
        if (released) return;
        released = true;
        if (--count > 0) return;
        anchor.unref();
        changed();
      };
    },
    async settled(limitMs) {
      const until = performance.now() + limitMs;
      const timer = setTimeout(() => changed(), limitMs);
      // A hold that has ended may have set something else going.
      do {
        if (isBusy()) await new Promise<void>((resolve) => (changed = resolve));
        await new Promise((resolve) => setImmediate(resolve));
      } while (isBusy() && performance.now() < until);
      clearTimeout(timer);
      clearInterval(anchor);
    },
  };
}
