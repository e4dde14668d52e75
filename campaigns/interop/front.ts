// The front of each server: counts its token requests, may lose an answer, and may have our middleware in between.
import http from 'node:http';
import type { TokenMiddleware } from 'one-refresh/server';
import { close, listen, toRequest, writeResponse, type Handler } from '../../test/interop/http.js';

/** One refresh, as it came in. */
export interface Refresh {
  readonly spent: string;
  /** Absent until it is answered. */
  status?: number;
  error?: string | undefined;
  /** The new refresh token. */
  issued?: string | undefined;
}

export interface Front {
  readonly origin: string;
  /** Every refresh of the tabs so far. */
  readonly refreshes: Refresh[];
  /** The refresh token that the tabs were given last. */
  readonly newest: () => string;
  /** Resolves when the next revocation of a tab has been answered. */
  nextRevocation(): Promise<void>;
  /** How many refreshes have reached the server behind. */
  readonly reached: () => number;
  /** A server that issues no token of so short a life says so from now on all the same: its `expires_in` is replaced. */
  shorten(seconds: number): void;
  /** The next refresh reaches the server, and its answer nobody. */
  loseNextAnswer(): void;
  /** Puts a middleware in between from now on, or none. */
  guard(middleware: TokenMiddleware | undefined): void;
  close(): Promise<void>;
}

/** A header of requests that no tab has sent. */
export const OUTSIDE = 'x-outside';

export async function startFront(serverPort: number): Promise<Front> {
  const refreshes: Refresh[] = [];
  const onRevocation: (() => void)[] = [];
  let newest = '';
  let reached = 0;
  let losing = false;
  let life: number | undefined;

  const forward: Handler = async (request) => {
    const body = Buffer.from(await request.arrayBuffer());
    if (new URLSearchParams(body.toString()).get('grant_type') === 'refresh_token') reached++;
    return forwardTo(serverPort, request, body);
  };
  let handler: Handler = forward;

  async function answer(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
    // A browser sends a POST again by itself if a connection that it had kept is reset.
    res.setHeader('connection', 'close');
    const request = await toRequest(req);
    const form = new URLSearchParams(request.method === 'POST' ? await request.clone().text() : '');
    const outside = request.headers.has(OUTSIDE);
    const spent = !outside && form.get('grant_type') === 'refresh_token' && form.get('refresh_token');
    const refresh: Refresh | undefined = spent ? { spent } : undefined;
    if (refresh) refreshes.push(refresh);
    let response = await handler(request);
    const answer = form.has('grant_type') ? await readJson(response) : {};
    const { error, refresh_token: issued } = answer;
    if (life !== undefined && issued !== undefined) {
      response = Response.json({ ...answer, expires_in: life }, response);
    }
    if (refresh) Object.assign(refresh, { status: response.status, error, issued });
    if (refresh && losing) {
      losing = false;
      res.destroy();
      return;
    }
    if (!outside && issued !== undefined) newest = issued;
    await writeResponse(res, response);
    if (!outside && form.has('token')) for (const resolve of onRevocation.splice(0)) resolve();
  }

  const { server, port } = await listen((req, res) => {
    answer(req, res).catch(() => res.destroy());
  });
  return {
    origin: `http://127.0.0.1:${port}`,
    refreshes,
    newest: () => newest,
    reached: () => reached,
    nextRevocation: () => new Promise((resolve) => onRevocation.push(resolve)),
    shorten: (seconds) => (life = seconds),
    loseNextAnswer: () => (losing = true),
    guard: (middleware) => (handler = middleware?.(forward) ?? forward),
    close: () => close(server),
  };
}

/** Under the name that the client used, as a reverse proxy does. */
function forwardTo(port: number, request: Request, body: Buffer<ArrayBuffer>): Promise<Response> {
  const { pathname, search, host } = new URL(request.url);
  const headers = {
    ...Object.fromEntries(request.headers),
    host,
    'content-length': String(body.length),
    'accept-encoding': 'identity',
  };
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path: pathname + search, method: request.method, headers };
    http
      .request({ ...options, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => resolve(asResponse(answer, Buffer.concat(chunks))));
      })
      .on('error', reject)
      .end(body);
  });
}

/** Headers between two hops only are not handed on (RFC 9110 §7.6.1). */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

function asResponse(
  { statusCode = 502, rawHeaders }: http.IncomingMessage,
  body: Buffer<ArrayBuffer>,
): Response {
  const headers = new Headers();
  for (let n = 0; n < rawHeaders.length; n += 2) {
    if (!HOP.has(rawHeaders[n]!.toLowerCase())) headers.append(rawHeaders[n]!, rawHeaders[n + 1]!);
  }
  return new Response([101, 204, 205, 304].includes(statusCode) ? null : body, {
    status: statusCode,
    headers,
  });
}

async function readJson(response: Response): Promise<{ error?: string; refresh_token?: string }> {
  try {
    return (await response.clone().json()) as object;
  } catch {
    return {};
  }
}
