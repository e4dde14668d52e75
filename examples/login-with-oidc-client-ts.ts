/**
 * Sign in with `oidc-client-ts`, then hand the tokens over. It must not refresh as well: two who spend one refresh token are one too many.
 */
import {
  InMemoryWebStorage,
  UserManager,
  WebStorageStateStore,
  type UserManagerSettings,
} from 'oidc-client-ts';
import type { TokenCoordinator } from 'one-refresh';

type Essentials = Pick<
  UserManagerSettings,
  'authority' | 'client_id' | 'redirect_uri' | 'scope' | 'metadata'
>;

export function createUserManager(settings: Essentials): UserManager {
  return new UserManager({
    ...settings,
    // The coordinator refreshes, and keeps the tokens.
    automaticSilentRenew: false,
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
  });
}

/** On the page that the server redirects to. It began with `userManager.signinRedirect()`. */
export async function finishLogin(
  userManager: UserManager,
  url: string,
  coordinator: TokenCoordinator,
): Promise<void> {
  const user = await userManager.signinRedirectCallback(url);
  const { access_token, refresh_token, id_token, token_type, expires_in, scope, profile } = user;
  await coordinator.setSession(
    { access_token, refresh_token, id_token, token_type, expires_in, scope },
    { subject: profile.sub },
  );
  await userManager.removeUser();
}
