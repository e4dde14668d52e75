// A refresh function as an application without an OAuth library would write it.
import {
  RefreshConflictError,
  RefreshRejectedError,
  RefreshUnavailableError,
  type RefreshFunction,
  type TokenResponse,
} from 'one-refresh';

export interface RefreshFunctionOptions {
  tokenEndpoint: string;
  clientId: string;
  fetch: typeof fetch;
}

export function createRefreshFunction({
  tokenEndpoint,
  clientId,
  fetch,
}: RefreshFunctionOptions): RefreshFunction {
  return async ({ refreshToken = '', signal }) => {
    const response = await fetch(tokenEndpoint, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: clientId,
        refresh_token: refreshToken,
      }),
      signal,
    });
    const { status } = response;
    const body = (await response.json().catch(() => ({}))) as Partial<TokenResponse> & {
      error?: string;
      error_description?: string;
      current_version?: number;
    };
    if (status === 200 && body.access_token !== undefined) return body as TokenResponse;
    if (status === 409) throw new RefreshConflictError({ currentVersion: body.current_version });
    if (status === 429) {
      throw new RefreshUnavailableError({
        status,
        retryAfterMs: Number(response.headers.get('retry-after')) * 1000,
      });
    }
    if (status < 500 && body.error !== undefined) {
      throw new RefreshRejectedError({ status, error: body.error, errorDescription: body.error_description });
    }
    throw new RefreshUnavailableError({ status });
  };
}
