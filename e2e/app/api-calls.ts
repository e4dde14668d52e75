// Calls of the API as an application makes them: through createFetch.
import type { TokenCoordinator } from 'one-refresh';
import { createFetch } from 'one-refresh/fetch';

export interface ApiAnswer {
  status: number;
  user?: string;
}

export function createApiCalls(coordinator: TokenCoordinator) {
  const authFetch = createFetch(coordinator);
  let sendHeld = (): void => {};
  let held: Promise<ApiAnswer>[] = [];

  return {
    call: (path = '/api/me') => readAnswer(authFetch(path)),

    /** Prepares this many calls up to the moment before they are sent; resolves when each has its token. */
    hold(count: number): Promise<void> {
      const released = new Promise<void>((resolve) => (sendHeld = resolve));
      return new Promise((resolve) => {
        let waiting = 0;
        const heldFetch = createFetch(coordinator, {
          async fetch(input, init) {
            if (waiting < count) {
              if (++waiting === count) resolve();
              await released;
            }
            return fetch(input, init);
          },
        });
        held = Array.from({ length: count }, () => readAnswer(heldFetch('/api/me')));
      });
    },

    /** Sends them all, and tells how they ended. */
    release(): Promise<ApiAnswer[]> {
      sendHeld();
      return Promise.all(held);
    },

    /** Calls an API that wants tokens of its own. */
    async callWith(resource: string): Promise<ApiAnswer> {
      const url = `${resource}/me`;
      return readAnswer(
        fetch(url, { headers: await coordinator.getAuthorizationHeaders({ url, resource }) }),
      );
    },
  };
}

async function readAnswer(sent: Promise<Response>): Promise<ApiAnswer> {
  const response = await sent;
  const { user } = (await response.json()) as { user?: string };
  return { status: response.status, ...(user !== undefined && { user }) };
}
