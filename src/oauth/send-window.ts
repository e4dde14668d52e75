import { RefreshUnavailableError } from '../core/errors.js';

/** How long the preparation of a token request may take before the request must not be sent any more. */
const SEND_WINDOW_MS = 5_000;

/**
 * The last moment to send. The coordinator checks that the refresh token may be spent and calls `refresh` in the same task; where
 * something asynchronous has to come first (discovery, the signature of a proof) that check grows old, at worst because the tab was
 * suspended meanwhile and another has taken over. Both clocks are asked: one stops in sleep, the other can be set back.
 *
 * @returns a function that throws `RefreshUnavailableError`, nothing having been sent, if too much time has passed
 */
export function openSendWindow(): () => void {
  const wall = Date.now();
  const monotonic = performance.now();
  return () => {
    if (Math.max(Date.now() - wall, performance.now() - monotonic) > SEND_WINDOW_MS) {
      throw new RefreshUnavailableError({
        cause: new Error('Preparing the token request took too long; nothing was sent'),
      });
    }
  };
}
