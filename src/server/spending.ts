import { guarded } from './guarded.js';
import type { CheckedOptions } from './options.js';
import { callStore } from './store-call.js';

/** An endpoint that has not answered by then is taken for dead, and its claim runs out. */
const RENEW_FOR_MS = 60_000;

/** Runs the endpoint behind while this process keeps its claim. */
export async function withClaim<T>(
  run: () => Promise<T>,
  renew: () => Promise<void>,
  { claimMs, onStoreError }: CheckedOptions,
): Promise<T> {
  const startedAt = Date.now();
  const timer = setInterval(() => {
    if (Date.now() - startedAt > RENEW_FOR_MS) return clearInterval(timer);
    renew().catch((error: unknown) => guarded(() => onStoreError(error)));
  }, claimMs / 3);
  try {
    return await run();
  } finally {
    clearInterval(timer);
  }
}

const PAUSES_MS = [100, 500, 2_000];

/**
 * Records what the authorization server has decided already. The first try is waited for; if it fails the client still gets its answer, and
 * further tries follow in the background, since duplicates at other processes wait for the record.
 */
export async function record<T>(call: () => Promise<T>, options: CheckedOptions): Promise<T | undefined> {
  try {
    return await callStore(call, options);
  } catch {
    void tryAgain(call, options);
    return undefined;
  }
}

async function tryAgain(call: () => Promise<unknown>, options: CheckedOptions): Promise<void> {
  for (const pause of PAUSES_MS) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    try {
      await callStore(call, options);
      return;
    } catch {
      // The store's owner has been told.
    }
  }
}
