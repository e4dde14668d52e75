import { OidcClient } from '@axa-fr/oidc-client';
import type { Client } from './contestant.js';

/** In localStorage, which the tabs share; its other documented way for that is its service worker. */
export async function create(): Promise<Client> {
  const client = OidcClient.getOrCreate(() => fetch)({
    client_id: 'bench',
    redirect_uri: `${location.origin}/callback`,
    authority: location.origin,
    scope: 'openid profile email offline_access',
    storage: localStorage,
  });
  await client.tryKeepExistingSessionAsync();
  return {
    async getToken() {
      for (;;) {
        const { isTokensValid, tokens } = await client.getValidTokenAsync();
        // Another tab's new tokens are noticed, but the old ones are given once more.
        if (isTokensValid || !tokens) return tokens?.accessToken;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async signIn(tokens) {
      // As its own session keeps the answer to a sign-in.
      localStorage.setItem('oidc.nonce.default', 'bench');
      localStorage.setItem(
        'oidc.login.default',
        JSON.stringify({ callbackPath: '/', extras: null, scope: null }),
      );
      const issuedAt = Date.now() / 1000;
      const stored = {
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token,
        idToken: tokens.id_token,
        tokenType: tokens.token_type,
        scope: tokens.scope,
        expiresIn: tokens.expires_in,
        issuedAt,
      };
      localStorage.setItem('oidc.default', JSON.stringify({ tokens: stored, status: null }));
      await client.tryKeepExistingSessionAsync();
    },
  };
}
