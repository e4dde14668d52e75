import { betterAuth, type BetterAuthOptions, type BetterAuthPlugin } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { jwt } from 'better-auth/plugins';
import { oauthProvider } from '@better-auth/oauth-provider';
import { withCookies, type Send } from '../code-flow.js';
import { postToBetterAuth, USER } from './better-auth-user.js';
import type { Place, RealServer } from './real-server.js';

const TABLES = (
  'user session account verification jwks rateLimit oauthClient oauthRefreshToken oauthAccessToken oauthConsent ' +
  'oauthClientResource oauthResource oauthClientAssertion oauthClientResourceGrant'
).split(' ');

interface BetterAuthSettings {
  /** Where its logout may send the browser. */
  readonly afterLogout?: string;
  /** In place of its own hash, which takes a good while. */
  readonly password?: NonNullable<BetterAuthOptions['emailAndPassword']>['password'];
}

/** better-auth as an OAuth provider: without `refreshTokenReuseInterval` a used refresh token that comes back revokes its family. */
export async function startBetterAuth(
  { origin, redirectUri, accessTokenSeconds }: Place,
  { afterLogout = redirectUri, password }: BetterAuthSettings = {},
): Promise<RealServer> {
  const tables: Record<string, Record<string, unknown>[]> = Object.fromEntries(
    TABLES.map((name) => [name, []]),
  );
  const auth = betterAuth({
    baseURL: origin,
    secret: 'a secret for tests on loopback only',
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true, ...(password && { password }) },
    rateLimit: { enabled: false },
    // The jwt plugin's own endpoint of this name.
    disabledPaths: ['/token'],
    logger: { level: 'error' },
    plugins: [
      jwt(),
      oauthProvider({
        loginPage: '/sign-in',
        consentPage: '/consent',
        accessTokenExpiresIn: accessTokenSeconds,
        silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
        // Its types do not go with `exactOptionalPropertyTypes`.
      }) as BetterAuthPlugin,
    ],
  });
  const handle: Send = (request) => auth.handler(request);

  // An administrator with an account of their own registers the app.
  const send = withCookies(handle);
  await postToBetterAuth(send, origin, '/sign-up/email', USER);
  const client = (await postToBetterAuth(send, origin, '/oauth2/create-client', {
    client_name: 'app',
    // Only a native application may be sent back to plain http, and only on loopback.
    application_type: 'native',
    redirect_uris: [redirectUri],
    post_logout_redirect_uris: [afterLogout],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    scope: 'openid offline_access',
  })) as { client_id: string };
  for (const row of tables['oauthClient'] ?? [])
    Object.assign(row, { skipConsent: true, enableEndSession: true });

  const base = `${origin}/api/auth`;
  return {
    client: {
      clientId: client.client_id,
      scope: 'openid offline_access',
      endpoints: {
        issuer: base,
        authorization_endpoint: `${base}/oauth2/authorize`,
        token_endpoint: `${base}/oauth2/token`,
        revocation_endpoint: `${base}/oauth2/revoke`,
      },
    },
    handle,
  };
}
