// The whole demo in one process: an authorization server, a protected API, and the pages. The tests start the same server with pages of
// their own.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApi } from './api.js';
import { createApiLog, type ApiLog } from './api-log.js';
import { API_SCOPE, createAuthorizationServer } from './authorization-server.js';
import { createFaults, type Faults } from './faults.js';
import { idempotentReplay } from './idempotent-replay.js';
import { createLabRoutes } from './lab-routes.js';
import type { DemoConfig, ServerSettings } from './settings.js';
import { createLogins } from './logins.js';
import { createRemedies } from './remedies.js';
import {
  authorizeWithoutPage,
  exchangeCode,
  type CodeGrant,
  type TokenResponse,
} from './sign-in-without-page.js';
import {
  createTokenEndpointHandler,
  forwardTo,
  oneAtATime,
  stack,
  type TokenEndpointMiddleware,
} from './token-endpoint.js';
import { createTokenEndpointLog, readDecision, type TokenEndpointLog } from './token-endpoint-log.js';

export type Handler = (req: http.IncomingMessage, res: http.ServerResponse) => void | Promise<void>;

/** Serves everything that is not the API; gets the server that it is a part of, for a dev server's web socket. */
export type PagesFactory = (server: http.Server) => Promise<{ handle: Handler; close(): Promise<void> }>;

export interface DemoServerOptions {
  pages: PagesFactory;
  /** Where the pages are served (default: a free port). */
  port?: number;
  /** Life of an access token, seconds (default 30). */
  accessTokenTtl?: number;
  /** How long a replayed refresh token is forgiven, milliseconds (default 0: never). */
  forgiveReplayForMs?: number;
  /** How long the session table answers a duplicate again, milliseconds (default 0: no session table). */
  sessionTableMs?: number;
  /** Whether outdated token versions are refused (default false). */
  versionCheck?: boolean;
  /** The way between the pages and the token endpoint, outside everything else (default: a loopback connection, as it is). */
  network?: TokenEndpointMiddleware;
  /** Further APIs, `/api/<name>/me`, each an audience of its own (RFC 8707); default: none. */
  furtherApis?: readonly string[];
  /** Whether DPoP proofs must carry nonces, the authorization server's and the API's; default: a client with DPoP may go without. */
  dpop?: 'optional' | 'required-nonce';
  /** Whether authorization requests must be pushed (RFC 9126); default: they may be. */
  par?: 'optional' | 'required';
  /** Whether refresh tokens are used once (default true); those bound to a key (DPoP) need not be (RFC 9700 §4.14.2). */
  rotate?: boolean;
  /** Further origins that may ask the authorization server, beside the pages' own (default: none). */
  alsoAllowOrigin?: (origin: string) => boolean;
  /** Whether the authorization server keeps connections open (default true); see TokenEndpointHandlerOptions. */
  keepAlive?: boolean;
}

export interface DemoServer {
  /** The pages' origin. */
  readonly url: string;
  readonly config: DemoConfig;
  readonly log: TokenEndpointLog;
  readonly faults: Faults;
  /** Read at every request, so a change works at once. */
  readonly settings: ServerSettings;
  readonly api: ApiLog;
  /** A token response as the code exchange gives it, without a browser. */
  signIn(user: string): Promise<TokenResponse>;
  /** An authorization code, for a page that exchanges it itself. */
  authorize(user: string): Promise<CodeGrant>;
  /** The API wants another nonce from now on. */
  renewApiNonce(): void;
  close(): Promise<void>;
}

const CLIENT_ID = 'one-refresh-demo';

