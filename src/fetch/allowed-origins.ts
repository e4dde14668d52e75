import { TokenCoordinatorError } from '../core/errors.js';
import { isConfidential, LOOPBACK } from '../loopback.js';
import type { TokenSelector } from '../types.js';

/** An origin that may see the token; with which access token, where an app has several. */
export type AllowedOrigin =
  | string
  | { readonly origin: string; readonly resource?: string | undefined; readonly scope?: string | undefined };

/**
 * Reads the list once, and answers for each URL which token may go there.
 *
 * @param list - default: the page's own origin; none where no server is reached there, or only in the clear
 * @returns a function: the token's selector for a URL of an allowed origin, `undefined` for any other
 * @throws `ERR_CONFIGURATION` if an entry is not an origin, is plain `http:` other than on loopback, or asks for a token by what is no text
 */
export function readAllowedOrigins(
  list: readonly AllowedOrigin[] | undefined,
): (url: URL) => TokenSelector | undefined {
  const selectors = new Map<string, TokenSelector>();
  if (list !== undefined && !Array.isArray(list)) throw configurationError('allowedOrigins must be a list.');
  for (const entry of list ?? ownOrigin()) {
    const { origin, resource, scope } =
      typeof entry === 'object' && entry !== null ? entry : { origin: entry };
    const normalized = readOrigin(origin);
    for (const selected of [resource, scope]) {
      if (!['string', 'undefined'].includes(typeof selected))
        throw configurationError(`resource and scope of ${normalized} must be text.`);
    }
    if (selectors.has(normalized)) throw configurationError(`${normalized} is listed twice; list it once.`);
    selectors.set(normalized, { resource, scope });
  }
  // blob: URLs have an origin too, but lead to no server; "null" is the origin of everything that has none.
  return (url) => (/^https?:$/.test(url.protocol) ? selectors.get(url.origin) : undefined);
}

/** None on a server, in a page without an origin (sandboxed, `file:`), in one of an app (`capacitor:`, `chrome-extension:`), or on plain `http:`. */
function ownOrigin(): string[] {
  const { origin = '' } = (globalThis as { location?: { origin?: string } }).location ?? {};
  return /^https?:/.test(origin) && isConfidential(new URL(origin)) ? [origin] : [];
}

function readOrigin(value: unknown): string {
  let url: URL | undefined;
  try {
    url = new URL(String(value));
  } catch {
    // Said below.
  }
  if (
    !url ||
    !/^https?:$/.test(url.protocol) ||
    url.host.includes('*') ||
    (url.href !== `${url.origin}/` && url.href !== url.origin)
  ) {
    throw configurationError(
      `allowedOrigins must list origins such as https://api.example.com, without a path or a wildcard; ${typeof value === 'string' ? JSON.stringify(value) : `a value of type ${typeof value}`} is none.`,
    );
  }
  if (!isConfidential(url)) {
    throw configurationError(
      `${url.origin} must use https: (plain http: is possible on ${LOOPBACK.join(', ')} only).`,
    );
  }
  return url.origin;
}

export function configurationError(message: string): TokenCoordinatorError {
  return new TokenCoordinatorError('ERR_CONFIGURATION', `createFetch: ${message}`);
}
