import { TokenCoordinatorError } from '../../core/errors.js';
import { causeOf } from '../../core/sanitise.js';
import type { DPoPSupport } from './dpop-support.js';

let loading: Promise<DPoPSupport> | undefined;

/**
 * Loads what only those pay for who use it.
 * @throws `ERR_UNSUPPORTED` in a service worker, which may not load code later
 */
export function loadDPoP(): Promise<DPoPSupport> {
  loading ??= import('./dpop-support.js').then(
    ({ dpopSupport }) => dpopSupport,
    (cause: unknown) => {
      // A chunk that did not arrive may arrive the next time.
      loading = undefined;
      if (!('ServiceWorkerGlobalScope' in globalThis)) throw cause;
      throw new TokenCoordinatorError(
        'ERR_UNSUPPORTED',
        'A service worker cannot load code later: import { dpopSupport } from one-refresh/oauth and give it as dpop',
        { cause: causeOf(cause) },
      );
    },
  );
  return loading;
}
