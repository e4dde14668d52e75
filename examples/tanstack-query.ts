/** TanStack Query: one user's data are not shown to the next, and a signed-out session is not asked three times. */
import { QueryClient } from '@tanstack/react-query';
import type { TokenCoordinator } from 'one-refresh';

/** Errors that trying again does not mend. */
const FINAL = new Set([
  'ERR_SIGNED_OUT',
  'ERR_REAUTH_REQUIRED',
  'ERR_REFRESH_REJECTED',
  'ERR_CONFIGURATION',
  'ERR_CLOSED',
]);

/** `queryFn`s use `createFetch(coordinator)` of `one-refresh/fetch`; nothing else is needed. */
export function createQueryClient(coordinator: TokenCoordinator): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => failures < 3 && !FINAL.has(String((error as { code?: unknown }).code)),
      },
    },
  });
  // Not `reauth-required`: the screen may stay while the same user signs in again.
  let { sessionId } = coordinator.getSnapshot();
  coordinator.subscribe(() => {
    const now = coordinator.getSnapshot();
    if (now.status === 'loading' || now.sessionId === sessionId) return;
    sessionId = now.sessionId;
    client.clear();
  });
  return client;
}
