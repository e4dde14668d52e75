/**
 * Sign in with `oauth4webapi` (authorization code + PKCE), then hand the tokens over. The coordinator does everything after that.
 */
import * as oauth from 'oauth4webapi';
import type { TokenCoordinator } from 'one-refresh';

export interface Login {
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly redirectUri: string;
  readonly scope: string;
  /** For tokens bound to a key: `await getDPoPKeyPair(name)` of `one-refresh/oauth`, with `refreshTokenGrant({ dpop: true })`. */
  readonly dpopKeyPair?: CryptoKeyPair;
}

/** On the click on "Sign in": where to send the browser. `location.assign(await startLogin(login))` */
export async function startLogin({ server, client, redirectUri, scope }: Login): Promise<URL> {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  sessionStorage.setItem('login', JSON.stringify({ verifier, state }));
  const url = new URL(server.authorization_endpoint ?? '');
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: redirectUri,
    scope,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString();
  return url;
}

/** On the page that the server redirects to, with the URL of that page. */
export async function finishLogin(login: Login, url: URL, coordinator: TokenCoordinator): Promise<void> {
  const { server, client, redirectUri, dpopKeyPair } = login;
  const { verifier, state } = JSON.parse(sessionStorage.getItem('login') ?? '{}') as Record<string, string>;
  sessionStorage.removeItem('login');
  const options: oauth.TokenEndpointRequestOptions = {
    // On localhost, a server without TLS will do.
    [oauth.allowInsecureRequests]: new URL(server.issuer).protocol === 'http:',
    ...(dpopKeyPair && { DPoP: oauth.DPoP(client, dpopKeyPair) }),
  };
  const callback = oauth.validateAuthResponse(server, client, url, state);
  const exchange = async (): Promise<oauth.TokenEndpointResponse> => {
    const { None, authorizationCodeGrantRequest, processAuthorizationCodeResponse } = oauth;
    const response = await authorizationCodeGrantRequest(
      server,
      client,
      None(),
      callback,
      redirectUri,
      verifier ?? '',
      options,
    );
    return processAuthorizationCodeResponse(server, client, response);
  };
  const tokens = await exchange().catch((error: unknown) => {
    // Servers may ask for a proof with their nonce first.
    if (dpopKeyPair && oauth.isDPoPNonceError(error)) return exchange();
    throw error;
  });
  const subject = oauth.getValidatedIdTokenClaims(tokens)?.sub;
  await coordinator.setSession(tokens, { subject, dpopKeyPair });
}
