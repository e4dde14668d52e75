import { Auth0Client } from '@auth0/auth0-spa-js';
import type { Client } from './contestant.js';

const SCOPE = 'openid profile email offline_access';

/** As its README and FAQ say for several tabs: refresh tokens, and the cache in localStorage, which the tabs share. */
export function create(): Client {
  const client = new Auth0Client({
    domain: location.origin,
    clientId: 'bench',
    useRefreshTokens: true,
    cacheLocation: 'localstorage',
    authorizationParams: { redirect_uri: location.origin, audience: 'api', scope: SCOPE },
  });
  return {
    getToken: () => client.getTokenSilently(),
    async signIn(tokens) {
      // As its own cache keeps the answer to a sign-in.
      const expiresAt = Math.floor(Date.now() / 1000) + tokens.expires_in;
      const claims = JSON.parse(
        atob(tokens.id_token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')),
      ) as object;
      const decodedToken = { claims: { __raw: tokens.id_token, ...claims }, user: { sub: 'alice' } };
      const body = { ...tokens, decodedToken, audience: 'api', client_id: 'bench' };
      localStorage.setItem(`@@auth0spajs@@::bench::api::${SCOPE}`, JSON.stringify({ body, expiresAt }));
      localStorage.setItem(
        '@@auth0spajs@@::bench::@@user@@',
        JSON.stringify({ id_token: tokens.id_token, decodedToken }),
      );
    },
  };
}
