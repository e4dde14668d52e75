import { createCoordinator } from '../coordinator/coordinator.js';
import type { ClockPort, LockPort, StorePort } from '../core/ports.js';
import { RefreshUnavailableError } from '../core/errors.js';
import { toEnvelope, type Message } from '../core/protocol.js';
import { newer } from '../core/join.js';
import type { State } from '../core/state.js';
import { lazyExport } from '../lazy-export.js';
import type { CheckedOptions } from '../options.js';
import type { Ports } from '../runtime.js';
import type { TokenCoordinator } from '../types.js';

/** A process's ports in place of a page's. */
export interface ProcessPorts extends Pick<Ports, 'observe'> {
  readonly locks: LockPort;
  readonly store: StorePort;
  readonly clock: ClockPort;
  /** Calls back when the record has changed, or may have. Returns how to stop. */
  readonly onChange: (callback: () => void) => () => void;
  /** Tells the other processes that the record has changed. */
  readonly changed: () => void;
  /**
   * Calls back when nothing is left that only this process has: at once, or when the record has been written. `isAhead`: there is something,
   * though no write of it has failed, and the core is to be asked to write it until that works.
   */
  readonly saved: (callback: () => void, isAhead: boolean) => void;
}

/** A coordinator in a process, and what only its surroundings may do with it. */
export interface ProcessCoordinator {
  readonly coordinator: TokenCoordinator;
  /** Reads the record. */
  readonly reread: () => void;
  /** Tries at once to write what only this process has. */
  readonly save: () => void;
}

/** Whether a process has something that the shared part lacks, as far as it knows. */
export function isAhead({ saved, record }: State): boolean {
  return newer(saved, record) !== saved;
}

/** The calls that change the record. Nothing else is told: a question would cost every process a read. */
const NEWS: readonly Message['type'][] = [
  'pair',
  'session-started',
  'signed-out',
  'reauth-required',
  'refresh-failed',
];

/**
 * The same core as in a tab, for a process. It refreshes on demand, so it arms no timer and stands for no election; it hears only that a
 * record has changed, and reads it.
 */
export function createProcessCoordinator(
  options: CheckedOptions,
  { locks, store, clock, observe, onChange, changed, saved }: ProcessPorts,
): ProcessCoordinator {
  const { client } = options;
  let state: State | undefined;
  let hear: (data: unknown) => void = () => {};
  let stopHearing = (): void => {};
  let wake = (): void => {};
  const reread = (): void => hear(toEnvelope({ type: 'changed', sessionId: '', version: 0, term: 0 }, ''));

  const coordinator = createCoordinator(
    {
      ...options,
      proactive: 'never',
      candidate: false,
      leases: true,
      answers: false,
      client: {
        ...client,
        async refresh(request) {
          let isSent = false;
          // The core would go on without a store. Among processes that would be a second refresher, also while a client prepares its request.
          const assertShared = (): void => {
            // guard: processes: without the shared part nothing is sent
            if (state?.storage === 'memory')
              throw Object.assign(new RefreshUnavailableError(), { unspent: !isSent });
          };
          assertShared();
          return client.refresh({
            ...request,
            assertSendable() {
              assertShared();
              request.assertSendable?.();
              isSent = true;
            },
          });
        },
      },
    },
    {
      locks: {
        request(name, mode, listener) {
          const release = locks.request(name, mode, listener);
          if (!name.startsWith('attempt:')) return release;
          // An answer that no store has yet: nobody else is to ask again meanwhile, for as long as the lease lasts.
          //
          //     A  attempt lock ── answer ─ write ✗ ─ ✗ ─────────── written ─ lets go
          //     B                                  refresh lock ░░░░░░░░░░░░░ finds A's pair
          //
          // Without that a process could take its sender for dead:
          //
          //     A  attempt lock ── answer ─ write ✗ ─ lets go ─ ✗ ─ ✗
          //     B                                     granted ─ ✝
          //     C                                                 inherits the lock of a dead process: sends
          //
          // Nor need a write have failed. After three reads that did, the core goes by its memory alone, for longer than others wait.
          // guard: processes: the lease of an attempt is kept until its answer is saved
          return () => saved(release, state !== undefined && isAhead(state));
        },
      },
      channel: {
        open(listener) {
          hear = listener;
          stopHearing();
          // A message tells that the store is back.
          stopHearing = onChange(() => (state?.storage === 'memory' ? wake() : reread()));
        },
        post(message) {
          if (NEWS.includes((message as Message).type)) changed();
        },
        close: () => stopHearing(),
      },
      store,
      clock,
      lifecycle: {
        state: () => ({ active: true, visible: true }),
        listen: (listener) => {
          // The wait that all have agreed on after a failure is not over because the store is back.
          // guard: processes: a store that is back ends no wait that all agreed on
          wake = () => listener(state?.pause?.failure ? 'focus' : 'online');
          return () => {};
        },
      },
      observe(event, after, effects) {
        state = after;
        observe?.(event, after, effects);
      },
    },
    lazyExport,
  );
  return { coordinator, reread, save: () => wake() };
}
