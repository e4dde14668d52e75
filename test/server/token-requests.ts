// Token requests by hand, and an authorization server of a few lines that counts what is spent.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenAnswer, TokenEndpoint, TokenRequest } from '../../demo/server/token-endpoint.js';

let requests = 0;

export function tokenRequest(
  form: Record<string, string>,
  headers: Record<string, string> = {},
  endpoint: TokenRequest['endpoint'] = 'token',
): TokenRequest {
  return {
    id: ++requests,
    endpoint,
    receivedAt: Date.now(),
    headers,
    url: '/token',
    form: new URLSearchParams(form),
    hungUp: new AbortController().signal,
    trace: { faults: [] },
  };
}

/** Members of the form besides those of every refresh, and headers. */
export interface RefreshDetails {
  headers?: Record<string, string>;
  token_version?: string;
  resource?: string;
  client_id?: string;
}

export function refreshRequest(token: string, { headers = {}, ...form }: RefreshDetails = {}): TokenRequest {
  const always = { grant_type: 'refresh_token', client_id: 'test', refresh_token: token };
  return tokenRequest({ ...always, ...form }, headers);
}

export interface StrictServer {
  readonly endpoint: TokenEndpoint;
  /** Refresh tokens that came in, in order. */
  readonly spent: string[];
  /** A login's first refresh token. */
  signIn(): string;
  /** The next answer is this one, and nothing is spent. */
  fail?: TokenAnswer | undefined;
  rotates: boolean;
}

/** Single use; a replay ends everything. */
export function createStrictServer(latencyMs = 5): StrictServer {
  const live = new Set<string>();
  const issue = (): string => {
    const token = randomUUID();
    live.add(token);
    return token;
  };
  const server: StrictServer = {
    spent: [],
    signIn: issue,
    rotates: true,
    async endpoint(request) {
      const token = request.form.get('refresh_token') ?? '';
      await sleep(latencyMs);
      if (server.fail) {
        const answer = server.fail;
        server.fail = undefined;
        return answer;
      }
      if (request.endpoint === 'revocation') {
        live.delete(request.form.get('token') ?? '');
        return json(200, {});
      }
      const exchange = request.form.get('grant_type') === 'authorization_code';
      if (!exchange) {
        server.spent.push(token);
        if (!live.has(token)) {
          live.clear();
          return json(400, { error: 'invalid_grant' });
        }
        if (server.rotates) live.delete(token);
      }
      return json(200, {
        access_token: randomUUID(),
        token_type: 'Bearer',
        expires_in: 60,
        refresh_token: server.rotates || exchange ? issue() : token,
      });
    },
  };
  return server;
}

function json(status: number, body: object): TokenAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

export interface ReadAnswer {
  status: number;
  refresh_token?: unknown;
  [member: string]: unknown;
}

export function read(answer: TokenAnswer): ReadAnswer {
  if ('broken' in answer) throw new Error(`The answer was broken: ${answer.broken}`);
  return { ...(JSON.parse(answer.body) as object), status: answer.status };
}
