import { createHash, randomBytes } from 'node:crypto';
import { register } from 'node:module';
import type { TokenResponse } from '../../src/core/types.js';
import { ACCESS_TOKEN_SECONDS, type RealServer } from './real-server.js';

const ORIGIN = 'https://workers.example';
const CALLBACK = 'https://app.example/callback';

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

/** What the library puts into the environment of the application's own handler. */
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
export async function startWorkersOAuthProvider(): Promise<RealServer> {
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
    authorizeEndpoint: `${ORIGIN}/authorize`,
    tokenEndpoint: `${ORIGIN}/token`,
    resourceMetadata: { resource: `${ORIGIN}/api` },
    accessTokenTTL: ACCESS_TOKEN_SECONDS,
    defaultHandler: {
      async fetch(request: Request, { OAUTH_PROVIDER }: { OAUTH_PROVIDER: Helpers }): Promise<Response> {
        if (request.method === 'POST') {
          const client = { redirectUris: [CALLBACK], tokenEndpointAuthMethod: 'none' };
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
  const registered = await handle(new Request(`${ORIGIN}/register-app`, { method: 'POST' }));
  const { clientId } = (await registered.json()) as { clientId: string };

  return {
    tokenEndpoint: `${ORIGIN}/token`,
    clientId,
    handle,
    async signIn() {
      const verifier = randomBytes(32).toString('base64url');
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: clientId,
        redirect_uri: CALLBACK,
        scope: 'read',
        state: 'x',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      });
      const answer = await handle(new Request(`${ORIGIN}/authorize?${query}`));
      const code = new URL(answer.headers.get('location') ?? '').searchParams.get('code') ?? '';
      const body = new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: clientId,
        redirect_uri: CALLBACK,
        code,
        code_verifier: verifier,
      });
      const response = await handle(new Request(`${ORIGIN}/token`, { method: 'POST', body }));
      return (await response.json()) as TokenResponse;
    },
  };
}
