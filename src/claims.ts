/** The claims of a JWT, unverified; empty if it is none, as an access token need not be one. Synchronous, and throws nothing. */
export function readClaims(token: unknown): Readonly<Record<string, unknown>> {
  try {
    const payload = String(token).split('.')[1] as string;
    const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/**
 * Seconds that a token lives by its own claims (RFC 7519): from `iat` to `exp`, not measured against the local clock, which may be
 * wrong; unless there is no `iat`. `NaN` if it does not say.
 * @param now - epoch milliseconds
 */
export function claimedLife(token: string, now: number): number {
  const { exp, iat = now / 1000 } = readClaims(token);
  return typeof exp === 'number' ? exp - Number(iat) : NaN;
}
