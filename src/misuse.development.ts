import { fault } from './core/calls.js';
import type { WatchForMisuse } from './misuse.js';

/**
 * `refresh` may not call its own coordinator: it would wait for itself. Nothing tells such a call from any other. So shortly before the
 * deadline the watch releases the calls made during the request. If the error of one of them comes back out of `refresh`, `refresh` made
 * that call.
 */
export const watchForMisuse: WatchForMisuse = (clock, refreshTimeoutMs, pending, dispatch) => {
  /** Errors of our own that callers were given. */
  const own = new WeakSet<object>();
  return {
    gave: (error) => void own.add(error),
    gaveCauseOf(error) {
      // Not for ever: errors that are kept may be each other's cause.
      for (let cause = error, n = 0; Object(cause) === cause && n < 10; cause = (cause as Error).cause, n++)
        if (own.has(cause as object)) return true;
      return false;
    },
    watch: (first) =>
      clock.setTimer(refreshTimeoutMs - Math.min(100, refreshTimeoutMs / 10), () => {
        for (const id of pending.keys()) {
          if (id < first) continue;
          dispatch({ type: 'cancel', id, error: fault('ERR_REFRESH_UNAVAILABLE'), orServe: true });
        }
      }),
  };
};
