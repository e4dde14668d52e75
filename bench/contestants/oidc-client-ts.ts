import { User, UserManager, WebStorageStateStore, type IdTokenClaims } from 'oidc-client-ts';
import type { Client } from './contestant.js';

/** The user in localStorage, which its documentation names for several tabs, and its silent renewal ahead of expiry (the default). */
export function create(): Client {
  const manager = new UserManager({
    authority: location.origin,
    client_id: 'bench',
    redirect_uri: location.origin,
    scope: 'openid profile email offline_access',
    userStore: new WebStorageStateStore({ store: localStorage }),
  });
  return {
    async getToken() {
      const user = await manager.getUser();
      if (user && !user.expired) return user.access_token;
      return (await manager.signinSilent())?.access_token;
    },
    async signIn({ expires_in, ...tokens }) {
      const claims = JSON.parse(
        atob(tokens.id_token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')),
      ) as IdTokenClaims;
      const expires_at = Math.floor(Date.now() / 1000) + expires_in;
      await manager.storeUser(new User({ ...tokens, profile: claims, expires_at }));
    },
  };
}
