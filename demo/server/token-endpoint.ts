// The token endpoint as a function from request to answer, so that the log, the faults and (later) the remedies are small
// middlewares in front of an authorization server that nobody changed.
import http from 'node:http';

export interface TokenRequest {
  /** Counts up; the name of this request in the log. */
  readonly id: number;
  readonly endpoint: 'token' | 'revocation';
  readonly receivedAt: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly url: string;
  readonly form: URLSearchParams;
  /** Aborts when the client hangs up before it has its answer. */
  readonly hungUp: AbortSignal;
  /** The decision of the layers below; the log reads this. */
  readonly trace: TokenRequestTrace;
}

export interface TokenRequestTrace {
  faults: string[];
  /** Present once the authorization server itself has decided. */
  decided?: { at: number; status: number; error?: string; issued?: string };
  replayed?: true;
}

/** The answer over the wire; `broken` answers are no HTTP at all. */
export type TokenAnswer =
  { status: number; headers: Record<string, string>; body: string } | { broken: 'reset' | 'hang' };

export type TokenEndpoint = (request: TokenRequest) => Promise<TokenAnswer>;

export type TokenEndpointMiddleware = (next: TokenEndpoint) => TokenEndpoint;

/** The first one is the outermost. */
export function stack(endpoint: TokenEndpoint, ...middlewares: TokenEndpointMiddleware[]): TokenEndpoint {
  return middlewares.reduceRight((next, middleware) => middleware(next), endpoint);
}

export interface TokenEndpointHandlerOptions {
  isAllowedOrigin(origin: string): boolean;
  /**
   * Browsers silently re-send a POST when a warm keep-alive socket is reset before the answer: one `fetch()`, two token requests.
   * Without keep-alive one fetch is one request, which is what a test that counts requests needs.
   */
  keepAlive: boolean;
}

export function createTokenEndpointHandler(endpoint: TokenEndpoint, options: TokenEndpointHandlerOptions) {
  let requests = 0;

  return async (
    kind: TokenRequest['endpoint'],
    req: http.IncomingMessage,
    res: http.ServerResponse,
  ): Promise<void> => {
    const receivedAt = Date.now();
    const gone = new AbortController();
    res.once('close', () => {
      if (!res.writableFinished) gone.abort();
    });
    const answer = await endpoint({
      id: ++requests,
      endpoint: kind,
      receivedAt,
      headers: req.headers,
      url: req.url ?? '/',
      form: new URLSearchParams(await readText(req)),
      hungUp: gone.signal,
      trace: { faults: [] },
    });
    if ('broken' in answer) {
      if (answer.broken === 'reset') req.socket.resetAndDestroy();
      return; // 'hang': the socket stays open until the client or the server as a whole gives up
    }
    if (res.destroyed) return;
    const { origin } = req.headers;
    res.writeHead(answer.status, {
      'cache-control': 'no-store',
      ...answer.headers,
      ...(origin !== undefined && options.isAllowedOrigin(origin) ? corsHeaders(origin) : {}),
      ...(options.keepAlive ? {} : { connection: 'close' }),
    });
    res.end(answer.body);
  };
}

function corsHeaders(origin: string): Record<string, string> {
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'Retry-After, WWW-Authenticate, DPoP-Nonce',
    vary: 'Origin',
  };
}

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Hands the request to the authorization server, which listens on a loopback port of its own. */
export function forwardTo(
  port: number,
  readDecision: (status: number, body: string) => { error?: string; issued?: string },
): TokenEndpoint {
  return async (request) => {
    const answer = await post(port, request);
    const decision = { at: Date.now(), status: answer.status, ...readDecision(answer.status, answer.body) };
    request.trace.decided = decision;
    return answer;
  };
}

function post(
  port: number,
  request: TokenRequest,
): Promise<{ status: number; headers: Record<string, string>; body: string }> {
  const body = request.form.toString();
  // The Host header stays the client's, since the provider builds its own URLs (and checks a DPoP proof's `htu`) from it.
  const headers: http.OutgoingHttpHeaders = { ...request.headers, 'content-length': Buffer.byteLength(body) };
  delete headers['connection'];
  delete headers['transfer-encoding'];
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      { host: '127.0.0.1', port, path: request.url, method: 'POST', headers },
      (incoming) => {
        readText(incoming).then((text) => {
          resolve({
            status: incoming.statusCode ?? 502,
            headers: endToEndHeaders(incoming.headers),
            body: text,
          });
        }, reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date']);

function endToEndHeaders(headers: http.IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name)) kept[name] = String(value);
  }
  return kept;
}

/**
 * A refresh token is consumed by one request at a time. oidc-provider reads and consumes in two steps, so that two requests in the same
 * millisecond could both succeed; a server on a real database would not let them.
 */
export function oneAtATime(): TokenEndpointMiddleware {
  const tails = new Map<string, Promise<unknown>>();
  return (next) => async (request) => {
    const key = request.form.get('refresh_token');
    if (key === null) return next(request);
    const before = tails.get(key) ?? Promise.resolve();
    const turn = before.then(
      () => next(request),
      () => next(request),
    );
    tails.set(key, turn);
    try {
      return await turn;
    } finally {
      if (tails.get(key) === turn) tails.delete(key);
    }
  };
}
