// Every token and revocation request as the server saw it: the judge of the tests, and the picture on the lab page.
import { createHash } from 'node:crypto';
import type { TokenEndpointMiddleware, TokenRequest } from './token-endpoint.js';

export interface TokenRequestEntry {
  id: number;
  endpoint: 'token' | 'revocation';
  receivedAt: number;
  /** When the answer left; absent while the request is being worked on, or after the client hung up. */
  answeredAt?: number;
  grantType?: string;
  clientId?: string;
  /** Which refresh token came in: a hash, never the token. */
  spent?: string;
  /** The grant (one sign-in) that the refresh token belongs to, as the authorization server knows it. */
  grant?: string;
  /** The authorization server's decision, even if its answer was lost; `issued` is a new refresh token's hash. */
  readonly decided?: { at: number; status: number; error?: string; issued?: string } | undefined;
  /** The answer to the client. */
  sent?: { status: number; error?: string } | 'reset' | 'hang' | 'client gone';
  /** The answer came from the replay window and nothing was spent. */
  readonly replayed?: true | undefined;
  readonly faults: readonly string[];
  /** Parameters that begin with `x_`: the sender, in its own words. */
  debug: Record<string, string>;
}

export interface TokenEndpointLog {
  /** Oldest first; the same objects as long as the server lives, filled in as a request proceeds. */
  readonly entries: readonly TokenRequestEntry[];
  /** Refresh requests only. */
  refreshes(): TokenRequestEntry[];
  revocations(): TokenRequestEntry[];
  clear(): void;
  /** Called on every change of an entry; returns the way to stop. */
  subscribe(listener: () => void): () => void;
  readonly middleware: TokenEndpointMiddleware;
}

/** Long enough that nobody finds two alike, and of no use to whoever reads a log. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, 16);
}

export function createTokenEndpointLog(
  grantOf: (refreshToken: string) => Promise<string | undefined>,
): TokenEndpointLog {
  let entries: TokenRequestEntry[] = [];
  const listeners = new Set<() => void>();
  const changed = () => {
    for (const listener of listeners) listener();
  };

  return {
    get entries() {
      return entries;
    },
    refreshes: () => entries.filter((entry) => entry.grantType === 'refresh_token'),
    revocations: () => entries.filter((entry) => entry.endpoint === 'revocation'),
    clear() {
      entries = [];
      changed();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    middleware: (next) => async (request) => {
      const entry = describe(request);
      entries.push(entry);
      changed();
      request.hungUp.addEventListener('abort', () => {
        if (entry.answeredAt !== undefined) return;
        entry.sent = 'client gone';
        changed();
      });
      const token = request.form.get('refresh_token') ?? request.form.get('token');
      const grant = token === null ? undefined : await grantOf(token);
      if (grant !== undefined) entry.grant = grant;

      const answer = await next(request);

      if (!request.hungUp.aborted) {
        if (!('broken' in answer && answer.broken === 'hang')) entry.answeredAt = Date.now();
        entry.sent =
          'broken' in answer
            ? answer.broken
            : { status: answer.status, ...errorOf(answer.body, answer.status) };
      }
      changed();
      return answer;
    },
  };
}

function describe(request: TokenRequest): TokenRequestEntry {
  const { form } = request;
  const entry: TokenRequestEntry = {
    id: request.id,
    endpoint: request.endpoint,
    receivedAt: request.receivedAt,
    // Read from the trace when asked, so that a request which still hangs shows what the server has decided already.
    get decided() {
      return request.trace.decided;
    },
    get replayed() {
      return request.trace.replayed;
    },
    faults: request.trace.faults,
    debug: Object.fromEntries([...form].filter(([name]) => name.startsWith('x_'))),
  };
  const grantType = form.get('grant_type');
  if (grantType !== null) entry.grantType = grantType;
  const clientId = form.get('client_id');
  if (clientId !== null) entry.clientId = clientId;
  const token = form.get('refresh_token') ?? form.get('token');
  if (token !== null) entry.spent = hashToken(token);
  return entry;
}

/** The two things a log may know of an answer's body: its error code, and the hash of a refresh token in it. */
export function readDecision(status: number, body: string): { error?: string; issued?: string } {
  const parsed = parseJson(body);
  const issued =
    typeof parsed['refresh_token'] === 'string' ? { issued: hashToken(parsed['refresh_token']) } : {};
  return { ...errorOf(body, status), ...issued };
}

function errorOf(body: string, status: number): { error?: string } {
  if (status < 400) return {};
  const { error } = parseJson(body);
  return typeof error === 'string' ? { error } : {};
}

function parseJson(body: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
