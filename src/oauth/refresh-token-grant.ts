import { None, refreshTokenGrantRequest } from 'oauth4webapi';
import { RefreshRejectedError } from '../core/errors.js';
import type { TokenResponse } from '../core/types.js';
import type { RefreshRequest, TokenClient } from '../types.js';
import { checkOptions, type RefreshTokenGrantOptions } from './options.js';
import { revokeToken } from './revocation.js';
import { openSendWindow } from './send-window.js';
import { serverMetadata } from './server-metadata.js';
import { readTokenResponse } from './token-response.js';
import { noAnswer, transportTo } from './transport.js';

/**
 * The refresh token grant (RFC 6749 §6) of a public client, to be given to `createTokenCoordinator` as `refresh`.
 *
 * What the server answers is told to the coordinator as one of four things: a token response; `RefreshRejectedError` for an OAuth error
 * (RFC 6749 §5.2) with a 4xx status; `RefreshConflictError` for 409 `version_conflict`; `RefreshUnavailableError`, with `Retry-After`
 * in milliseconds where it can be read, for everything else. Any 2xx with an access token is a success, whatever else is wrong with it.
 *
 * @param options - the server's endpoints or its issuer, and the `client_id`
 * @returns a client whose `revoke` (RFC 7009) exists where its endpoint was given or is to be discovered
 * @throws `ERR_CONFIGURATION` if an option is unusable, saying what to change
 * @example
 * createTokenCoordinator({ name: 'shop', refresh: refreshTokenGrant({ issuer: 'https://login.example.com', clientId: 'shop' }) })
 */
export function refreshTokenGrant(options: RefreshTokenGrantOptions): TokenClient {
  checkOptions(options);
  const metadata = serverMetadata(options);

  const refresh = async (request: RefreshRequest): Promise<TokenResponse> => {
    if (!request.refreshToken) throw noRefreshToken();
    const checkSendWindow = openSendWindow();
    const server = metadata.known() ?? (await metadata.load());
    checkSendWindow();
    let response: Response;
    try {
      response = await refreshTokenGrantRequest(
        server,
        { client_id: options.clientId },
        None(),
        request.refreshToken,
        {
          additionalParameters: formParameters(options, request),
          headers: options.idempotencyHeader ? { [options.idempotencyHeader]: request.idempotencyKey } : {},
          signal: request.signal,
          ...transportTo(server.token_endpoint, options.fetch),
        },
      );
    } catch (error) {
      throw noAnswer(error);
    }
    return readTokenResponse(response);
  };

  const cannotRevoke = options.revocationEndpoint === undefined && options.tokenEndpoint !== undefined;
  if (cannotRevoke) return { refresh };
  return { refresh, revoke: (token, hint) => revokeToken(options, metadata, token, hint) };
}

/** What is sent besides the grant type, the token and the `client_id`. What one request asks for goes before the options. */
function formParameters(options: RefreshTokenGrantOptions, request: RefreshRequest): URLSearchParams {
  const parameters = new URLSearchParams(options.parameters);
  const scope = request.scope ?? options.scope;
  if (scope !== undefined) parameters.set('scope', scope);
  if (request.resource !== undefined) parameters.set('resource', request.resource);
  if (options.versionParameter !== undefined) {
    parameters.set(options.versionParameter, String(request.version));
  }
  return parameters;
}

/** A session that cannot be continued is over; no server needs to be asked for that. */
function noRefreshToken(): RefreshRejectedError {
  return new RefreshRejectedError({
    error: 'invalid_grant',
    errorDescription:
      'The session has no refresh token; ask for one at sign-in (on many servers: scope offline_access)',
  });
}
