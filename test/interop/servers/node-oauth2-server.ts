import OAuth2Server from '@node-oauth/oauth2-server';
import type { Place, RealServer } from './real-server.js';

/** The server with the storage of its documentation: a used refresh token is gone at once, and nothing else happens. */
export function startNodeOAuth2Server({ origin, redirectUri, accessTokenSeconds }: Place): RealServer {
  const client: OAuth2Server.Client = {
    id: 'app',
    grants: ['authorization_code', 'refresh_token'],
    redirectUris: [redirectUri],
  };
  const codes = new Map<string, OAuth2Server.AuthorizationCode>();
  const tokens = new Map<string | undefined, OAuth2Server.Token>();
  const model: OAuth2Server.RefreshTokenModel & OAuth2Server.AuthorizationCodeModel = {
    getClient: async (id) => id === client.id && client,
    getAccessToken: async () => undefined,
    getAuthorizationCode: async (code) => codes.get(code),
    revokeAuthorizationCode: async ({ authorizationCode }) => codes.delete(authorizationCode),
    async saveAuthorizationCode(code, client, user) {
      const saved = { ...code, client, user };
      codes.set(code.authorizationCode, saved);
      return saved;
    },
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
    accessTokenLifetime: accessTokenSeconds,
    requireClientAuthentication: { authorization_code: false, refresh_token: false },
  });
  // Stands for a login page: every user is Alice.
  const authenticateHandler = { handle: () => ({ id: 'alice' }) };

  return {
    client: {
      clientId: client.id,
      scope: 'read',
      endpoints: { authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token` },
    },
    async handle(asked) {
      const { pathname, searchParams } = new URL(asked.url);
      const request = new OAuth2Server.Request({
        method: asked.method,
        query: Object.fromEntries(searchParams),
        headers: { 'content-length': '1', ...Object.fromEntries(asked.headers) },
        body: Object.fromEntries(new URLSearchParams(await asked.text())),
      });
      const response = new OAuth2Server.Response();
      const answering: Promise<unknown> =
        pathname === '/authorize'
          ? server.authorize(request, response, { authenticateHandler })
          : server.token(request, response);
      // It throws what it has written into the response.
      await answering.catch(() => undefined);
      return Response.json(response.body, {
        ...(response.status !== undefined && { status: response.status }),
        ...(response.headers && { headers: response.headers }),
      });
    },
  };
}
