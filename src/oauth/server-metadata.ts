import { discoveryRequest, processDiscoveryResponse, type AuthorizationServer } from 'oauth4webapi';
import { RefreshUnavailableError } from '../core/errors.js';
import { configurationError, readEndpoint, type RefreshTokenGrantOptions } from './options.js';
import { readRetryAfter } from './retry-after.js';
import { noAnswer, transportTo } from './transport.js';

/** How long one metadata request may take. */
const DISCOVERY_TIMEOUT_MS = 10_000;

/** Where the authorization server's endpoints are. */
export interface ServerMetadata {
  /** What is known without asking. */
  readonly known: () => AuthorizationServer | undefined;
  /** The same, asked for once if need be. @throws `RefreshUnavailableError`, `ERR_CONFIGURATION` */
  readonly load: () => Promise<AuthorizationServer>;
}

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
      pending ??= discover(new URL(String(options.issuer)), options.fetch)
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

/** OpenID Connect Discovery 1.0 first; RFC 8414 where the server answers that it has no such document. */
async function discover(
  issuer: URL,
  fetch: typeof globalThis.fetch | undefined,
): Promise<AuthorizationServer> {
  let response = await request(issuer, 'oidc', fetch);
  if (response.status === 404) response = await request(issuer, 'oauth2', fetch);
  const { status, headers } = response;
  try {
    return await processDiscoveryResponse(issuer, response);
  } catch (error) {
    // The library's code for "the document names another issuer" (RFC 8414 §3.3).
    if ((error as { code?: unknown }).code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
      throw configurationError(
        'the metadata found at issuer names another issuer; copy the "issuer" value from there.',
      );
    }
    throw new RefreshUnavailableError({ status, retryAfterMs: readRetryAfter(headers, Date.now()) });
  }
}

async function request(
  issuer: URL,
  algorithm: 'oidc' | 'oauth2',
  fetch: typeof globalThis.fetch | undefined,
): Promise<Response> {
  try {
    return await discoveryRequest(issuer, {
      algorithm,
      signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS),
      ...transportTo(issuer, fetch),
    });
  } catch (cause) {
    throw noAnswer(cause);
  }
}