export async function startDemoServer(options: DemoServerOptions): Promise<DemoServer> {
  const settings: ServerSettings = {
    accessTokenTtl: options.accessTokenTtl ?? 30,
    forgiveReplayForMs: options.forgiveReplayForMs ?? 0,
    sessionTableMs: options.sessionTableMs ?? 0,
    versionCheck: options.versionCheck ?? false,
  };
  const remedies = createRemedies(settings);

  // Both must listen before either can be set up: each has the other's address in its configuration.
  let pageHandler: Handler = notReady;
  let issuerHandler: Handler = notReady;
  const isOwnHost = (host: string): boolean =>
    /^(?:127\.0\.0\.1|\[::1\]|(?:[\w-]+\.)*localhost)(?::\d+)?$/.test(host) ||
    options.alsoAllowOrigin?.(`http://${host}`) === true;
  const pageServer = await listen((req, res) => pageHandler(req, res), options.port ?? 0, isOwnHost);
  const issuerServer = await listen((req, res) => issuerHandler(req, res), 0, isOwnHost);
  const pagePort = (pageServer.address() as AddressInfo).port;
  const url = `http://127.0.0.1:${pagePort}`;
  const pageOrigins = [url, `http://localhost:${pagePort}`];
  const issuer = `http://127.0.0.1:${(issuerServer.address() as AddressInfo).port}`;
  const isAllowedOrigin = (origin: string): boolean =>
    pageOrigins.includes(origin) || options.alsoAllowOrigin?.(origin) === true;
  const resource = `${url}/api`;
  const furtherResources = (options.furtherApis ?? []).map((name) => `${resource}/${name}`);
  const requireNonce = options.dpop === 'required-nonce';
  const config: DemoConfig = {
    issuer,
    clientId: CLIENT_ID,
    resource,
    furtherResources,
    scope: `openid offline_access ${API_SCOPE}`,
  };

  const authorizationServer = await createAuthorizationServer({
    issuer,
    clientId: CLIENT_ID,
    pageOrigins,
    isAllowedOrigin,
    resources: [resource, ...furtherResources],
    accessTokenTtl: () => settings.accessTokenTtl,
    requireNonce,
    requirePushed: options.par === 'required',
    rotate: options.rotate ?? true,
  });
  const log = createTokenEndpointLog((token) => authorizationServer.grantOf(token));
  const faults = createFaults();
  const handleTokenRequest = createTokenEndpointHandler(
    stack(
      forwardTo(authorizationServer.port, readDecision),
      ...(options.network === undefined ? [] : [options.network]),
      log.middleware,
      faults.middleware,
      ...remedies.middlewares,
      oneAtATime(),
      idempotentReplay(() => settings.forgiveReplayForMs),
    ),
    {
      isAllowedOrigin,
      keepAlive: options.keepAlive ?? true,
    },
  );
  issuerHandler = (req, res) => {
    if (options.keepAlive === false) res.setHeader('connection', 'close');
    if (req.method === 'POST' && req.url === '/token') return handleTokenRequest('token', req, res);
    if (req.method === 'POST' && req.url === '/token/revocation')
      return handleTokenRequest('revocation', req, res);
    return authorizationServer.handle(req, res);
  };

  const apiLog = createApiLog();
  let apiNonce: string = crypto.randomUUID();
  const nonce = requireNonce ? () => apiNonce : undefined;
  const apis = new Map(
    [resource, ...furtherResources].map((audience) => [
      `${new URL(audience).pathname}/me`,
      createApi({ issuer, audience, log: apiLog, nonce }),
    ]),
  );
  const logins = createLogins(async () => exchangeCode(await authorize('alice')));
  const lab = createLabRoutes({ config, log, faults, settings, logins });
  const pages = await options.pages(pageServer);
  pageHandler = (req, res) => {
    const { pathname } = new URL(req.url ?? '/', url);
    return apis.get(pathname)?.(req, res) ?? lab(pathname, req, res) ?? pages.handle(req, res);
  };

  const authorize = (user: string): Promise<CodeGrant> =>
    authorizeWithoutPage({
      issuer,
      clientId: CLIENT_ID,
      redirectUri: `${url}/callback`,
      scope: config.scope,
      resources: [resource, ...furtherResources],
      user,
    });

  return {
    url,
    config,
    log,
    faults,
    settings,
    api: apiLog,
    authorize,
    signIn: async (user) => exchangeCode(await authorize(user)),
    renewApiNonce() {
      apiNonce = crypto.randomUUID();
    },
    async close() {
      await pages.close();
      await Promise.all([stop(pageServer), stop(issuerServer), authorizationServer.close()]);
      await remedies.close();
    },
  };
}

function notReady(_req: http.IncomingMessage, res: http.ServerResponse): void {
  res.writeHead(503, { 'retry-after': '1' }).end();
}

async function listen(
  handler: Handler,
  port: number,
  isOwnHost: (host: string) => boolean,
): Promise<http.Server> {
  const server = http.createServer((req, res) => {
    // A page of another name that has this address (DNS rebinding) would be of the same origin as what it is answered.
    if (!isOwnHost(req.headers.host ?? '')) {
      res.writeHead(421).end();
      return;
    }
    // Also for a synchronous throw: `//` is no URL, and would end the process.
    (async () => handler(req, res))().catch((error: unknown) => {
      console.error(error);
      if (!res.headersSent) res.writeHead(500);
      res.end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

async function stop(server: http.Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
