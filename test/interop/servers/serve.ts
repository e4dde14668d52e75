// A process of its own for a server from npm: `serve.ts NAME PORT PLACE`. Tells its parent what the app has to know, then listens.
import http from 'node:http';
import { withCors } from '../cors.js';
import { toListener, type Handler } from '../http.js';
import { OPENAUTH_REUSE_SECONDS } from './recipes.js';
import type { ClientSettings, Place, RealServer } from './real-server.js';

interface Served {
  readonly client: ClientSettings;
  readonly listener: http.RequestListener;
}
type Start = (place: Place) => Promise<Served>;

const served =
  (
    start: (place: Place) => RealServer | Promise<RealServer>,
    surround: (handler: Handler, place: Place) => Handler = (handler) => handler,
  ): Start =>
  async (place) => {
    const { client, handle } = await start(place);
    return { client, listener: toListener(surround(handle, place)) };
  };

/** For servers that leave CORS to their surroundings. */
const withPagesAllowed = (handler: Handler, { redirectUri }: Place): Handler =>
  withCors(new URL(redirectUri).origin, handler);

// Each process loads one server only.
const starters: Record<string, () => Promise<Start>> = {
  'oidc-provider': async () => (await import('./oidc-provider.js')).startOidcProvider,
  openauth: async () => {
    const { startOpenAuth } = await import('./openauth.js');
    return served((place) => startOpenAuth(place, OPENAUTH_REUSE_SECONDS));
  },
  'workers-oauth-provider': async () =>
    served((await import('./workers-oauth-provider.js')).startWorkersOAuthProvider),
  'node-oauth2-server': async () =>
    served((await import('./node-oauth2-server.js')).startNodeOAuth2Server, withPagesAllowed),
  'better-auth': async () => served((await import('./better-auth.js')).startBetterAuth, withPagesAllowed),
};

const [name = '', port, text = ''] = process.argv.slice(2);
const place = JSON.parse(text) as Place;
const start = await starters[name]!();
const { client, listener } = await start(place);
process.send!(client);
http.createServer(listener).listen(Number(port), '127.0.0.1');
// Without its parent it has no purpose.
process.once('disconnect', () => process.exit());
