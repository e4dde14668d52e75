import { workerLifecycle } from '../browser/lifecycle.js';
import type { State } from '../core/state.js';
import { createCoordinator } from '../coordinator/coordinator.js';
import type { CheckedOptions } from '../options.js';
import type { Ports } from '../runtime.js';
import type { TokenCoordinator } from '../types.js';

/** The same participant as in every page, but that it lives on without one. */
export interface WorkerParticipant {
  /** Hears what a page asks. Resolves when nothing that came of it is under way: then the worker may be stopped. */
  readonly serve: (message: object) => Promise<void>;
  readonly on: TokenCoordinator['on'];
}

export function createWorkerParticipant(
  options: CheckedOptions,
  { channel, store, observe, ...ports }: Omit<Ports, 'lifecycle' | 'worker'>,
): WorkerParticipant {
  let state: State | undefined;
  let hear: (data: unknown) => void = () => {};
  let operations = 0;
  let served: (() => void)[] = [];

  /** When all that follows from a step has been set going. */
  function checkSoon(): void {
    if (served.length === 0) return;
    ports.clock.setTimer(0, () => {
      if (operations > 0 || isBusy(state)) return;
      served.forEach((resolve) => resolve());
      served = [];
    });
  }

  async function counted<T>(operation: Promise<T>): Promise<T> {
    operations++;
    try {
      return await operation;
    } finally {
      operations--;
      checkSoon();
    }
  }

  const coordinator = createCoordinator(
    // Pages decide when, and which of them leads.
    { ...options, proactive: 'never', candidate: false, answers: true },
    {
      ...ports,
      channel: { ...channel, open: (listener) => channel.open((hear = listener)) },
      store: {
        read: () => counted(store.read()),
        update: (change) => counted(store.update(change)),
      },
      lifecycle: workerLifecycle,
      observe(event, after, effects) {
        state = after;
        checkSoon();
        observe?.(event, after, effects);
      },
    },
  );

  return {
    on: coordinator.on,
    async serve(message) {
      await coordinator.ready;
      const done = new Promise<void>((resolve) => served.push(resolve));
      hear(message);
      checkSoon();
      return done;
    },
  };
}

/** An attempt whose deadlines are all over is no longer waited for, though its answer would count. */
function isBusy(state: State | undefined): boolean {
  const { flight, attempts = [], saveAt } = state ?? {};
  return !!flight || saveAt !== undefined || attempts.some(({ until }) => until < Infinity);
}
