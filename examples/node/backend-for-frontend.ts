/**
 * A backend-for-frontend: the refresh token never leaves the server, the browser has an HttpOnly cookie. Any number of replicas may answer, and
 * one of them refreshes. The browser's side is ../cookie-backend.ts: `one-refresh` there, so that one tab asks for all of them.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { randomBytes } from 'node:crypto';
import type { TokenCoordinator, TokenResponse } from 'one-refresh';
import type { Sessions } from 'one-refresh/node';

const COOKIE = '__Host-session';

/** Call it where the authorization code has been redeemed: the browser gets a new cookie, the tokens stay here. */
export async function signIn(
  sessions: Sessions,
  response: ServerResponse,
  tokens: TokenResponse,
): Promise<void> {
  const id = randomBytes(32).toString('base64url');
  await sessions.open(id).setSession(tokens);
  response.setHeader('set-cookie', `${COOKIE}=${id}; Path=/; Secure; HttpOnly; SameSite=Lax`);
}

/** `POST /session` and `POST /session/refresh` give the page an access token; `DELETE /session` signs out. */
export function createBackend(sessions: Sessions): RequestListener {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A header of its own: forms of other sites cannot send it (CSRF).
    const session = request.headers['x-requested-with'] === 'one-refresh' && sessionOf(sessions, request);
    if (!session) return end(response, 401);
    if (request.method === 'DELETE') {
      await session.signOut();
      response.setHeader('set-cookie', `${COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0`);
      return end(response, 204);
    }
    // The page asks when its token is about to expire, so one that lives a little longer will do.
    const access_token = await session.getAccessToken();
    const { expiresAt } = session.getSnapshot();
    const expires_in = expiresAt === undefined ? undefined : Math.floor((expiresAt - Date.now()) / 1000);
    return end(response, 200, { access_token, expires_in });
  }

  return (request, response) => {
    answer(request, response).catch((error: { code?: string; retryAfterMs?: number }) => {
      // The session is over: the page asks its user to sign in. Everything else passes.
      if (error.code === 'ERR_SIGNED_OUT' || error.code === 'ERR_REAUTH_REQUIRED') return end(response, 401);
      if (error.retryAfterMs !== undefined) {
        response.setHeader('retry-after', Math.ceil(error.retryAfterMs / 1000));
      }
      return end(response, 503);
    });
  };
}

function sessionOf(sessions: Sessions, { headers }: IncomingMessage): TokenCoordinator | undefined {
  const cookies = (headers.cookie ?? '').split('; ').map((cookie) => cookie.split('='));
  const id = cookies.find(([name]) => name === COOKIE)?.[1];
  return id ? sessions.open(id) : undefined;
}

function end(response: ServerResponse, status: number, body?: object): void {
  // Tokens are kept in no cache (RFC 6749 §5.1).
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(body && JSON.stringify(body));
}
