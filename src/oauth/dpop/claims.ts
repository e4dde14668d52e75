/** The claims of a JWT, unverified; empty if it is none, as an access token need not be one. */
export function readClaims(token: unknown): Readonly<Record<string, unknown>> {
  try {
    const payload = String(token).split('.')[1] as string;
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
