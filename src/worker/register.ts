import type { WorkerPort } from '../core/ports.js';
import type { TokenCoordinatorOptions } from '../types.js';
import type { Ask } from './ask.js';

/**
 * The page's way to its refresh worker: registers it for next time, and posts to it if it is there. It is looked up anew
 * each time: that is right after an update and after `unregister()`, and keeps no page out of the back/forward cache.
 */
export function registerWorker(
  name: string,
  worker: NonNullable<TokenCoordinatorOptions['worker']>,
): WorkerPort {
  const { serviceWorker } = navigator;
  const given = typeof worker === 'object' && 'url' in worker ? worker : { url: worker };
  const url = new URL(given.url, document.baseURI);
  const scope = new URL(given.scope ?? defaultScope(name), given.scope === undefined ? url : document.baseURI)
    .href;

  const port: WorkerPort & { registration?: ServiceWorkerRegistration | undefined } = {
    async ask(message) {
      const active = (await find())?.active;
      active?.postMessage({ oneRefresh: name, message } satisfies Ask);
      return !!active;
    },
  };

  /**
   * The worker of exactly this scope: a page without it would be given the one that controls it. The registration is
   * kept from the garbage collector: Firefox (ESR 153) may later give the page an object for it that has no workers.
   */
  async function find(): Promise<ServiceWorkerRegistration | undefined> {
    port.registration = await serviceWorker.getRegistration(scope);
    return port.registration?.scope === scope ? port.registration : undefined;
  }

  async function install(): Promise<void> {
    const known = await find();
    const script = known?.waiting ?? known?.installing ?? known?.active;
    // An app's own worker keeps the type it was registered with.
    if (known && script?.scriptURL === url.href) await known.update();
    else port.registration = await serviceWorker.register(url, { type: 'module', scope });
  }

  // Without it the pages go on by themselves; the browser says in its console what it disliked.
  install().catch(() => {});
  return port;
}

/** Beside the script, where no page lives: so it controls none. `%2F` is refused in a scope, and a tilde is as good. */
function defaultScope(name: string): string {
  return `one-refresh-${encodeURIComponent(name).replaceAll('%', '~')}/`;
}
