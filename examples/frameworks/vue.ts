import type { Snapshot, TokenCoordinator } from 'one-refresh';
import { onScopeDispose, shallowRef, type ShallowRef } from 'vue';

/** In `<script setup>`: `const session = useSession(coordinator)`, then `session.status` in the template. */
export function useSession(coordinator: TokenCoordinator): Readonly<ShallowRef<Snapshot>> {
  const session = shallowRef(coordinator.getSnapshot());
  onScopeDispose(coordinator.subscribe(() => (session.value = coordinator.getSnapshot())));
  return session;
}
