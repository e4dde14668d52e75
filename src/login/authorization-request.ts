import { None, pushedAuthorizationRequest, type AuthorizationServer } from 'oauth4webapi';
import { TokenCoordinatorError } from '../core/errors.js';
import { readObject, readTokenError } from '../oauth/token-response.js';
import { timeLimit, transportTo } from '../oauth/transport.js';
import type { Attempt } from './attempts.js';
import { encodeBytes, sha } from './base64url.js';
import { asLoginError } from './login-error.js';
import { configurationError, readEndpoint } from '../oauth/options.js';
import type { LoginOptions, StartOptions } from './options.js';

/** How long a pushed request may take. */
const PUSH_TIMEOUT_MS = 10_000;

/** Random and unguessable: a state, a nonce or a code verifier (RFC 7636 §4.1). */
export function makeSecret(): string {
  // Absent in insecure contexts, whatever the types say.
  if (!(crypto as { subtle?: SubtleCrypto }).subtle) {
    throw new TokenCoordinatorError(
      'ERR_UNSUPPORTED',
      'Signing in needs Web Crypto; serve the page over https:',
    );
  }
  return encodeBytes(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * Where to send the browser.
 * @throws what the server's answer to a pushed request means, `ERR_CONFIGURATION`
 */
export async function authorizationUrl(
  options: LoginOptions,
  server: AuthorizationServer,
  request: StartOptions,
  { state, redirectUri, attempt }: { state: string; redirectUri: string; attempt: Attempt },
): Promise<URL> {
  const own = {
    response_type: 'code',
    client_id: options.clientId,
    redirect_uri: redirectUri,
    scope: options.scope ?? 'openid offline_access',
    state,
    nonce: attempt.nonce,
    code_challenge: encodeBytes(await sha(256, attempt.verifier)),
    code_challenge_method: 'S256',
  };
  const parameters = new URLSearchParams({ ...options.parameters, ...request.parameters });
  for (const name of Object.keys(own)) {
    if (parameters.has(name))
      throw configurationError(`${name} is written by the login itself; leave it out.`);
  }
  const asked = {
    ...own,
    prompt: request.prompt,
    login_hint: request.loginHint,
    acr_values: list(request.acrValues).join(' ') || undefined,
    max_age: request.maxAge,
  };
  for (const [name, value] of Object.entries(asked))
    if (value !== undefined) parameters.set(name, `${value}`);
  for (const resource of resourcesOf(options, request)) parameters.append('resource', resource);

  // It may have a query of its own, which stays (RFC 6749 §3.1).
  const url = new URL(
    readEndpoint('authorization_endpoint, as the issuer publishes it,', server.authorization_endpoint),
  );
  const pushed = await push(options, server, parameters);
  for (const [name, value] of pushed ?? parameters) url.searchParams.append(name, value);
  return url;
}

/** The resource indicators of a sign-in; the first is that of the session's own access token. */
export function resourcesOf(options: LoginOptions, request: StartOptions): readonly string[] {
  return list(request.resource ?? options.resource);
}

function list(value: string | readonly string[] = []): readonly string[] {
  return [value].flat();
}

/** The parameters that stand for a pushed request (RFC 9126 §4); `undefined` if it is to be sent as it is. */
async function push(
  options: LoginOptions,
  server: AuthorizationServer,
  parameters: URLSearchParams,
): Promise<URLSearchParams | undefined> {
  const { pushed_authorization_request_endpoint: endpoint, require_pushed_authorization_requests: insists } =
    server;
  const { par = insists, clientId } = options;
  if (par === false || (!endpoint && !par)) return undefined;
  try {
    readEndpoint('pushed_authorization_request_endpoint', endpoint);
    const response = await pushedAuthorizationRequest(server, { client_id: clientId }, None(), parameters, {
      ...transportTo(endpoint, options.fetch, timeLimit(PUSH_TIMEOUT_MS)),
    });
    if (!response.ok) throw await readTokenError(response);
    const { request_uri: uri } = await readObject(response);
    // (It throws where there is none.)
    return new URLSearchParams({ client_id: clientId, request_uri: (uri as string).trim() });
  } catch (error) {
    // Servers may have it for other clients only, or not let pages use it (CORS).
    if (!par) return undefined;
    throw asLoginError(error);
  }
}
