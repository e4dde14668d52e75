import { TokenCoordinatorError } from '../core/errors.js';

/** How long somebody waits. */
export interface Patience {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds; `undefined`: for ever. */
  readonly waitMs: number | undefined;
}

/** The longest delay that `setTimeout` takes. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * The same promise, rejected as soon as the signal is aborted, with its reason as `fetch` would be, or when time is up.
 * @throws `ERR_TIMEOUT`
 */
export async function waitFor<T>(promise: Promise<T>, { signal, waitMs }: Patience): Promise<T> {
  let abort: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ended = new Promise<never>((_resolve, reject) => {
    if (signal) {
      abort = () => reject(reasonOf(signal));
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
    }
    if (waitMs !== undefined && waitMs <= LONGEST_TIMEOUT_MS) {
      const late = new TokenCoordinatorError('ERR_TIMEOUT', `No access token within ${waitMs} ms`);
      timer = setTimeout(() => reject(late), waitMs);
    }
  });
  try {
    return await Promise.race([promise, ended]);
  } finally {
    if (abort) signal?.removeEventListener('abort', abort);
    clearTimeout(timer);
  }
}

/** `signal.throwIfAborted()`, which came with Chrome 100 and Safari 15.4. @throws the signal's reason, as `fetch` does */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

/** `signal.reason` came with Chrome 98 and Safari 15.4. */
function reasonOf(signal: AbortSignal): unknown {
  return 'reason' in signal ? signal.reason : new DOMException('The operation was aborted.', 'AbortError');
}
