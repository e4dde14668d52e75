import { browserClock } from '../browser/clock.js';
import type { State } from '../core/state.js';
import type { CheckedOptions } from '../options.js';
import type { TokenCoordinator } from '../types.js';
import { leaseLocks } from './lease-locks.js';
import type { ParticipantContext } from './participant-context.js';
import { createProcessCoordinator, isAhead } from './process-coordinator.js';
import { recordStore, type Known, type RecordStore } from './record-store.js';

/** One session's core in this process, while it is needed. */
export interface Participant {
  readonly coordinator: TokenCoordinator;
  readonly state: () => State;
  /** The record that the core has seen last; see `RecordStore`. */
  readonly mark: RecordStore['mark'];
  /** Lets the core know what has just been read, before it answers anybody. */
  readonly tell: (known: Known) => Promise<void>;
  /** Tries at once to write what only this process has. */
  readonly save: () => void;
  /** Nothing is under way that would be lost. */
  readonly isIdle: () => boolean;
  /** It has something that the shared part lacks, as far as it knows: an answer that could not be written. */
  readonly isAhead: () => boolean;
  /** Why the last operation on the shared part failed. */
  readonly failure: () => unknown;
  readonly close: () => void;
}

/** One session's core on the shared part. `storeLost` is called when it would go on without a store. */
export function createParticipant(
  { shared, hub, hold }: ParticipantContext,
  key: string,
  options: CheckedOptions,
  storeLost: () => void,
): Participant {
  let state: State | undefined;
  let release: (() => void) | undefined;
  /** Requests and store operations that have not ended. The core itself keeps an attempt for longer than its request lasts. */
  let operations = 0;
  let failure: unknown;
  const { client } = options;
  const store = recordStore(
    shared,
    key,
    () => state?.record,
    () => made.save(),
    () => state?.disposed === true,
  );

  const made = createProcessCoordinator(
    { ...options, client: { ...client, refresh: (request) => counted(() => client.refresh(request)) } },
    {
      locks: leaseLocks({ shared, hub, hold }, key, options.refreshTimeoutMs),
      store: {
        read: () => counted(() => store.read()).catch(failed),
        update: (change) => counted(() => store.update(change)).catch(failed),
      },
      saved: store.saved,
      clock: browserClock,
      onChange: (callback) => hub.onChange(key, callback),
      changed: () => hub.changed(key),
      observe(_, after) {
        const before = state;
        state = after;
        if (isBusy(after)) release ??= hold();
        else {
          // After the effects of this step, which may go on.
          if (release) queueMicrotask(release);
          release = undefined;
        }
        if (after.storage === 'memory' && before?.storage !== 'memory') storeLost();
      },
    },
  );
  const { coordinator } = made;

  function failed(error: unknown): never {
    failure = error;
    throw error;
  }

  async function counted<T>(operation: () => Promise<T>): Promise<T> {
    const done = hold();
    operations++;
    try {
      return await operation();
    } finally {
      operations--;
      done();
    }
  }

  return {
    coordinator,
    state: () => state!,
    mark: store.mark,
    async tell(known) {
      store.prime(known);
      made.reread();
      store.prime(undefined);
      // The core has asked for what was primed; it has concluded from it when all that follows at once has run.
      await new Promise((resolve) => setImmediate(resolve));
    },
    save: made.save,
    isIdle: () => operations === 0 && !isBusy(state!),
    isAhead: () => isAhead(state!),
    failure: () => failure,
    close: () => void coordinator.close(),
  };
}

/** Whether something is under way that would be lost. Without a store nothing is: a change to be saved waits for a long time. */
function isBusy({ flight, callers, signingIn, saveAt, loaded, disposed, storage }: State): boolean {
  if (disposed) return false;
  const saving = saveAt !== undefined && storage !== 'memory';
  return !loaded || !!flight || callers.length > 0 || signingIn > 0 || saving;
}
