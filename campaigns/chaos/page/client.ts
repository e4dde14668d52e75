// The token client of pages and worker alike: the package's own, which says who sends.
import type { TokenClient } from 'one-refresh';
import { refreshTokenGrant, type RefreshTokenGrantOptions } from 'one-refresh/oauth';
import { by } from './prelude.js';

export function createClient(query: URLSearchParams, dpop: RefreshTokenGrantOptions['dpop']): TokenClient {
  const issuer = query.get('issuer') ?? '';
  return refreshTokenGrant({
    tokenEndpoint: `${issuer}/token`,
    revocationEndpoint: `${issuer}/token/revocation`,
    clientId: query.get('clientId') ?? '',
    parameters: { x_tab: by },
    dpop,
  });
}

/** The options that both sides share. */
export function commonOptions(query: URLSearchParams): { name: string; refreshTimeoutMs: number } {
  return { name: 'chaos', refreshTimeoutMs: Number(query.get('refreshTimeoutMs')) };
}
