import type { WorkerPort } from '../core/ports.js';
import type { TokenCoordinatorOptions } from '../types.js';

/** Loads the way to the refresh worker, for those who have one. Whatever fails on it means that there is none. */
export function lazyWorker({ name, worker }: TokenCoordinatorOptions): WorkerPort | undefined {
  if (worker === undefined) return undefined;
  const loaded = import('../worker/register.js').then(({ registerWorker }) => registerWorker(name, worker));
  const none = (): boolean => false;
  loaded.catch(none);
  return { ask: (message) => loaded.then((port) => port.ask(message)).catch(none) };
}
