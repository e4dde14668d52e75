import type { ClockPort } from '../core/ports.js';

/** The browser's clocks, timers and source of randomness (all there in insecure contexts too). */
export const browserClock: ClockPort = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  id() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  },
  setTimer(delayMs, callback) {
    // A longer delay would overflow and fire at once; waking early does no harm.
    const timer: unknown = setTimeout(callback, Math.min(Math.ceil(delayMs), 2 ** 31 - 1));
    // In Node (tests of the app) a timer must not keep the process alive.
    (timer as { unref?(): void }).unref?.();
    return () => clearTimeout(timer as number);
  },
};
