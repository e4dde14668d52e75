/**
 * Auth.js (NextAuth 5) keeps its session in a cookie, and runs the `jwt` callback for every request that looks at it: several at once, in
 * several processes. The usual callback refreshes in each of them. Here the cookie holds the name of a session, and no refresh token.
 */
import type { AuthConfig } from '@auth/core';
import type { Sessions } from 'one-refresh/node';

type Callbacks = NonNullable<AuthConfig['callbacks']>;
type Jwt = NonNullable<Callbacks['jwt']>;

export function refreshingCallbacks(sessions: Sessions): Required<Pick<Callbacks, 'jwt' | 'session'>> {
  const jwt: Jwt = async ({ token, account }) => {
    // The sign-in: the only time that Auth.js gives the provider's tokens.
    if (account?.access_token) {
      const { access_token, refresh_token, id_token, expires_at } = account;
      const expires_in = expires_at === undefined ? undefined : expires_at - Math.floor(Date.now() / 1000);
      const sessionId = crypto.randomUUID();
      await sessions.open(sessionId).setSession({ access_token, refresh_token, id_token, expires_in });
      return { ...token, sessionId };
    }
    if (typeof token['sessionId'] !== 'string') return token;
    try {
      const accessToken = await sessions.open(token['sessionId']).getAccessToken();
      return { ...token, accessToken, error: undefined };
    } catch (error) {
      // A passing fault is no reason to sign in again.
      const { code } = error as { code?: string };
      const isOver = code === 'ERR_SIGNED_OUT' || code === 'ERR_REAUTH_REQUIRED';
      return { ...token, accessToken: undefined, error: isOver ? 'RefreshTokenError' : 'TemporaryError' };
    }
  };

  return {
    jwt,
    // For the server's own use, too: leave the token out if your pages need none.
    session: ({ session, token }) => ({
      ...session,
      accessToken: token['accessToken'],
      error: token['error'],
    }),
  };
}

/** In `events.signOut`: the session ends in every process, and its refresh token is revoked. */
export async function endSession(sessions: Sessions, token: { sessionId?: unknown } | null): Promise<void> {
  if (typeof token?.sessionId === 'string') await sessions.open(token.sessionId).signOut();
}
