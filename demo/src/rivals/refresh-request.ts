// One refresh by hand (RFC 6749 §6): its result, in the four ways in which it can end.
import { toStored, type StoredTokens } from './stored-tokens.js';
import type { Login } from './token-source.js';

export interface RefreshRequestOptions {
  tokenEndpoint: string;
  clientId: string;
  /** Whether the version being spent is sent along. */
  sendsVersion: boolean;
  /** Further form parameters: in the lab, the name of the tab. */
  parameters?: Record<string, string>;
}

export type RefreshResult =
  | { kind: 'tokens'; tokens: StoredTokens }
  | { kind: 'invalid_grant' }
  | { kind: 'conflict'; currentVersion: number };

/** @throws when there was no usable answer, and it may work later */
export async function requestRefresh(
  held: StoredTokens,
  options: RefreshRequestOptions,
): Promise<RefreshResult> {
  const sentAt = Date.now();
  const response = await fetch(options.tokenEndpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: options.clientId,
      refresh_token: held.refreshToken,
      ...(options.sendsVersion ? { token_version: String(held.version) } : {}),
      ...options.parameters,
    }),
  });
  const body = (await response.json()) as Login['tokens'] & { error?: string; current_version?: number };
  if (response.ok) {
    const login = { number: held.login, tokens: body };
    return { kind: 'tokens', tokens: toStored(login, held.version + 1, sentAt) };
  }
  if (body.error === 'invalid_grant') return { kind: 'invalid_grant' };
  if (response.status === 409) return { kind: 'conflict', currentVersion: body.current_version ?? 0 };
  throw new Error(`The token endpoint answered ${response.status}`);
}
