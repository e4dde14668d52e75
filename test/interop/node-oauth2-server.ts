import OAuth2Server from '@node-oauth/oauth2-server';
import type { TokenResponse } from '../../src/core/types.js';
import { ACCESS_TOKEN_SECONDS, type RealServer } from './real-server.js';

const CLIENT: OAuth2Server.Client = { id: 'app', grants: ['password', 'refresh_token'] };

/** The server with the storage of its documentation: a used refresh token is gone at once, and nothing else happens. */
export function startNodeOAuth2Server(): RealServer {
  const tokens = new Map<string | undefined, OAuth2Server.Token>();
  const model: OAuth2Server.RefreshTokenModel & OAuth2Server.PasswordModel = {
    getClient: async (id) => id === CLIENT.id && CLIENT,
    getUser: async (id) => ({ id }),
    getAccessToken: async () => undefined,
    getRefreshToken: async (token) => tokens.get(token) as OAuth2Server.RefreshToken | undefined,
    revokeToken: async ({ refreshToken }) => tokens.delete(refreshToken),
    async saveToken(token, client, user) {
      const saved = { ...token, client, user };
      tokens.set(token.refreshToken, saved);
      return saved;
    },
  };
  const server = new OAuth2Server({
    model,
    accessTokenLifetime: ACCESS_TOKEN_SECONDS,
    requireClientAuthentication: { password: false, refresh_token: false },
  });
  const tokenEndpoint = 'https://node-oauth.example/token';
  const handle = async (asked: Request): Promise<Response> => {
    const request = new OAuth2Server.Request({
      method: asked.method,
      query: {},
      headers: { 'content-length': '1', ...Object.fromEntries(asked.headers) },
      body: Object.fromEntries(new URLSearchParams(await asked.text())),
    });
    const response = new OAuth2Server.Response();
    // It throws what it has written into the response.
    await server.token(request, response).catch(() => undefined);
    return Response.json(response.body, {
      ...(response.status !== undefined && { status: response.status }),
      ...(response.headers && { headers: response.headers }),
    });
  };

  return {
    tokenEndpoint,
    clientId: CLIENT.id,
    handle,
    async signIn() {
      const body = new URLSearchParams({
        grant_type: 'password',
        client_id: CLIENT.id,
        username: 'alice',
        password: 'x',
      });
      const response = await handle(new Request(tokenEndpoint, { method: 'POST', body }));
      return (await response.json()) as TokenResponse;
    },
  };
}
