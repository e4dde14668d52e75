// A sign-in as far as a page takes part in it; the way to the code is the server's to go, with no page to be seen.
import * as oauth from 'oauth4webapi';
import type { TokenResponse } from 'one-refresh';
import { getDPoPKeyPair } from 'one-refresh/oauth';

export async function fetchTokens(user: string): Promise<TokenResponse> {
  const response = await fetch(`/__lab/sign-in?user=${user}`, { method: 'POST' });
  return (await response.json()) as TokenResponse;
}

/**
 * Tokens bound to the key of the next session: the code is exchanged here, with a proof. By hand, since this is the test of
 * `getDPoPKeyPair()`, for apps that bring their own login; `one-refresh/login` has tests of its own.
 */
export async function fetchBoundTokens(name: string, user: string): Promise<TokenResponse> {
  const response = await fetch(`/__lab/authorize?user=${user}`, { method: 'POST' });
  const grant = (await response.json()) as Record<
    'issuer' | 'clientId' | 'redirectUri' | 'code' | 'verifier',
    string
  >;
  const { issuer } = grant;
  const server: oauth.AuthorizationServer = { issuer, token_endpoint: `${issuer}/token` };
  const client: oauth.Client = { client_id: grant.clientId, id_token_signed_response_alg: 'ES256' };
  const callback = new URLSearchParams({ code: grant.code, iss: issuer });
  const DPoP = oauth.DPoP(client, await getDPoPKeyPair(name));
  const exchange = async (): Promise<TokenResponse> => {
    const answer = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      oauth.None(),
      oauth.validateAuthResponse(server, client, callback),
      grant.redirectUri,
      grant.verifier,
      { DPoP, [oauth.allowInsecureRequests]: true },
    );
    return oauth.processAuthorizationCodeResponse(server, client, answer);
  };
  return exchange().catch((error: unknown) => {
    if (oauth.isDPoPNonceError(error)) return exchange();
    throw error;
  });
}
