import { discoveryRequest, type AuthorizationServer } from 'oauth4webapi';
import { RefreshUnavailableError } from '../core/errors.js';
import { configurationError, readEndpoint, type RefreshTokenGrantOptions } from './options.js';
import { readRetryAfter } from './retry-after.js';
import { readObject } from './token-response.js';
import { noAnswer, timeLimit, transportTo } from './transport.js';

/** How long one metadata request may take. */
const DISCOVERY_TIMEOUT_MS = 10_000;

const ADVICE =
  'Give the issuer that the metadata names, if its own metadata can be read; else give tokenEndpoint (and revocationEndpoint): then nothing is asked for.';

/** Where the authorization server's endpoints are. */
export interface ServerMetadata {
  /** Metadata known without a request. */
  readonly known: () => AuthorizationServer | undefined;
  /** The same, asked for once if need be. @throws `RefreshUnavailableError`, `ERR_CONFIGURATION` */
  readonly load: () => Promise<AuthorizationServer>;
}

/**
 * The metadata that this page's login has asked for, by issuer. The grant then need not ask again, and a sign-out can send its revocation before the
 * page goes on to the provider's logout.
 */
export const askedByLogin: Map<string, Promise<AuthorizationServer>> = new Map();

/**
 * Endpoints that were given are taken as they are. Otherwise they are asked for when first needed, by one request, and kept as
 * long as the page.
 */
export function serverMetadata(options: RefreshTokenGrantOptions): ServerMetadata {
  let known: AuthorizationServer | undefined;
  let pending: Promise<AuthorizationServer> | undefined;

  const complete = (server: AuthorizationServer): AuthorizationServer => {
    readEndpoint('token_endpoint, as the issuer publishes it,', server.token_endpoint);
    const revocation = options.revocationEndpoint;
    known = revocation === undefined ? server : { ...server, revocation_endpoint: String(revocation) };
    return known;
  };
  if (options.tokenEndpoint !== undefined) {
    const url = new URL(options.tokenEndpoint);
    complete({ issuer: url.origin, token_endpoint: url.href });
  }
  return {
    known: () => known,
    load: () => {
      const issuer = String(options.issuer);
      pending ??= (askedByLogin.get(issuer) ?? discover(issuer, options.fetch))
        .then(complete)
        .catch((error: unknown) => {
          // A failure is not kept: the next one to ask tries again.
          pending = undefined;
          throw error;
        });
      return pending;
    },
  };
}

/**
 * OpenID Connect Discovery 1.0 first; RFC 8414 where the server has no such document.
 * @throws `RefreshUnavailableError`, `ERR_CONFIGURATION`
 */
export async function discover(
  issuer: string,
  fetch: typeof globalThis.fetch | undefined,
): Promise<AuthorizationServer> {
  let response = await request(issuer, 'oidc', fetch).catch((error: unknown) => {
    if (isTimeout(error)) throw error;
    // A 404 without CORS headers shows itself to a page as a network error only.
    return undefined;
  });
  if (!response || response.status === 404) response = await request(issuer, 'oauth2', fetch);
  const { status, ok, headers, type } = response;
  // (A page cannot see where to.)
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    throw configurationError(`the metadata of issuer ${issuer} has moved: it is a redirect. ${ADVICE}`);
  }
  const server = await readObject(response);
  if (!ok || typeof server['issuer'] !== 'string') {
    throw new RefreshUnavailableError({
      status,
      retryAfterMs: readRetryAfter(headers, Date.now()),
      // It may be there again soon, behind a proxy that restarts.
      ...(status === 404 && { cause: new Error(`There is no metadata at issuer ${issuer}. ${ADVICE}`) }),
    });
  }
  if (!isSameIssuer(server['issuer'], issuer)) {
    const found = server['issuer'].slice(0, 200);
    throw configurationError(
      `the metadata at issuer ${issuer} names another issuer, ${found}. Servers of many tenants do so (Microsoft Entra "common", Azure AD B2C). ${ADVICE}`,
    );
  }
  return server as unknown as AuthorizationServer;
}

function isTimeout(error: unknown): boolean {
  // The reason of an abort reaches `fetch` in later browsers only.
  return (
    error instanceof RefreshUnavailableError && /^(?:Timeout|Abort)Error$/.test(Object(error.cause).name)
  );
}

/**
 * RFC 8414 §3.3: identical, or one server could pass itself off as another; on one host a path makes another issuer, also with a slash at its end.
 * Without a path `https://login.example` is the same URL with and without one, and `URL` adds it.
 */
function isSameIssuer(found: string, asked: string): boolean {
  if (found === asked) return true;
  const { pathname } = new URL(asked);
  return pathname === '/' && found.replace(/\/$/, '') === asked.replace(/\/$/, '');
}

async function request(
  issuer: string,
  algorithm: 'oidc' | 'oauth2',
  fetch: typeof globalThis.fetch | undefined,
): Promise<Response> {
  try {
    return await discoveryRequest(new URL(issuer), {
      algorithm,
      ...transportTo(issuer, fetch, timeLimit(DISCOVERY_TIMEOUT_MS)),
    });
  } catch (cause) {
    throw noAnswer(cause);
  }
}
