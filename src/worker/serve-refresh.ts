import { nativeChannel } from '../browser/broadcast-channel.js';
import { browserClock } from '../browser/clock.js';
import { indexedDbStore } from '../browser/indexed-db.js';
import { overheard } from '../browser/lazy-session-store.js';
import { sessionStore } from '../browser/session-store.js';
import { webLocks } from '../browser/web-locks.js';
import { TokenCoordinatorError } from '../core/errors.js';
import { withDebug } from '../observe-steps.js';
import { checkOptions } from '../options.js';
import type { TokenCoordinator, TokenCoordinatorOptions } from '../types.js';
import type { Ports } from '../runtime.js';
import { readAsk } from './ask.js';
import { createWorkerParticipant, type WorkerParticipant } from './worker-participant.js';

/** This worker's part for one name. */
export interface RefreshService {
  /** Calls `listener` for every event of this type that happens in this worker. Returns how to stop. */
  readonly on: TokenCoordinator['on'];
}

/** The two members of a service worker's global scope that are needed; its types would exclude those of a page. */
interface ServiceWorkerScope {
  addEventListener(type: 'message', listener: (event: ExtendableMessage) => void): void;
}

interface ExtendableMessage {
  readonly data: unknown;
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * Refreshes in a service worker what the pages of this origin ask for, so that closing, reloading or leaving a page
 * cannot lose the answer. Call it while the worker's script runs for the first time, not later. It opens nothing until
 * a page asks, handles no `fetch`, and can be called for several names.
 *
 * @param options - the ones of the pages; `worker` and `proactive` mean nothing here, where pages decide when
 * @throws `ERR_CONFIGURATION` if an option is not usable, or outside of a service worker
 * @example
 * // refresh-worker.ts
 * serveRefresh({ name: 'shop', refresh: refreshTokenGrant({ issuer: 'https://login.example.com', clientId: 'shop' }) })
 */
export function serveRefresh(options: TokenCoordinatorOptions): RefreshService {
  const checked = checkOptions(options);
  const { name } = checked;
  if (!('ServiceWorkerGlobalScope' in globalThis)) {
    const message =
      'serveRefresh() belongs in the script of a service worker; a page names that script as `worker`';
    throw new TokenCoordinatorError('ERR_CONFIGURATION', message);
  }
  const watches: ((participant: WorkerParticipant) => void)[] = [];
  let participant: WorkerParticipant | undefined;

  function start(): WorkerParticipant | undefined {
    const prefix = `one-refresh:${name}`;
    const channel = nativeChannel(prefix);
    // It could not answer, so pages go on by themselves.
    if (!channel) return undefined;
    const records = indexedDbStore(name);
    const session = options.storage === 'session' ? sessionStore(name, records, channel, null) : undefined;
    const ports: Omit<Ports, 'lifecycle' | 'worker'> = {
      locks: webLocks(`${prefix}:`),
      channel: session ? overheard(channel, session.hear) : channel,
      store: session ?? records,
      clock: browserClock,
    };
    const started = createWorkerParticipant(
      checked,
      withDebug(ports, checked, () => Promise.reject(new Error())),
    );
    watches.forEach((watch) => watch(started));
    return started;
  }

  const scope = globalThis as unknown as ServiceWorkerScope;
  scope.addEventListener('message', (event) => {
    const message = readAsk(event.data, name);
    if (!message) return;
    participant ??= start();
    if (participant) event.waitUntil(participant.serve(message));
  });

  return {
    on(type, listener) {
      let stop = (): void => {};
      let stopped = false;
      const watch = (one: WorkerParticipant): void => {
        if (!stopped) stop = one.on(type, listener);
      };
      if (participant) watch(participant);
      else watches.push(watch);
      return () => {
        stopped = true;
        stop();
      };
    },
  };
}
