import { guarded } from './guarded.js';
import type { CheckedOptions } from './options.js';
import { callStore, StoreFailure } from './store-call.js';
import { StoreClosed } from './store.js';

/** An endpoint that has not answered by then is taken for dead, and its claim runs out. */
const RENEW_FOR_MS = 60_000;

/** Runs the endpoint behind while this process keeps its claim. */
export async function withClaim<T>(
  run: () => Promise<T>,
  renew: () => Promise<void>,
  { claimMs, onStoreError }: CheckedOptions,
): Promise<T> {
  const startedAt = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - startedAt > RENEW_FOR_MS) return clearInterval(timer);
    // guard: a claim is renewed
    renew().catch((error: unknown) => guarded(() => onStoreError(error)));
  }, claimMs / 3);
  try {
    return await run();
  } finally {
    clearInterval(timer);
  }
}

/** The outcome of a record. */
export interface Recording<T> {
  /** The store's answer; `undefined` if it could not be reached. */
  readonly said: T | undefined;
  /** If the first try failed: the further ones, in the background. */
  readonly further: FurtherTries | undefined;
}

export interface FurtherTries {
  /** Resolves when the record is made, when its time is over, or when it was stopped. */
  readonly over: Promise<void>;
  /** The record is not worth having any more. */
  stop(): void;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;

/**
 * Records what the authorization server has decided already. The first try is waited for. If it fails, the client still gets its answer, and
 * further tries follow in the background, since duplicates at other processes wait for the record. A store that was closed is not tried again: the
 * process is about to end, and nothing here keeps it alive.
 *
 * @param forMs - how long the record is worth having, milliseconds
 */
export async function record<T>(
  call: () => Promise<T>,
  options: CheckedOptions,
  forMs: number,
): Promise<Recording<T>> {
  try {
    return { said: await callStore(call, options), further: undefined };
  } catch (error) {
    return { said: undefined, further: tryAgain(call, options, forMs, wasClosed(error)) };
  }
}

const wasClosed = (error: unknown): boolean =>
  error instanceof StoreFailure && error.cause instanceof StoreClosed;

function tryAgain(
  call: () => Promise<unknown>,
  options: CheckedOptions,
  forMs: number,
  closed: boolean,
): FurtherTries {
  let isOver = false;
  let resolve!: () => void;
  const over = new Promise<void>((done) => (resolve = done));
  // guard: an unrecorded answer ends with its window
  const timer = setTimeout(stop, forMs);
  function stop(): void {
    isOver = true;
    clearTimeout(timer);
    resolve();
  }

  async function tryOften(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await new Promise((done) => setTimeout(done, pause));
      if (isOver) return;
      try {
        await callStore(call, options);
        return stop();
      } catch (error) {
        // The store's owner has been told.
        // guard: a store closed meanwhile is not tried again
        if (wasClosed(error)) return letGo();
      }
    }
  }

  /** The answer stays in memory, as long as the process lives anyway. */
  function letGo(): void {
    // guard: a closed store does not keep the process alive
    (timer as { unref?(): void }).unref?.();
  }
  if (closed) {
    letGo();
    return { over, stop };
  }
  // guard: a record is tried again
  void tryOften();
  return { over, stop };
}
