import type { Snapshot, TokenCoordinator } from 'one-refresh';
import { createSignal, onCleanup, type Accessor } from 'solid-js';

/** In a component: `const session = createSession(coordinator)`, then `session().status`. */
export function createSession(coordinator: TokenCoordinator): Accessor<Snapshot> {
  const [session, setSession] = createSignal(coordinator.getSnapshot());
  onCleanup(coordinator.subscribe(() => setSession(coordinator.getSnapshot())));
  return session;
}
