// An authorization server of a few lines: refresh tokens are used once, a replay ends everything, and what is spent is counted.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenHandler } from 'one-refresh/server';

export interface StrictEndpoint {
  readonly handler: TokenHandler;
  /** Refresh tokens that came in, in order. */
  readonly spent: string[];
  /** A login's first refresh token. */
  signIn(): string;
  /** Answers the next request in place of the server; nothing is spent. */
  instead?: TokenHandler | undefined;
  /** Called when the server has decided, before it answers. */
  decided?: (() => Promise<void> | void) | undefined;
  rotates: boolean;
  /** Headers of every successful answer. */
  headers: Record<string, string>;
}

export function createStrictEndpoint(latencyMs = 2): StrictEndpoint {
  const live = new Set<string>();
  const issue = (): string => {
    const token = randomUUID();
    live.add(token);
    return token;
  };
  const endpoint: StrictEndpoint = {
    spent: [],
    signIn: issue,
    rotates: true,
    headers: {},
    async handler(request) {
      const form = new URLSearchParams(await request.clone().text());
      if (latencyMs > 0) await sleep(latencyMs);
      const { instead } = endpoint;
      endpoint.instead = undefined;
      if (instead) return instead(request);
      if (!form.has('grant_type')) {
        live.delete(form.get('token') ?? '');
        return new Response(null);
      }
      const token = form.get('refresh_token') ?? '';
      const refresh = form.get('grant_type') === 'refresh_token';
      if (refresh) {
        endpoint.spent.push(token);
        if (!live.has(token)) {
          live.clear();
          return Response.json({ error: 'invalid_grant' }, { status: 400 });
        }
        if (endpoint.rotates) live.delete(token);
      }
      const tokens = {
        access_token: randomUUID(),
        token_type: 'Bearer',
        expires_in: 60,
        refresh_token: endpoint.rotates || !refresh ? issue() : token,
      };
      await endpoint.decided?.();
      return Response.json(tokens, { headers: endpoint.headers });
    },
  };
  return endpoint;
}

/** Headers, and form parameters besides those of every refresh. */
export interface RefreshDetails {
  headers?: Record<string, string>;
  form?: Record<string, string>;
}

export function tokenRequest(
  form: Record<string, string> | string,
  headers: Record<string, string> = {},
): Request {
  return new Request('https://issuer.example/token', {
    method: 'POST',
    headers,
    body: new URLSearchParams(form),
  });
}

export function refreshRequest(token: string, { headers, form }: RefreshDetails = {}): Request {
  const always = { grant_type: 'refresh_token', client_id: 'test', refresh_token: token };
  return tokenRequest({ ...always, ...form }, headers);
}

export interface ReadAnswer {
  status: number;
  refresh_token?: unknown;
  [member: string]: unknown;
}

export async function read(answer: Response | Promise<Response>): Promise<ReadAnswer> {
  const received = await answer;
  return { ...((await received.json()) as object), status: received.status };
}

export const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
