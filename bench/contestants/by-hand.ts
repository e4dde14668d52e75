// Shared by the ways that an engineer writes by hand.
import type { TokenResponse } from './contestant.js';

export interface Pair {
  accessToken: string;
  refreshToken: string;
  /** Epoch milliseconds. */
  expiresAt: number;
}

export async function requestRefresh(refreshToken: string): Promise<TokenResponse> {
  const response = await fetch('/token', {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'bench',
      refresh_token: refreshToken,
    }),
  });
  if (!response.ok) throw new Error(`The token endpoint answered ${response.status}`);
  return (await response.json()) as TokenResponse;
}

export function toPair(tokens: TokenResponse): Pair {
  return {
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    expiresAt: Date.now() + tokens.expires_in * 1000,
  };
}

/** Ten seconds are left for the request that the token is for. */
export function isFresh(pair: Pair): boolean {
  return Date.now() < pair.expiresAt - 10_000;
}
