import type { Holds } from './holds.js';
import { inTime } from './in-time.js';
import type { Shared } from './shared.js';

/** The one subscription of a process: which sessions have changed, and which leases may be free. */
export interface Hub {
  /** Calls back when another process has changed a session's record, or may have. Returns how to stop. */
  readonly onChange: (key: string, callback: () => void) => () => void;
  /** Calls back when a lease of a session may have become free. Returns how to stop. */
  readonly onRelease: (key: string, callback: () => void) => () => void;
  /** Tells all processes that a record has changed. */
  readonly changed: (key: string) => void;
  readonly close: () => Promise<void>;
}

/** How long the end of the subscription may take; milliseconds. */
const CLOSE_MS = 1_000;

/** Listens from the first session that needs it until it is closed. */
export function createHub(shared: Shared, hold: Holds['hold']): Hub {
  const listeners = new Map<string, Set<() => void>>();
  let stop: (() => Promise<void>) | undefined;
  let closed = false;

  const hear = (topic: string): void => listeners.get(topic)?.forEach((callback) => callback());
  const missed = (): void => [...listeners.keys()].forEach(hear);

  function on(topic: string, callback: () => void): () => void {
    if (!closed) stop ??= shared.listen(hear, missed);
    const all = listeners.get(topic) ?? new Set();
    listeners.set(topic, all.add(callback));
    return () => {
      all.delete(callback);
      if (all.size === 0 && listeners.get(topic) === all) listeners.delete(topic);
    };
  }

  return {
    onChange: (key, callback) => on(`${key}.c`, callback),
    onRelease: (key, callback) => on(`${key}.r`, callback),
    changed(key) {
      const done = hold();
      inTime(shared.post(`${key}.c`))
        .catch(() => {})
        .finally(done);
    },
    async close() {
      closed = true;
      // A database that hangs answers no good-bye.
      // guard: processes: a database that hangs does not hold up the end
      if (stop) await inTime(stop(), CLOSE_MS).catch(() => {});
    },
  };
}
