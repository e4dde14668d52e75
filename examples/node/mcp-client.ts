/**
 * The login of a Model Context Protocol client, for several processes (editors, agents, command-line tools) that share it. The SDK refreshes in
 * each process by itself if it is given a refresh token, and the processes lose each other's pairs. So it is given access tokens
 * only, each of them fresh.
 */
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { TokenCoordinator } from 'one-refresh';

/** `login` is your provider as before: registration, redirect, PKCE. */
export function sharedLogin(
  session: TokenCoordinator,
  login: Omit<OAuthClientProvider, 'tokens' | 'saveTokens'>,
): OAuthClientProvider {
  // Not a copy: its members may be getters.
  return Object.assign(Object.create(login) as typeof login, {
    async tokens(): Promise<OAuthTokens | undefined> {
      try {
        return { access_token: await session.getAccessToken(), token_type: 'Bearer' };
      } catch (error) {
        const { code } = error as { code?: string };
        // Then the SDK asks the user to sign in. Whatever passes by itself is not that.
        if (code === 'ERR_SIGNED_OUT' || code === 'ERR_REAUTH_REQUIRED') return undefined;
        throw error;
      }
    },
    async saveTokens(tokens: OAuthTokens): Promise<void> {
      await session.setSession(tokens);
    },
    async invalidateCredentials(
      scope: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery',
    ): Promise<void> {
      if (scope === 'all' || scope === 'tokens') await session.signOut();
      await login.invalidateCredentials?.(scope);
    },
  });
}
