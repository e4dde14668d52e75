/**
 * GraphQL over fetch. Clients that take a fetch (urql, Apollo's HttpLink, graphql-request) need nothing but `createFetch(coordinator)`, if the
 * server answers 401. Many answer 200 with an error that says `UNAUTHENTICATED` instead; those need the few lines here.
 */
import type { TokenCoordinator } from 'one-refresh';

interface Result<T> {
  readonly data?: T;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

/** @param fetch - `createFetch(coordinator)` of `one-refresh/fetch` */
export function createGraphQL(
  url: string,
  coordinator: Pick<TokenCoordinator, 'getAccessToken' | 'peekAccessToken'>,
  fetch: typeof globalThis.fetch,
) {
  const send = async <T>(body: string): Promise<Result<T>> => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
    };
    const response = await fetch(url, { method: 'POST', headers, body });
    return (await response.json()) as Result<T>;
  };
  const isUnauthenticated = ({ errors }: Result<unknown>): boolean =>
    errors?.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED') ?? false;

  return async <T>(query: string, variables: Record<string, unknown> = {}): Promise<T> => {
    const body = JSON.stringify({ query, variables });
    const used = coordinator.peekAccessToken();
    let result = await send<T>(body);
    if (isUnauthenticated(result)) {
      // Somebody else may have refreshed meanwhile; if not, all who get here share one refresh.
      const forceRefresh = coordinator.peekAccessToken() === used;
      await coordinator.getAccessToken({ forceRefresh });
      result = await send<T>(body);
    }
    if (result.errors?.[0] || result.data === undefined)
      throw new Error(result.errors?.[0]?.message ?? 'No data');
    return result.data;
  };
}
