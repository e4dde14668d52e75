// A certified OpenID provider in this process, set up the way that hurts: refresh tokens are used once, and a replay revokes the grant.
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { createProviderStorage } from './provider-storage.js';
import { createSignInPages } from './sign-in-pages.js';
import { findUser } from './users.js';

export interface AuthorizationServerOptions {
  issuer: string;
  clientId: string;
  /** The pages that may sign in; the demo answers on `127.0.0.1` and on `localhost`. */
  pageOrigins: readonly string[];
  /** Which origins may read its answers. */
  isAllowedOrigin: (origin: string) => boolean;
  /** Audiences for which it issues access tokens; the first is the default. */
  resources: readonly [string, ...string[]];
  /** Seconds; asked at every token, so that it can be changed while the server runs. */
  accessTokenTtl: () => number;
  /** Whether DPoP proofs must carry a nonce of this server (RFC 9449 §8). */
  requireNonce: boolean;
  /** Whether authorization requests must be pushed (RFC 9126 §5). */
  requirePushed: boolean;
  /** Whether refresh tokens are used once. */
  rotate: boolean;
}

export interface AuthorizationServer {
  /** Everything but the token endpoint, which the caller puts its own layers in front of. */
  handle(req: http.IncomingMessage, res: http.ServerResponse): Promise<void>;
  /** The same, complete, on a loopback port of its own. */
  readonly port: number;
  grantOf(refreshToken: string): Promise<string | undefined>;
  close(): Promise<void>;
}

export const API_SCOPE = 'api:read';

export async function createAuthorizationServer(
  options: AuthorizationServerOptions,
): Promise<AuthorizationServer> {
  const { issuer, isAllowedOrigin } = options;
  const ProviderClass = await loadProvider();
  const provider = new ProviderClass(issuer, await configure(options));
  // An app that somebody writes beside the demo has another port, which a native app's redirect page may have, too (RFC 8252 §7.3).
  provider.Client.prototype.postLogoutRedirectUriAllowed = (uri: string) =>
    isAllowedOrigin(new URL(uri).origin);
  const handleProvider = provider.callback();
  const signIn = createSignInPages(provider, { resources: options.resources, apiScope: API_SCOPE });

  const handle: AuthorizationServer['handle'] = async (req, res) => {
    if (req.url?.startsWith('/interaction/')) await signIn(req, res);
    else await handleProvider(req, res);
  };

  const server = http.createServer((req, res) => void handleProvider(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };

  return {
    handle,
    port,
    async grantOf(refreshToken) {
      return (await provider.RefreshToken.find(refreshToken))?.grantId;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function configure(options: AuthorizationServerOptions): Promise<Configuration> {
  const {
    clientId,
    pageOrigins,
    isAllowedOrigin,
    resources,
    accessTokenTtl,
    requireNonce,
    requirePushed,
    rotate,
  } = options;
  const signingKey = await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey);
  const hour = 60 * 60;

  return {
    adapter: createProviderStorage(),
    clients: [
      {
        client_id: clientId,
        client_name: 'one-refresh demo',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        // Only a native application may be sent back to plain http, and only on loopback.
        application_type: 'native',
        redirect_uris: pageOrigins.map((origin) => `${origin}/callback`),
        id_token_signed_response_alg: 'ES256',
      },
    ],
    clientBasedCORS: (_ctx, origin) => isAllowedOrigin(origin),
    conformIdTokenClaims: false,
    cookies: { keys: [crypto.randomUUID()] },
    jwks: { keys: [{ ...signingKey, kid: 'demo', alg: 'ES256', use: 'sig' }] },
    pkce: { required: () => true },
    scopes: ['openid', 'offline_access'],
    findAccount: (_ctx, id) => {
      const user = findUser(id);
      return user && { accountId: user.id, claims: () => ({ sub: user.id, name: user.name }) };
    },
    claims: { openid: ['sub', 'name'] },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },

    // Always or never: left to itself it rotates the tokens of a public client only late in their life where they are bound to a key.
    rotateRefreshToken: rotate,
    issueRefreshToken: () => true,
    // Signing in as somebody else in the same browser must not end the tokens that a test still looks at.
    expiresWithSession: () => false,
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? accessTokenTtl(),
      AuthorizationCode: 60,
      Grant: 24 * hour,
      IdToken: hour,
      Interaction: hour,
      RefreshToken: 24 * hour,
      Session: 24 * hour,
    },

    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => requireNonce },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: requirePushed },
      rpInitiatedLogout: { logoutSource: confirmLogout },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, _client, oneOf) => (oneOf as string[] | undefined)?.[0] ?? resources[0],
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: API_SCOPE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: accessTokenTtl(),
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    renderError: (ctx: KoaContextWithOIDC, out) => {
      ctx.type = 'text/plain';
      ctx.body = `${out.error}: ${out.error_description ?? ''}`;
    },
  };
}

/** The app has asked already, so the user is not asked again. */
function confirmLogout(ctx: KoaContextWithOIDC, form: string): void {
  ctx.body = `<!doctype html><title>Signing out</title>${form}
    <script>
      const answer = Object.assign(document.createElement('input'), { name: 'logout', value: 'yes' });
      document.forms[0].append(answer);
      document.forms[0].submit();
    </script>`;
}

/**
 * oidc-provider prints at import that it would rather have Node 22. It works on 20, and the complaint of `npm run demo` has to say is one URL; so this
 * one line is left out, and nothing else.
 */
async function loadProvider(): Promise<typeof Provider> {
  const { warn } = console;
  console.warn = (...args: unknown[]) => {
    if (!String(args[0]).includes('oidc-provider WARNING: Unsupported runtime')) warn(...args);
  };
  try {
    return (await import('oidc-provider')).Provider;
  } finally {
    console.warn = warn;
  }
}
