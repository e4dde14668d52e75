// For whatever origin it is asked as, everything: the page, and an authorization server of the kind that hurts. A refresh token is used once; a replay revokes
// its family. It speaks as much of OAuth and OpenID Connect as the peers ask for, and signs ID tokens, since some of them verify them.
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenResponse } from '../contestants/contestant.js';
import type { BuiltPages } from '../../tools/build-pages.js';

export const CLIENT_ID = 'bench';
/** Of an access token, seconds. */
export const LIFE = 3600;

export interface RefreshRequest {
  /** Epoch milliseconds, as everywhere in the benchmarks. */
  readonly receivedAt: number;
  /** Which tab sent it, by its page's address. */
  readonly tab: string;
  outcome: 'open' | 'rotated' | 'invalid_grant';
}

export interface Server {
  readonly port: number;
  /** Refresh requests since the last `forget()`. */
  readonly requests: readonly RefreshRequest[];
  forget(): void;
  /** A new family of tokens, issued by this origin. */
  signIn(origin: string): TokenResponse;
  /** Whether this access token is of a family that lives. */
  accepts(accessToken: string | undefined): boolean;
  /** The network's way in each direction, milliseconds: uniformly distributed between these. */
  latency: readonly [min: number, max: number];
  /** From here on the same ways are drawn again, so that two who send the same requests wait for the same network. */
  redraw(seed: number): void;
  /** While set, requests are received and not answered. */
  hold: boolean;
  /** How far the time of the tabs and of the server is ahead of the clock on the wall. */
  aheadMs: number;
  close(): Promise<void>;
}

interface Family {
  readonly origin: string;
  /** The newest. */
  refreshToken: string;
  revoked: boolean;
}

export const epochNow = (): number => performance.timeOrigin + performance.now();

export async function startServer(page: BuiltPages): Promise<Server> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  /** By every token that it ever had. */
  const families = new Map<string, Family>();
  let requests: RefreshRequest[] = [];

  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const times = (): { iat: number; exp: number } => {
    const iat = Math.floor((Date.now() + server.aheadMs) / 1000);
    return { iat, exp: iat + LIFE };
  };

  function idToken(origin: string): string {
    const header = encode({ alg: 'RS256', typ: 'JWT', kid: 'bench' });
    const claims = encode({
      iss: `${origin}/`,
      aud: CLIENT_ID,
      sub: 'alice',
      nonce: 'bench',
      ...times(),
    });
    const signature = createSign('RSA-SHA256').update(`${header}.${claims}`).sign(privateKey, 'base64url');
    return `${header}.${claims}.${signature}`;
  }

  /** Of a usual size. Nobody but an API verifies it, and there is none. */
  function accessToken(origin: string): string {
    const claims = { iss: `${origin}/`, aud: 'api', sub: 'alice', scope: SCOPE, ...times() };
    const permissions = Array.from({ length: 12 }, (_, i) => `some-resource-${i}:read`);
    return `${encode({ alg: 'RS256', typ: 'at+jwt', kid: 'bench' })}.${encode({ ...claims, permissions })}.${randomBytes(256).toString('base64url')}`;
  }

  function issue(family: Family): TokenResponse {
    family.refreshToken = randomBytes(24).toString('base64url');
    const access_token = accessToken(family.origin);
    families.set(family.refreshToken, family).set(access_token, family);
    return {
      access_token,
      token_type: 'Bearer',
      expires_in: LIFE,
      refresh_token: family.refreshToken,
      id_token: idToken(family.origin),
      scope: SCOPE,
    };
  }

  async function refresh(token: string, tab: string): Promise<[status: number, body: object]> {
    const request: RefreshRequest = { receivedAt: epochNow(), tab, outcome: 'open' };
    requests.push(request);
    await travel();
    while (server.hold) await sleep(5);
    const family = families.get(token);
    if (family && !family.revoked && family.refreshToken === token) {
      request.outcome = 'rotated';
      const tokens = issue(family);
      await travel();
      return [200, { ...tokens, user: USER }];
    }
    if (family) family.revoked = true;
    request.outcome = 'invalid_grant';
    await travel();
    // In the words of OAuth and, beside them, in Supabase's own.
    return [
      400,
      {
        error: 'invalid_grant',
        error_description: 'Used',
        error_code: 'refresh_token_already_used',
        msg: 'Used',
      },
    ];
  }

  let drawn = 0;
  /** In [0, 1), by the generator mulberry32. */
  function random(): number {
    drawn = (drawn + 0x6d2b79f5) | 0;
    let mixed = Math.imul(drawn ^ (drawn >>> 15), drawn | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const travel = async (): Promise<void> => {
    const [min, max] = server.latency;
    if (max > 0) await sleep(min + random() * (max - min));
  };

  async function answer(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
    const origin = `http://${req.headers.host}`;
    const url = new URL(req.url ?? '/', origin);
    const path = url.pathname;
    const send = (status: number, body: object): void => {
      res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      res.end(JSON.stringify(body));
    };
    if (req.method === 'POST' && path.endsWith('/token')) {
      const text = await readText(req);
      const form = text.startsWith('{')
        ? (JSON.parse(text) as Record<string, string>)
        : Object.fromEntries(new URLSearchParams(text));
      const tab = new URL(req.headers.referer ?? origin).searchParams.get('tab') ?? '';
      // Any other grant is a sign-in.
      if (form['refresh_token'] === undefined) return send(200, { ...server.signIn(origin), user: USER });
      return send(...(await refresh(form['refresh_token'], tab)));
    }
    if (path.endsWith('/.well-known/openid-configuration')) return send(200, metadata(origin));
    if (path === '/jwks') {
      return send(200, {
        keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }],
      });
    }
    if (path.endsWith('/user')) return send(200, USER);
    const file = page.get(path === '/' ? '/index.html' : path);
    // Isolated: clocks of five microseconds instead of a hundred.
    res.writeHead(file ? 200 : 404, {
      'content-type': file?.type ?? 'text/plain',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'referrer-policy': 'unsafe-url',
    });
    res.end(file?.body);
  }

  // A connection is never closed under a browser that would then send its request again.
  const listener = http.createServer({ keepAliveTimeout: 600_000 }, (req, res) => {
    answer(req, res).catch((error: unknown) => {
      console.error(error);
      res.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));

  const server: Server = {
    port: (listener.address() as AddressInfo).port,
    get requests() {
      return requests;
    },
    forget: () => void (requests = []),
    signIn: (origin) => issue({ origin, refreshToken: '', revoked: false }),
    accepts: (token) => families.get(token ?? '')?.revoked === false,
    latency: [0, 0],
    redraw: (seed) => void (drawn = seed),
    hold: false,
    aheadMs: 0,
    async close() {
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
  return server;
}

const SCOPE = 'openid profile email offline_access';
const USER = { id: 'alice', aud: 'authenticated', role: 'authenticated', email: 'alice@example.com' };

function metadata(origin: string): object {
  return {
    issuer: `${origin}/`,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    userinfo_endpoint: `${origin}/userinfo`,
    jwks_uri: `${origin}/jwks`,
    end_session_endpoint: `${origin}/logout`,
    revocation_endpoint: `${origin}/revoke`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  };
}

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
