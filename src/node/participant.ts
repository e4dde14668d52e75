import { decodeJwt } from 'jose/jwt/decode';
import { browserClock } from '../browser/clock.js';
import { claimedLife } from '../claimed-life.js';
import { createCoordinator } from '../coordinator.js';
import { RefreshUnavailableError } from '../core/errors.js';
import { toEnvelope, type Message } from '../core/protocol.js';
import type { State } from '../core/state.js';
import type { CheckedOptions } from '../options.js';
import type { TokenCoordinator } from '../types.js';
import type { Hub } from './hub.js';
import { leaseLocks } from './lease-locks.js';
import { recordStore, type Known, type RecordStore } from './record-store.js';
import type { Shared } from './shared.js';

/** What changes the record. Nothing else is told: a question would cost every process a read. */
const NEWS: readonly Message['type'][] = [
  'pair',
  'session-started',
  'signed-out',
  'reauth-required',
  'refresh-failed',
];

/** One session's core in this process, while it is needed. */
export interface Participant {
  readonly coordinator: TokenCoordinator;
  readonly state: () => State;
  /** What the core has seen last; see `RecordStore`. */
  readonly mark: RecordStore['mark'];
  /** Lets the core know what has just been read, before it answers anybody. */
  readonly tell: (known: Known) => Promise<void>;
  /** Tries at once to write what only this process has. */
  readonly save: () => void;
  /** Nothing is under way that would be lost. */
  readonly isIdle: () => boolean;
  readonly close: () => void;
}

/** What all participants of a process have in common. */
export interface ParticipantContext {
  readonly shared: Shared;
  readonly hub: Hub;
  /** Keeps the process alive until the returned function is called. */
  readonly hold: () => () => void;
}

/**
 * The same core as in a tab, with other ports. It refreshes on demand, so it arms no timer and stands for no election; it hears only that
 * a record has changed, and reads it. `storeLost` is called when it would go on without a store.
 */
export function createParticipant(
  { shared, hub, hold }: ParticipantContext,
  key: string,
  options: CheckedOptions,
  storeLost: () => void,
): Participant {
  let hear: (data: unknown) => void = () => {};
  let stopHearing = (): void => {};
  let wake = (): void => {};
  let state: State | undefined;
  let release: (() => void) | undefined;
  /** Requests and store operations that have not ended. The core itself keeps an attempt for longer than its request lasts. */
  let operations = 0;
  const store = recordStore(
    shared,
    key,
    () => state?.record,
    () => wake(),
  );
  const { client } = options;

  const coordinator = createCoordinator(
    {
      ...options,
      proactive: 'never',
      candidate: false,
      answers: false,
      client: {
        ...client,
        async refresh(request) {
          // The core would go on without a store. Among processes that would be a second refresher.
          if (state?.storage === 'memory')
            throw Object.assign(new RefreshUnavailableError(), { unspent: true });
          return counted(() => client.refresh(request));
        },
      },
    },
    {
      locks: leaseLocks({ shared, hub, hold }, key, options.refreshTimeoutMs, store.saved),
      channel: {
        open(listener) {
          hear = listener;
          stopHearing();
          stopHearing = hub.onChange(key, sayChanged);
        },
        post(message) {
          if (NEWS.includes((message as Message).type)) hub.changed(key);
        },
        close: () => stopHearing(),
      },
      store: {
        read: () => counted(() => store.read()),
        update: (change) => counted(() => store.update(change)),
      },
      clock: browserClock,
      lifecycle: {
        state: () => ({ active: true, visible: true }),
        listen: (listener) => {
          wake = () => listener('online');
          return () => {};
        },
      },
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
    readLife,
  );

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

  function sayChanged(): void {
    hear(toEnvelope({ type: 'changed', sessionId: '', version: 0, term: 0 }, ''));
  }

  return {
    coordinator,
    state: () => state!,
    mark: store.mark,
    async tell(known) {
      store.prime(known);
      sayChanged();
      store.prime(undefined);
      // The core has asked for what was primed; it has concluded from it when all that follows at once has run.
      await new Promise((resolve) => setImmediate(resolve));
    },
    save: () => wake(),
    isIdle: () => operations === 0 && !isBusy(state!),
    close: () => void coordinator.close(),
  };
}

/** Whether something is under way that would be lost. Without a store nothing is: what is to be saved waits for a long time. */
function isBusy({ flight, callers, signingIn, saveAt, loaded, disposed, storage }: State): boolean {
  if (disposed) return false;
  const saving = saveAt !== undefined && storage !== 'memory';
  return !loaded || !!flight || callers.length > 0 || signingIn > 0 || saving;
}

async function readLife(token: string): Promise<number | undefined> {
  try {
    return claimedLife(decodeJwt(token));
  } catch {
    return undefined;
  }
}
