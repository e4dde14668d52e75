// Calls of the store from a request: within a time limit, and once more if the first connection was cut.
import { guarded } from './guarded.js';
import { StoreClosed } from './store.js';

/** The store cannot be reached. Thrown inside the remedies only. Its cause is the store's error. */
export class StoreFailure extends Error {
  override readonly name = 'StoreFailure';
}

/**
 * @param call - may run twice, so it must be harmless to repeat
 * @param late - gets the result of a call that succeeds after it was given up
 * @throws StoreFailure if both fail, or the time is over
 */
export async function callStore<T>(
  call: () => Promise<T>,
  { storeTimeoutMs, onStoreError }: { storeTimeoutMs: number; onStoreError: (error: unknown) => void },
  late: (value: T) => void = () => {},
): Promise<T> {
  let gaveUp = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreFailure('The store did not answer in time')), storeTimeoutMs);
  });
  const once = async (): Promise<T> => {
    const value = await call();
    // guard: a claim that comes too late is given back
    if (gaveUp) late(value);
    return value;
  };
  const twice = async (): Promise<T> => {
    try {
      return await once();
    } catch (error) {
      if (gaveUp || error instanceof StoreClosed) throw error;
      // guard: a call of the store is sent once more
      return once();
    }
  };
  try {
    // guard: a call of the store has a limit
    return await Promise.race([twice(), limit]);
  } catch (error) {
    gaveUp = true;
    guarded(() => onStoreError(error));
    throw new StoreFailure('The store cannot be reached', { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
