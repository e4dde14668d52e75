// Calls of the store from a request: within a time limit, and once more if the first connection was cut.
import { guarded } from './guarded.js';

/** The store cannot be reached. Thrown inside the remedies only. */
class StoreFailure extends Error {
  override readonly name = 'StoreFailure';
}

/**
 * @param call - may run twice, so it must be harmless to repeat
 * @throws StoreFailure if both fail, or the time is over
 */
export async function callStore<T>(
  call: () => Promise<T>,
  { storeTimeoutMs, onStoreError }: { storeTimeoutMs: number; onStoreError: (error: unknown) => void },
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreFailure('The store did not answer in time')), storeTimeoutMs);
  });
  const twice = async (): Promise<T> => {
    try {
      return await call();
    } catch {
      // guard: a call of the store is sent once more
      return call();
    }
  };
  try {
    // guard: a call of the store has a limit
    return await Promise.race([twice(), late]);
  } catch (error) {
    guarded(() => onStoreError(error));
    throw new StoreFailure('The store cannot be reached', { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
