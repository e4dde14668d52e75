// Authorization servers of other make, on loopback ports: plain OAuth, no OpenID Connect, no ID token, metadata of RFC 8414.
import { setTimeout as sleep } from 'node:timers/promises';
import { issuer } from '@openauthjs/openauth';
import { MemoryStorage } from '@openauthjs/openauth/storage/memory';
import { createSubjects } from '@openauthjs/openauth/subject';
import { withCors } from '../../test/interop/cors.js';
import { close, listen, toListener } from '../../test/interop/http.js';
import { startNodeOAuth2Server } from '../../test/interop/servers/node-oauth2-server.js';

interface User {
  user: string;
}

export interface OtherServer {
  readonly issuer: string;
  close(): Promise<void>;
}

/**
 * OpenAuth as it comes. Everybody who comes is signed in.
 *
 * @param pages - where the app is; its redirect page is allowed
 */
export async function startOtherServer(pages: string): Promise<OtherServer> {
  const validate = (value: unknown) => ({ value: value as User });
  const app = issuer({
    subjects: createSubjects({ user: { '~standard': { version: 1, vendor: 'test', validate } } }),
    storage: MemoryStorage(),
    allow: ({ redirectURI }) => Promise.resolve(new URL(redirectURI).origin === pages),
    providers: {
      test: {
        type: 'test',
        init: (routes, { success }) =>
          void routes.get('/authorize', (context) => success(context, { user: 'alice' })),
      },
    },
    success: (context, { user }: User) => context.subject('user', { user }),
  });
  const { server, port } = await listen(toListener(async (request) => app.fetch(request)));
  return { issuer: `http://127.0.0.1:${port}`, close: () => close(server) };
}

export interface AskingServer extends OtherServer {
  readonly clientId: string;
  /** The answers to code exchanges. */
  readonly exchanges: { status: number }[];
  /** How long the next answers to exchanges wait, milliseconds. */
  readonly delays: number[];
}

/**
 * node-oauth2-server with the storage of its documentation. The page in front of it asks each time, and knows each request by its address
 * alone, so any number of them can be under way in one browser. A `login_hint` answers for the user.
 *
 * @param pages - where the app is; its redirect page is registered
 */
export async function startAskingServer(pages: string): Promise<AskingServer> {
  const handle = withCors(pages, async (request) => {
    const url = new URL(request.url);
    if (url.pathname === '/.well-known/oauth-authorization-server') return Response.json(metadata);
    if (url.pathname === '/authorize') {
      const user = url.searchParams.get('user') ?? url.searchParams.get('login_hint');
      if (user === null)
        return new Response(ASKING_PAGE, { headers: { 'content-type': 'text/html; charset=utf-8' } });
      // As a form of its documentation says that the user declined.
      if (user === 'nobody') url.searchParams.set('allowed', 'false');
      return answer(new Request(url));
    }
    if (url.pathname !== '/token') return new Response(null, { status: 404 });
    const isExchange = (await request.clone().text()).includes('grant_type=authorization_code');
    const response = await answer(request);
    if (!isExchange) return response;
    other.exchanges.push({ status: response.status });
    await sleep(other.delays.shift() ?? 0);
    return response;
  });
  const { server, port } = await listen(toListener(handle));
  const issuer = `http://127.0.0.1:${port}`;
  const place = { origin: issuer, redirectUri: `${pages}/callback`, accessTokenSeconds: 3600 };
  const { client, handle: answer } = startNodeOAuth2Server(place);
  const metadata = { issuer, ...client.endpoints, response_types_supported: ['code'] };
  const other: AskingServer = {
    issuer,
    clientId: client.clientId,
    exchanges: [],
    delays: [],
    close: () => close(server),
  };
  return other;
}

const ASKING_PAGE = `<!doctype html><link rel="icon" href="data:," /><h1>Who is there?</h1>
  <button class="alice">Alice</button><button class="nobody">Nobody</button>
  <script>
    addEventListener('click', ({ target }) => {
      const url = new URL(location.href);
      url.searchParams.set('user', target.className);
      location.assign(url);
    });
  </script>`;
