import { genericTokenEndpointRequest, None, type AuthorizationServer } from 'oauth4webapi';
import type { TokenResponse } from '../core/types.js';
import { loadDPoP } from '../oauth/dpop/load-dpop.js';
import { readErrorCode, readTokenResponse } from '../oauth/token-response.js';
import { noAnswer, timeLimit, transportTo } from '../oauth/transport.js';
import type { Attempt } from './attempts.js';
import { LoginError, serverError } from './login-error.js';
import type { LoginOptions } from './options.js';

/** How long the exchange may take. */
const EXCHANGE_TIMEOUT_MS = 30_000;

/** The value of a code. */
export interface Exchanged {
  readonly tokens: TokenResponse;
  /** That the tokens are bound to. */
  readonly dpopKeyPair?: CryptoKeyPair | undefined;
}

/**
 * The code in the server's answer (RFC 6749 §4.1.2), if it is this server's (RFC 9207).
 * @throws the server's error, `issuer_mismatch`, `response_invalid`
 */
export function readCode(
  server: AuthorizationServer,
  answer: URLSearchParams,
  secrets: readonly string[],
): string {
  const [code, iss, error] = ['code', 'iss', 'error'].map((name) => answer.get(name));
  // guard: login: an answer names its issuer where the server promises to (RFC 9207)
  // guard: login: an answer names this issuer, if any (RFC 9207)
  if (iss === null ? server.authorization_response_iss_parameter_supported : iss !== server.issuer) {
    throw new LoginError('issuer_mismatch', 'The answer is from another server');
  }
  if (error) throw serverError(error, answer.get('error_description'), secrets);
  // RFC 6749 §3.1: nothing may be in it twice, so that everybody reads the same.
  if (!code || new Set(answer.keys()).size < [...answer].length) {
    throw new LoginError('response_invalid', 'The answer cannot be read');
  }
  return code;
}

/**
 * Exchanges the code (RFC 6749 §4.1.3), with DPoP for tokens that are bound to a new key (RFC 9449 §5). The key is made now, so there is
 * nothing that had to survive the redirect, and nothing that could have been put in its place.
 *
 * @throws `RefreshRejectedError`, `RefreshUnavailableError`, `ERR_UNSUPPORTED`
 */
export async function exchangeCode(
  { clientId, dpop, fetch }: LoginOptions,
  server: AuthorizationServer,
  code: string,
  redirectUri: string,
  { verifier, resource }: Attempt,
): Promise<Exchanged> {
  const support = dpop ? await loadDPoP() : undefined;
  const dpopKeyPair =
    support &&
    (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']));
  const proven = {
    sessionId: 'sign-in',
    url: String(server.token_endpoint),
    method: 'POST',
    keyPair: dpopKeyPair,
  };
  const form = { code, redirect_uri: redirectUri, code_verifier: verifier, ...(resource && { resource }) };
  const send = async (): Promise<{ response: Response; again: boolean | undefined }> => {
    const proof = await support?.prove(proven);
    const response = await genericTokenEndpointRequest(
      server,
      { client_id: clientId },
      None(),
      'authorization_code',
      form,
      {
        ...(proof && { headers: { dpop: proof } }),
        ...transportTo(server.token_endpoint, fetch, timeLimit(EXCHANGE_TIMEOUT_MS)),
      },
    ).catch((error: unknown) => {
      throw noAnswer(error);
    });
    // The server may want another proof before it looks at the code (RFC 9449 §8).
    return { response, again: await support?.hear(proven, response.headers, await readErrorCode(response)) };
  };
  let sent = await send();
  if (sent.again) sent = await send();
  return { tokens: await readTokenResponse(sent.response), dpopKeyPair };
}
