import { nativeChannel } from './browser/broadcast-channel.js';
import { browserClock } from './browser/clock.js';
import { lazyChannel } from './browser/lazy-channel.js';
import { lazyIdle } from './browser/lazy-idle.js';
import { sessionPorts } from './browser/lazy-session-store.js';
import { lazyWorker } from './browser/lazy-worker.js';
import { indexedDbStore } from './browser/indexed-db.js';
import { lifecycleHere } from './browser/lifecycle.js';
import { webLocks } from './browser/web-locks.js';
import { createCoordinator } from './coordinator/coordinator.js';
import { createInertCoordinator } from './coordinator/inert.js';
import { lazyExport } from './lazy-export.js';
import { withDebug } from './observe-steps.js';
import { checkOptions } from './options.js';
import type { Ports } from './runtime.js';
import type { TokenCoordinator, TokenCoordinatorOptions } from './types.js';

export {
  RefreshConflictError,
  RefreshRejectedError,
  RefreshUnavailableError,
  TokenCoordinatorError,
  isTokenCoordinatorError,
} from './core/errors.js';
export type { ErrorCode, ErrorDetails, LossReason } from './core/errors.js';
export type { CoordinatorEvent, EventType, Snapshot, TokenResponse } from './core/types.js';
export type {
  AccessTokenOptions,
  AuthorizedRequest,
  IdleOptions,
  NewSession,
  RefreshFunction,
  RefreshRequest,
  SessionOptions,
  TokenClient,
  TokenCoordinator,
  TokenCoordinatorOptions,
  TokenSelector,
} from './types.js';

/**
 * Makes this tab one participant in the coordination of one login: of all tabs that use the same `name`, exactly one
 * refreshes at a time, and all of them have the result. Never throws for a missing browser API. Outside of a page and a
 * worker (server rendering, React Native), and where `crypto.getRandomValues` is missing, it stays `loading` and opens nothing.
 *
 * @param options - name, refresh function, and durations in milliseconds with their defaults
 * @throws `ERR_CONFIGURATION` if an option is not usable, saying what to change
 */
export function createTokenCoordinator(options: TokenCoordinatorOptions): TokenCoordinator {
  const checked = checkOptions(options);
  const lifecycle = lifecycleHere();
  if (!lifecycle) return createInertCoordinator();
  const store = indexedDbStore(options.name);
  const prefix = `one-refresh:${options.name}`;
  const native = nativeChannel(prefix);
  const ports: Ports = {
    locks: webLocks(`${prefix}:`),
    channel: native ?? lazyChannel(prefix),
    store,
    clock: browserClock,
    lifecycle,
    // Its answer comes over the channel.
    worker: native && lazyWorker(options),
    ...(options.storage === 'session' && sessionPorts(options.name, store, native)),
  };
  return createCoordinator(
    { ...checked, answers: native !== undefined },
    withDebug(ports, checked, () => import('./debug/describe.js')),
    lazyExport,
    lazyIdle(options),
  );
}
