// better-auth as the authorization server of a test: OpenID Connect with users who have passwords, a logout of its own, and DPoP.
import { withCookies } from '../../test/interop/code-flow.js';
import { withCors } from '../../test/interop/cors.js';
import { close, listen, toListener, type Handler } from '../../test/interop/http.js';
import { postToBetterAuth, USER } from '../../test/interop/servers/better-auth-user.js';
import { startBetterAuth } from '../../test/interop/servers/better-auth.js';
import type { OtherServer } from './other-server.js';

/** Of all its users. */
export const { password: PASSWORD } = USER;

export interface PasswordServer extends OtherServer {
  readonly clientId: string;
  readonly scope: string;
}

/**
 * Alice and Bob have an account. Its page asks for their password whenever better-auth wants a login; whoever types another one stays there.
 *
 * @param pages - where the app is; its redirect page and its start page are registered
 */
export async function startPasswordServer(pages: string): Promise<PasswordServer> {
  let answer: Handler = () => Promise.resolve(new Response(null, { status: 503 }));
  const { server, port } = await listen(toListener(async (request) => answer(request)));
  const origin = `http://127.0.0.1:${port}`;
  const place = { origin, redirectUri: `${pages}/callback`, accessTokenSeconds: 3600 };
  const { client, handle } = await startBetterAuth(place, {
    afterLogout: `${pages}/`,
    // Its own hash is made to be slow, and would stop the test's process for as long.
    password: {
      hash: (password) => Promise.resolve(password),
      verify: ({ hash, password }) => Promise.resolve(hash === password),
    },
  });
  const bob = { ...USER, email: 'bob@example.com', name: 'Bob' };
  await postToBetterAuth(withCookies(handle), origin, '/sign-up/email', bob);
  answer = withCors(pages, async (request) =>
    new URL(request.url).pathname === '/sign-in'
      ? new Response(SIGN_IN_PAGE, { headers: { 'content-type': 'text/html; charset=utf-8' } })
      : handle(request),
  );
  const { clientId, scope } = client;
  return { issuer: `${origin}/api/auth`, clientId, scope, close: () => close(server) };
}

/** As better-auth's client does it: the request that the page was opened with goes along with the password, and comes back as an address. */
const SIGN_IN_PAGE = `<!doctype html><link rel="icon" href="data:," /><h1>Who is there?</h1>
  <input type="password" /><button class="alice">Alice</button><button class="bob">Bob</button>
  <script>
    for (const button of document.querySelectorAll('button'))
      button.addEventListener('click', async () => {
        const response = await fetch('/api/auth/sign-in/email', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            email: button.className + '@example.com',
            password: document.querySelector('input').value,
            oauth_query: location.search.slice(1),
          }),
        });
        const { url } = await response.json();
        if (url) location.assign(url);
        else document.querySelector('h1').textContent = 'Wrong password';
      });
  </script>`;
