import { None, revocationRequest } from 'oauth4webapi';
import { readEndpoint, type RefreshTokenGrantOptions } from './options.js';
import type { ServerMetadata } from './server-metadata.js';
import { readTokenError } from './token-response.js';
import { noAnswer, timeLimit, transportTo } from './transport.js';

/** A sign-out does not wait longer than this for its request. */
const REVOCATION_TIMEOUT_MS = 10_000;

/**
 * Revokes a token (RFC 7009). Nothing happens where the server has no revocation endpoint.
 *
 * @throws `RefreshRejectedError`, `RefreshUnavailableError`; the coordinator's sign-out takes no notice of either
 */
export async function revokeToken(
  options: RefreshTokenGrantOptions,
  metadata: ServerMetadata,
  token: string,
  hint: 'refresh_token' | 'access_token',
): Promise<void> {
  const server = metadata.known() ?? (await metadata.load());
  if (server.revocation_endpoint === undefined) return;
  const endpoint = readEndpoint(
    'revocation_endpoint, as the issuer publishes it,',
    server.revocation_endpoint,
  );
  // Signing out is often followed by a navigation; the request has to survive it.
  const fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
    (options.fetch ?? globalThis.fetch)(input, { ...init, keepalive: true });
  let response: Response;
  try {
    response = await revocationRequest(server, { client_id: options.clientId }, None(), token, {
      additionalParameters: { token_type_hint: hint },
      ...transportTo(endpoint, fetch, timeLimit(REVOCATION_TIMEOUT_MS)),
    });
  } catch (error) {
    throw noAnswer(error, { secrets: [token] });
  }
  if (!response.ok) throw await readTokenError(response, token);
  await response.body?.cancel();
}
