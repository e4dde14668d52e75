import type http from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';
import type { ClientSettings, Place } from './real-server.js';

/** oidc-provider with rotation: a used refresh token that comes back revokes the whole grant. */
export async function startOidcProvider({ origin, redirectUri, accessTokenSeconds }: Place): Promise<{
  client: ClientSettings;
  listener: http.RequestListener;
}> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const provider = new Provider(origin, {
    clients: [
      {
        client_id: 'app',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        // Only a native application may be sent back to plain http, and only on loopback.
        application_type: 'native',
        redirect_uris: [redirectUri],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    rotateRefreshToken: true,
    clientBasedCORS: (_context, allowed) => allowed === new URL(redirectUri).origin,
    cookies: { keys: ['interop'] },
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 60,
      Grant: 3_600,
      IdToken: 3_600,
      Interaction: 3_600,
      RefreshToken: 3_600,
      Session: 3_600,
    },
  });
  const callback = provider.callback();
  return {
    // OpenID Connect Core §11: `offline_access` is given only with consent.
    client: {
      clientId: 'app',
      issuer: origin,
      scope: 'openid offline_access',
      parameters: { prompt: 'consent' },
    },
    listener: (req, res) => {
      if (!req.url?.startsWith('/interaction/')) return void callback(req, res);
      signIn(provider, req, res).catch((error: unknown) => {
        console.error(error);
        res.destroy();
      });
    },
  };
}

/** Stands for a login page: every user is Alice, and she consents. */
async function signIn(
  provider: Provider,
  req: http.IncomingMessage,
  res: http.ServerResponse,
): Promise<void> {
  const { params, prompt } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') {
    await provider.interactionFinished(req, res, { login: { accountId: 'alice' } });
    return;
  }
  const grant = new provider.Grant({ accountId: 'alice', clientId: String(params['client_id']) });
  grant.addOIDCScope(String(params['scope']));
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(req, res, { consent }, { mergeWithLastSubmission: true });
}
