import { vi } from 'vitest';
import type { LoginOptions } from '../../src/login/index.js';
import { json, startLoopbackServer, type Answer, type LoopbackServer } from './loopback-server.js';

export const APP = 'https://app.example';
export const CLIENT_ID = 'app';

/** A provider that a test drives by hand, and pages of one browser to sign in from. */
export interface LoginWorld {
  readonly server: LoopbackServer;
  /** Metadata of the provider; a test may change it. */
  readonly metadata: Record<string, unknown>;
  /** Endpoints that answer otherwise than usual, by path. */
  readonly answers: Record<string, Answer>;
  /** Claims that the next ID token has besides, or instead of, the usual ones; `undefined` leaves one out. */
  claims: Record<string, unknown>;
  /** Members of the next token response. */
  tokens: Record<string, unknown>;
  /** Requests to the token endpoint so far. */
  readonly exchanges: () => URLSearchParams[];
  /** Where the page was sent, newest last. */
  readonly visited: string[];
  /** The address in the address bar. */
  readonly address: () => string;
  /** Opens another page of the same browser. */
  open(url: string): void;
  /** The newest authorization request. */
  readonly request: () => URLSearchParams;
  /** The user agrees, or not: the browser is back on the redirect page. */
  comeBack(answer?: Record<string, string | undefined>): void;
}

/** The common options of every test. */
export function optionsFor(world: LoginWorld, coordinator: LoginOptions['coordinator']): LoginOptions {
  return { coordinator, issuer: world.server.origin, clientId: CLIENT_ID, redirectUri: '/callback' };
}

export async function startLoginWorld(): Promise<LoginWorld> {
  const server = await startLoopbackServer();
  const { origin } = server;
  const exchanges: URLSearchParams[] = [];
  const visited: string[] = [];
  let address = '';
  const kept = new Map<string, string>();

  const world: LoginWorld = {
    server,
    metadata: {
      issuer: origin,
      authorization_endpoint: `${origin}/authorize?tenant=a`,
      token_endpoint: `${origin}/token`,
      end_session_endpoint: `${origin}/logout`,
      authorization_response_iss_parameter_supported: true,
    },
    answers: {},
    claims: {},
    tokens: {},
    exchanges: () => exchanges,
    visited,
    address: () => address,
    open: (url) => void (address = new URL(url, APP).href),
    request: () => new URL(visited.at(-1) ?? '').searchParams,
    comeBack(answer = {}) {
      const usual = { code: 'the-code', state: world.request().get('state') ?? '', iss: origin };
      const url = new URL(world.request().get('redirect_uri') ?? `${APP}/callback`);
      for (const [name, value] of Object.entries({ ...usual, ...answer })) {
        if (value !== undefined) url.searchParams.set(name, value);
      }
      address = url.href;
    },
  };

  server.answer((request, response) => {
    const path = new URL(request.url, origin).pathname;
    const own = world.answers[path];
    if (path === '/token') exchanges.push(request.form);
    if (own) return own(request, response);
    if (path === '/.well-known/openid-configuration') return json(200, world.metadata)(request, response);
    if (path !== '/token') return json(404, {})(request, response);
    const now = Math.floor(Date.now() / 1000);
    const usual = { iss: origin, aud: CLIENT_ID, sub: 'ada', iat: now, exp: now + 60, nonce: nonceOf(world) };
    const tokens = {
      access_token: 'access-1',
      refresh_token: 'refresh-1',
      token_type: 'Bearer',
      expires_in: 60,
      id_token: idToken({ ...usual, ...world.claims }),
    };
    return json(200, { ...tokens, ...world.tokens })(request, response);
  });

  vi.stubGlobal('document', { hasFocus: () => true });
  vi.stubGlobal('location', {
    get href() {
      return address;
    },
    assign: (url: string) => void visited.push(url),
  });
  vi.stubGlobal('history', {
    state: { of: 'the router' },
    replaceState: (_state: unknown, _title: string, url: string) => {
      address = new URL(url, address).href;
    },
  });
  // Its entries are own properties, as in a browser.
  vi.stubGlobal(
    'localStorage',
    new Proxy(
      {
        getItem: (key: string) => kept.get(key) ?? null,
        setItem: (key: string, value: string) => void kept.set(key, value),
        removeItem: (key: string) => void kept.delete(key),
      },
      {
        ownKeys: () => [...kept.keys()],
        getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
      },
    ),
  );
  vi.stubGlobal('navigator', { locks: createLocks() });
  return world;
}

/** The nonce of the newest authorization request, pushed or not. */
function nonceOf(world: LoginWorld): string | null {
  const pushed = world.server.received.findLast(({ url }) => url === '/par');
  return world.request().get('nonce') ?? pushed?.form.get('nonce') ?? null;
}

/** A JWT whose signature nobody looks at: it comes from the token endpoint. */
export function idToken(claims: Record<string, unknown>, alg = 'ES256'): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg })}.${encode(claims)}.c2ln`;
}

/** As much of Web Locks as `ifAvailable` takes. */
function createLocks(): unknown {
  const held = new Set<string>();
  return {
    async request(name: string, _options: object, use: (lock: object | null) => Promise<unknown>) {
      if (held.has(name)) return use(null);
      held.add(name);
      try {
        return await use({ name });
      } finally {
        held.delete(name);
      }
    },
  };
}
