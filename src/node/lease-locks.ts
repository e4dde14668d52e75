import type { LockOutcome, LockPort } from '../core/ports.js';
import { inTime } from './in-time.js';
import { leaseMs } from './lease-terms.js';
import { isDead, newHolder } from './process-identity.js';
import type { ParticipantContext } from './participant-context.js';

/** How soon a waiter asks again: at first, and at most; milliseconds. A message tells it earlier. */
const FIRST_WAIT_MS = 40;
const LONGEST_WAIT_MS = 1_000;

/**
 * Locks as leases: they end while their holder is frozen, and the holder does not know. The lock `refresh` is prolonged as long as its
 * holder runs, and reports `lost` when another process has it, or when it may have ended. The lock of an attempt is never prolonged: it is
 * asked for once for longer than anybody waits for it (T + R), so that it does not end while an answer is on its way to a frozen holder:
 *
 *     A  attempt lock ──── sends ─ frozen ░░░░░░░░░░░░░░░░ wakes: reads the answer, commits
 *     B                     refresh lease over ─ takes it ─ waits for A's attempt lock, T + R at most ─ finds A's pair
 */
export function leaseLocks(
  { shared, hub, hold }: ParticipantContext,
  key: string,
  refreshTimeoutMs: number,
): LockPort {
  return {
    request(name, mode, listener) {
      const isAttempt = name.startsWith('attempt:');
      const ttlMs = leaseMs(name, refreshTimeoutMs);
      const holder = newHolder();
      const lease = { key, name, holder, ttlMs };
      let over = false;
      let held = false;
      let stopWaiting = (): void => {};
      let stopProlonging = (): void => {};

      function report(outcome: LockOutcome): void {
        if (!over) listener(outcome);
      }

      function wait(ms: number): Promise<void> {
        return new Promise((resolve) => {
          const stop = hub.onRelease(key, done);
          const timer = setTimeout(done, ms * (0.5 + Math.random() / 2));
          timer.unref();
          function done(): void {
            stop();
            clearTimeout(timer);
            stopWaiting = () => {};
            resolve();
          }
          stopWaiting = done;
        });
      }

      /** Asks once. A grant that was long on its way may be over by now. */
      async function ask(instead?: string): Promise<string | undefined> {
        const asked = performance.now();
        const done = hold();
        try {
          if (mode === 'steal') await inTime(shared.steal(lease));
          else {
            const present = await inTime(shared.acquire({ ...lease, instead }));
            if (present !== holder) return present;
          }
        } catch {
          // Whether it was granted is not known.
          release();
          return undefined;
        } finally {
          done();
        }
        if (performance.now() - asked > ttlMs / 2) {
          release();
          return undefined;
        }
        return holder;
      }

      async function obtain(): Promise<void> {
        let instead: string | undefined;
        for (let ms = FIRST_WAIT_MS; ; ms = Math.min(2 * ms, LONGEST_WAIT_MS)) {
          const present = await ask(instead);
          if (present === holder) {
            if (over) return release();
            held = true;
            if (!isAttempt) prolong();
            return report(isAttempt && instead !== undefined ? 'inherited' : 'granted');
          }
          if (over) return;
          if (mode === 'try') return report('refused');
          instead = present !== undefined && present !== instead && isDead(present) ? present : undefined;
          if (instead === undefined) await wait(ms);
          if (over) return;
        }
      }

      function prolong(): void {
        let known = performance.now();
        const timer = setInterval(() => {
          const asked = performance.now();
          inTime(shared.acquire(lease)).then(
            (present) => {
              if (present === holder) known = asked;
              else lose();
            },
            () => {
              if (performance.now() - known > ttlMs) lose();
            },
          );
        }, ttlMs / 3);
        timer.unref();
        stopProlonging = () => clearInterval(timer);
      }

      function lose(): void {
        stopProlonging();
        held = false;
        report('lost');
        over = true;
      }

      /** Again, as long as it has not ended by itself; the process does not wait for that. */
      function release(ms: number = FIRST_WAIT_MS, until: number = performance.now() + ttlMs): void {
        const done = hold();
        inTime(shared.release(lease))
          .then(
            () => inTime(shared.post(`${key}.r`)),
            () => {
              const again = (): void => release(Math.min(2 * ms, LONGEST_WAIT_MS), until);
              if (performance.now() < until) setTimeout(again, ms).unref();
            },
          )
          .catch(() => {})
          .finally(done);
      }

      void obtain();
      return () => {
        if (over) return;
        over = true;
        stopWaiting();
        stopProlonging();
        if (held) release();
      };
    },
  };
}
