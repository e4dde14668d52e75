import { DestroyRef, inject, signal, type Signal } from '@angular/core';
import type { Snapshot, TokenCoordinator } from 'one-refresh';

/** In a component or service: `session = injectSession(coordinator)`, then `session().status`. */
export function injectSession(coordinator: TokenCoordinator): Signal<Snapshot> {
  const session = signal(coordinator.getSnapshot());
  const stop = coordinator.subscribe(() => session.set(coordinator.getSnapshot()));
  inject(DestroyRef).onDestroy(stop);
  return session.asReadonly();
}
