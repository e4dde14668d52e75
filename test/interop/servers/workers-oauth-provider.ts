import { register } from 'node:module';
import type { Place, RealServer } from './real-server.js';

/** Workers' key-value store, as far as the library uses it here. */
function createKeyValueStore() {
  const stored = new Map<string, { value: string; expiresAt: number }>();
  const read = (key: string): string | null => {
    const entry = stored.get(key);
    return entry && entry.expiresAt > Date.now() ? entry.value : null;
  };
  return {
    get: async (key: string, options?: { type?: string }): Promise<unknown> => {
      const value = read(key);
      return value !== null && options?.type === 'json' ? JSON.parse(value) : value;
    },
    put: async (key: string, value: string, { expirationTtl = Infinity } = {}): Promise<void> =>
      void stored.set(key, { value, expiresAt: Date.now() + expirationTtl * 1000 }),
    delete: async (key: string): Promise<void> => void stored.delete(key),
    list: async ({ prefix = '' } = {}) => ({
      keys: [...stored.keys()].filter((name) => name.startsWith(prefix)).map((name) => ({ name })),
      list_complete: true,
    }),
  };
}

/** The library's addition to the environment of the application's own handler. */
interface Helpers {
  createClient(client: object): Promise<{ clientId: string }>;
  parseAuthRequest(request: Request): Promise<object>;
  completeAuthorization(grant: object): Promise<{ redirectTo: string }>;
}
type Environment = Record<string, unknown>;
interface Provider {
  fetch(request: Request, environment: Environment, context: object): Promise<Response>;
}

/** Cloudflare's provider: a used refresh token is good until its successor has been used. */
export async function startWorkersOAuthProvider({
  origin,
  redirectUri,
  accessTokenSeconds,
}: Place): Promise<RealServer> {
  // The one module of the Workers runtime that it imports, for a class to compare with.
  const runtime = 'data:text/javascript,export class WorkerEntrypoint {}';
  const resolve = `export const resolve = (name, context, next) =>
    name === 'cloudflare:workers' ? { url: ${JSON.stringify(runtime)}, shortCircuit: true } : next(name, context);`;
  register(`data:text/javascript,${encodeURIComponent(resolve)}`);
  const { default: OAuthProvider } = (await import('@cloudflare/workers-oauth-provider')) as unknown as {
    default: new (options: object) => Provider;
  };

  const provider = new OAuthProvider({
    apiRoute: '/api',
    apiHandler: { fetch: () => new Response('api') },
    authorizeEndpoint: `${origin}/authorize`,
    tokenEndpoint: `${origin}/token`,
    resourceMetadata: { resource: `${origin}/api` },
    accessTokenTTL: accessTokenSeconds,
    defaultHandler: {
      async fetch(request: Request, { OAUTH_PROVIDER }: { OAUTH_PROVIDER: Helpers }): Promise<Response> {
        if (request.method === 'POST') {
          const client = { redirectUris: [redirectUri], tokenEndpointAuthMethod: 'none' };
          return Response.json(await OAUTH_PROVIDER.createClient(client));
        }
        const asked = await OAUTH_PROVIDER.parseAuthRequest(request);
        const { redirectTo } = await OAUTH_PROVIDER.completeAuthorization({
          request: asked,
          userId: 'alice',
          metadata: {},
          scope: ['read'],
          props: {},
        });
        return new Response(null, { status: 302, headers: { location: redirectTo } });
      },
    },
  });
  const environment = { OAUTH_KV: createKeyValueStore() };
  const handle = (request: Request): Promise<Response> =>
    provider.fetch(request, environment, { waitUntil() {}, props: {} });
  const registered = await handle(new Request(`${origin}/register-app`, { method: 'POST' }));
  const { clientId } = (await registered.json()) as { clientId: string };

  return {
    client: {
      clientId,
      scope: 'read',
      endpoints: {
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        revocation_endpoint: `${origin}/token`,
      },
    },
    handle,
  };
}
