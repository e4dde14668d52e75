import { OktaAuth } from '@okta/okta-auth-js';
import type { Client, TokenResponse } from './contestant.js';

const scopes = ['openid', 'profile', 'email', 'offline_access'];

/** With its services, as the README asks for: the tabs elect a leader that renews ahead of expiry, and tell each other of new tokens. */
export async function create(): Promise<Client> {
  const client = new OktaAuth({
    issuer: `${location.origin}/`,
    clientId: 'bench',
    redirectUri: location.origin,
    scopes,
    pkce: true,
    tokenManager: { storage: 'localStorage' },
    services: { autoRenew: true, autoRemove: true, syncStorage: true },
  });
  await client.start();
  return {
    getToken: () => client.getOrRenewAccessToken(),
    signIn: async (tokens) => client.tokenManager.setTokens(toOkta(tokens)),
  };
}

function toOkta({ access_token, refresh_token, id_token, expires_in }: TokenResponse) {
  const { origin } = location;
  const expiresAt = Math.floor(Date.now() / 1000) + expires_in;
  const claims = JSON.parse(atob(id_token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))) as {
    sub: string;
  };
  const common = { scopes, expiresAt, authorizeUrl: `${origin}/authorize` };
  return {
    accessToken: {
      ...common,
      accessToken: access_token,
      tokenType: 'Bearer',
      userinfoUrl: `${origin}/userinfo`,
      claims,
    },
    refreshToken: {
      ...common,
      refreshToken: refresh_token,
      tokenUrl: `${origin}/token`,
      issuer: `${origin}/`,
    },
    idToken: { ...common, idToken: id_token, claims, issuer: `${origin}/`, clientId: 'bench' },
  };
}
