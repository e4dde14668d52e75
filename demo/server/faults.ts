// Programmable faults in front of the token endpoint: faults of networks, proxies and overloaded servers, on demand and repeatable.
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenAnswer, TokenEndpointMiddleware, TokenRequest } from './token-endpoint.js';

/** The client's answer in place of the real one. */
export type Breakage =
  | 'reset'
  | 'hang'
  | 'html'
  | 'no-access-token'
  | { status: number; headers?: Record<string, string>; body?: string | Record<string, unknown> };

export interface FaultRule {
  /** Which requests it concerns (default: refreshes only). */
  grantType?: 'refresh_token' | 'authorization_code' | 'any';
  /** Lets this many matching requests through first (default 0). */
  skip?: number;
  /** How many requests it then hits (default 1). */
  times?: number | 'always';
  /** Waits before the authorization server sees the request. */
  delayMs?: number;
  /** The authorization server never sees the request: nothing is spent. */
  instead?: Breakage;
  /** The authorization server has decided (and rotated); the answer travels this long. */
  answerDelayMs?: number;
  /** The authorization server has decided (and rotated); the client gets this. */
  afterwards?: Breakage;
  /** Members of a successful answer to replace, or with `null` to leave out. */
  patch?: Record<string, string | number | null>;
}

/** A request that stands still until the test says how it goes on. */
export interface HeldRequest {
  /** The first request that arrived at the gate. */
  readonly arrived: Promise<TokenRequest>;
  /** Lets it go on as if nothing had happened, also when the client has gone meanwhile. */
  release(): void;
  /** From `before`: it never reaches the server. From `after`: the answer is lost on its way. */
  drop(): void;
}

export interface Faults {
  add(rule: FaultRule): void;
  /** Holds the next refresh before the authorization server sees it, or after it has decided. */
  hold(where: 'before' | 'after'): HeldRequest;
  clear(): void;
  readonly middleware: TokenEndpointMiddleware;
}

type Gate = (request: TokenRequest) => Promise<'go' | 'drop'>;
type ActiveRule = FaultRule & { before?: Gate; after?: Gate; seen: number };

export function createFaults(): Faults {
  let rules: ActiveRule[] = [];

  return {
    add(rule) {
      rules.push({ ...rule, seen: 0 });
    },
    hold(where) {
      const { gate, held } = createGate();
      rules.push({ [where]: gate, seen: 0 });
      return held;
    },
    clear() {
      rules = [];
    },
    middleware: (next) => async (request) => {
      const hits = rules.filter((rule) => strikes(rule, request));
      const note = (what: string) => request.trace.faults.push(what);

      for (const rule of hits) {
        if (rule.delayMs !== undefined) {
          note(`delayed ${rule.delayMs} ms`);
          await sleep(rule.delayMs);
        }
        if (rule.before !== undefined) {
          note('held before the server');
          if ((await rule.before(request)) === 'drop') return { broken: 'reset' };
        }
        if (rule.instead !== undefined) {
          note(`instead: ${nameOf(rule.instead)}`);
          return breakage(rule.instead, undefined);
        }
      }

      let answer = await next(request);

      for (const rule of hits) {
        if (rule.patch !== undefined) answer = patched(answer, rule.patch);
        if (rule.answerDelayMs !== undefined) {
          note(`answer delayed ${rule.answerDelayMs} ms`);
          await sleep(rule.answerDelayMs);
        }
        if (rule.after !== undefined) {
          note('answer held');
          if ((await rule.after(request)) === 'drop') return { broken: 'reset' };
        }
        if (rule.afterwards !== undefined) {
          note(`afterwards: ${nameOf(rule.afterwards)}`);
          answer = breakage(rule.afterwards, answer);
        }
      }
      return answer;
    },
  };
}

/** Whether this rule hits this request; counts the request as seen if it concerns it at all. */
function strikes(rule: ActiveRule, request: TokenRequest): boolean {
  const grantType = rule.grantType ?? 'refresh_token';
  if (request.endpoint !== 'token') return false;
  if (grantType !== 'any' && request.form.get('grant_type') !== grantType) return false;
  const position = rule.seen++ - (rule.skip ?? 0);
  const times = rule.times ?? 1;
  return position >= 0 && (times === 'always' || position < times);
}

function createGate(): { gate: Gate; held: HeldRequest } {
  let arrive!: (request: TokenRequest) => void;
  let decide!: (decision: 'go' | 'drop') => void;
  const arrived = new Promise<TokenRequest>((resolve) => (arrive = resolve));
  const decision = new Promise<'go' | 'drop'>((resolve) => (decide = resolve));
  return {
    gate: (request) => {
      arrive(request);
      return decision;
    },
    held: { arrived, release: () => decide('go'), drop: () => decide('drop') },
  };
}

const HTML = '<!doctype html><title>Please wait</title><h1>We will be back in a minute</h1>';

function breakage(kind: Breakage, real: TokenAnswer | undefined): TokenAnswer {
  if (kind === 'reset' || kind === 'hang') return { broken: kind };
  if (kind === 'html') return { status: 200, headers: { 'content-type': 'text/html' }, body: HTML };
  if (kind === 'no-access-token') {
    return patched(real ?? json(200, { token_type: 'Bearer', expires_in: 60 }), { access_token: null });
  }
  const { status, headers, body } = kind;
  if (typeof body === 'string')
    return { status, headers: { 'content-type': 'text/plain', ...headers }, body };
  return json(status, body ?? {}, headers);
}

function json(
  status: number,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): TokenAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

function patched(answer: TokenAnswer, patch: Record<string, string | number | null>): TokenAnswer {
  if ('broken' in answer || answer.status !== 200) return answer;
  const body = JSON.parse(answer.body) as Record<string, unknown>;
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete body[name];
    else body[name] = value;
  }
  return { ...answer, body: JSON.stringify(body) };
}

function nameOf(kind: Breakage): string {
  return typeof kind === 'string' ? kind : String(kind.status);
}
