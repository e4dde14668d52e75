import type { JWTPayload } from 'jose';

/**
 * Seconds that a token lives by its own claims (RFC 7519): from `iat` to `exp`, never measured against the local clock, which may be
 * wrong; unless there is no `iat`. `NaN` if it does not say.
 */
export function claimedLife({ exp = NaN, iat = Date.now() / 1000 }: JWTPayload): number {
  return exp - iat;
}
