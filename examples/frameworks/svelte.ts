import type { Snapshot, TokenCoordinator } from 'one-refresh';
import { readable, type Readable } from 'svelte/store';

/** In a component: `const session = sessionStore(coordinator)`, then `$session.status`. */
export function sessionStore(coordinator: TokenCoordinator): Readable<Snapshot> {
  return readable(coordinator.getSnapshot(), (set) => {
    const update = () => set(coordinator.getSnapshot());
    // It may have changed between the creation of the store and its first subscriber.
    update();
    return coordinator.subscribe(update);
  });
}
