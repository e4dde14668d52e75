import { ClientSecretBasic, ClientSecretPost, PrivateKeyJwt, type ClientAuth } from 'oauth4webapi';
import { TokenCoordinatorError } from '../core/errors.js';
import { checkOptions, type RefreshTokenGrantOptions } from '../oauth/options.js';
import { grantAt, refreshTokenGrant as publicClientGrant } from '../oauth/refresh-token-grant.js';
import { serverMetadata } from '../oauth/server-metadata.js';
import type { RefreshRequest, TokenClient } from '../types.js';

/** How a confidential client authenticates at the token and revocation endpoints (RFC 6749 §2.3, OpenID Connect Core §9). */
export type ClientAuthentication =
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post';
      readonly clientSecret: string;
    }
  | {
      readonly method: 'private_key_jwt';
      /** Signs the assertion (RFC 7523); its algorithm says how. */
      readonly privateKey: CryptoKey;
      /** The `kid` by which the server knows the key; default: none is sent. */
      readonly keyId?: string | undefined;
    };

/** Options of `refreshTokenGrant` for Node: those of `one-refresh/oauth` without `dpop`, whose keys live in browsers, and `clientAuth`. */
export interface ServerGrantOptions extends Omit<RefreshTokenGrantOptions, 'dpop'> {
  /** How a confidential client authenticates; default: it does not, as a public client. */
  readonly clientAuth?: ClientAuthentication | undefined;
}

/**
 * The refresh token grant (RFC 6749 §6) of a public or confidential client, on a server. The server's answer is told to the
 * coordinator as by `refreshTokenGrant` of `one-refresh/oauth`.
 *
 * @param options - the server's endpoints or its issuer, the `client_id`, and how the client authenticates
 * @returns a client whose `revoke` (RFC 7009) exists where its endpoint was given or is to be discovered
 * @throws `ERR_CONFIGURATION` if an option is unusable, or in a browser, where no secret is safe
 * @example
 * refreshTokenGrant({ issuer: 'https://login.example.com', clientId: 'shop', clientAuth: { method: 'client_secret_basic', clientSecret: process.env.SECRET ?? '' } })
 */
export function refreshTokenGrant(options: ServerGrantOptions): TokenClient {
  // A page has a document, a web worker a location.
  if (typeof document === 'object' || typeof location === 'object') {
    throw configurationError(
      'a secret is not safe in a browser; use refreshTokenGrant of one-refresh/oauth.',
    );
  }
  const { clientAuth, ...others } = Object(options) as ServerGrantOptions;
  if ((others as RefreshTokenGrantOptions).dpop) {
    throw configurationError('dpop keeps its key in a browser; it does not work on a server.');
  }
  if (clientAuth === undefined) return publicClientGrant(others);

  checkOptions(others);
  const { clientId, issuer, tokenEndpoint, fetch = globalThis.fetch } = others;
  const metadata = serverMetadata(others);
  // As the server itself spells it, which may differ from the option by a slash. Where the issuer is not known an assertion is for the
  // endpoint (RFC 7523 §3).
  // guard: processes: an assertion is for the issuer as the server spells it
  const audience = (): string =>
    tokenEndpoint === undefined ? metadata.known()!.issuer : String(issuer ?? tokenEndpoint);
  const authenticate = authenticationOf(clientAuth);
  /** By their signals, which come back with the request. */
  const requests = new WeakMap<AbortSignal, RefreshRequest>();

  /** Every POST of the grant is a form for an endpoint where the client authenticates. */
  const authenticated: typeof globalThis.fetch = async (input, init) => {
    const { body } = init ?? {};
    if (!(body instanceof URLSearchParams)) return fetch(input, init);
    const headers = new Headers(init!.headers);
    const form = new URLSearchParams(body);
    // `client_id` stands in the header of `client_secret_basic` (RFC 6749 §2.3: one method per request).
    if (clientAuth.method === 'client_secret_basic') form.delete('client_id');
    await authenticate({ issuer: audience() }, { client_id: clientId }, form, headers);
    // To sign takes a while, in which this process may have stood still.
    requests.get(init!.signal!)?.assertSendable?.();
    return fetch(input, { ...init, headers, body: form });
  };

  const client = grantAt(metadata, { ...others, fetch: authenticated });
  return {
    ...client,
    refresh(request) {
      requests.set(request.signal, request);
      return client.refresh(request);
    },
  };
}

function authenticationOf(given: ClientAuthentication): ClientAuth {
  const { method } = Object(given) as ClientAuthentication;
  if (method === 'private_key_jwt') {
    const { privateKey, keyId } = given as Extract<ClientAuthentication, { method: 'private_key_jwt' }>;
    try {
      return PrivateKeyJwt(keyId === undefined ? privateKey : { key: privateKey, kid: keyId });
    } catch {
      throw configurationError('clientAuth.privateKey must be a private CryptoKey that may sign.');
    }
  }
  if (method !== 'client_secret_basic' && method !== 'client_secret_post') {
    throw configurationError(
      'clientAuth.method must be client_secret_basic, client_secret_post or private_key_jwt.',
    );
  }
  const { clientSecret } = given as Extract<ClientAuthentication, { clientSecret: string }>;
  if (typeof clientSecret !== 'string' || clientSecret === '') {
    throw configurationError('clientAuth.clientSecret must be a non-empty string.');
  }
  return method === 'client_secret_basic' ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret);
}

function configurationError(message: string): TokenCoordinatorError {
  return new TokenCoordinatorError('ERR_CONFIGURATION', `refreshTokenGrant: ${message}`);
}
