import { None, refreshTokenGrantRequest } from 'oauth4webapi';
import { RefreshRejectedError } from '../core/errors.js';
import type { TokenResponse } from '../core/types.js';
import type { RefreshRequest, TokenClient } from '../types.js';
import { boundClient, dpopOf } from './bound-client.js';
import type { DPoPSupport } from './dpop/dpop-support.js';
import { checkOptions, type RefreshTokenGrantOptions } from './options.js';
import { revokeToken } from './revocation.js';
import { serverMetadata, type ServerMetadata } from './server-metadata.js';
import { readErrorCode, readTokenResponse } from './token-response.js';
import { noAnswer, notSent, transportTo } from './transport.js';

/**
 * The refresh token grant (RFC 6749 §6) of a public client, to be given to `createTokenCoordinator` as `refresh`.
 *
 * The coordinator is told the server's answer as one of four things: a token response; `RefreshRejectedError` for an OAuth error
 * (RFC 6749 §5.2), whatever the status, as JSON, form or plain text; `RefreshConflictError` for 409 `version_conflict`; `RefreshUnavailableError`,
 * with `Retry-After` in milliseconds where it can be read, for everything else. Any 2xx with an access token is a success.
 *
 * @param options - the server's endpoints or its issuer, and the `client_id`
 * @returns a client whose `revoke` (RFC 7009) exists where its endpoint was given or is to be discovered
 * @throws `ERR_CONFIGURATION` if an option is unusable, saying what to change
 * @example
 * createTokenCoordinator({ name: 'shop', refresh: refreshTokenGrant({ issuer: 'https://login.example.com', clientId: 'shop' }) })
 */
export function refreshTokenGrant(options: RefreshTokenGrantOptions): TokenClient {
  checkOptions(options);
  return grantAt(serverMetadata(options), options);
}

/** The same with metadata that others use as well; its options are checked. */
export function grantAt(metadata: ServerMetadata, options: RefreshTokenGrantOptions): TokenClient {
  const dpop = dpopOf(options);
  let loaded: DPoPSupport | undefined;
  let offersNonces: boolean | undefined;

  const refresh = async (request: RefreshRequest): Promise<TokenResponse> => {
    const { refreshToken, sessionId, idempotencyKey, signal } = request;
    if (!refreshToken) {
      const over = sessionIsOver('it has no refresh token; ask for one at sign-in (scope offline_access)');
      throw Object.assign(over, { reason: 'no_refresh_token' });
    }
    const prepare = async () => {
      const server = metadata.known() ?? (await metadata.load());
      const support = dpop && (loaded = await dpop());
      const proven = { sessionId, url: String(server.token_endpoint), method: 'POST' };
      const proof = await support?.prove(proven);
      if (support && !proof) throw sessionIsOver('its DPoP key is no longer in this browser');
      // The coordinator's own check has grown old: the tab may have been suspended, and another taken over.
      request.assertSendable?.();
      return { server, support, proven, proof };
    };

    const send = async () => {
      const { server, support, proven, proof } = await prepare().catch((error: unknown) => {
        throw notSent(error);
      });
      const headers: Record<string, string> = {};
      if (options.idempotencyHeader) headers[options.idempotencyHeader] = idempotencyKey;
      if (proof) headers['dpop'] = proof;
      const response = await refreshTokenGrantRequest(
        server,
        { client_id: options.clientId },
        None(),
        refreshToken,
        {
          additionalParameters: formParameters(options, request),
          // (A plain object `oauth4webapi` would take for `Headers` in happy-dom, where neither has a `Symbol.toStringTag`.)
          headers: new Headers(headers),
          ...transportTo(server.token_endpoint, options.fetch, signal),
        },
      ).catch((error: unknown) => {
        throw noAnswer(error, { secrets: [refreshToken] });
      });
      // The server may want another proof before it looks at the refresh token (RFC 9449 §8).
      const again = await support?.hear(proven, response.headers, await readErrorCode(response));
      return { response, support, proven, again };
    };

    let sent = await send();
    if (sent.again) sent = await send();
    const tokens = await readTokenResponse(sent.response, refreshToken);
    offersNonces = sent.support?.hearTokens(sent.proven, tokens);
    return tokens;
  };

  const cannotRevoke = options.revocationEndpoint === undefined && options.tokenEndpoint !== undefined;
  return {
    binding: bindingOf(options),
    needsRefreshToken: true,
    refresh,
    ...(!cannotRevoke && {
      revoke: (token, hint) => revokeToken(options, metadata, token, hint),
      prepareRevocation: async () => void (metadata.known() ?? (await metadata.load())),
    }),
    ...(dpop && {
      ...boundClient(dpop),
      check: (answer) => loaded?.checkTokens(answer),
      offersNonces: () => offersNonces,
    }),
  };
}

/** The server and client that tokens belong to: one name for all spellings of a URL. */
function bindingOf({ issuer, tokenEndpoint, clientId }: RefreshTokenGrantOptions): string {
  const { origin, pathname, search } = new URL(issuer ?? tokenEndpoint!);
  return `${origin}${pathname}${search} ${clientId}`;
}

/** Parameters besides the grant type, the token and the `client_id`. The request's own parameters go before the options. */
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

/** A session that cannot be continued is over, and the user has to sign in; no server needs to be asked for that. */
function sessionIsOver(reason: string): RefreshRejectedError {
  return new RefreshRejectedError({
    error: 'invalid_grant',
    errorDescription: `The session is over: ${reason}`,
  });
}
