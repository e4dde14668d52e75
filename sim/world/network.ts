import {
  RefreshRejectedError,
  RefreshConflictError,
  RefreshUnavailableError,
} from '../../src/core/errors.js';
import { audienceKey } from '../../src/core/record.js';
import type { TokenResponse } from '../../src/core/types.js';
import type { RefreshRequest } from '../../src/types.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';
import { idTokenOf, type Server, type ServerAnswer } from './server.js';
import type { Tab } from './tab.js';

/**
 * The faults of one request. `…-request`: before the server saw it; `…-answer`: after it acted. `duplicate`:
 * the browser sent it twice, silently, and the page has the second answer.
 */
export type RequestFault =
  | 'lost-request'
  | 'lost-answer'
  | 'hung-request'
  | 'hung-answer'
  | 'slow-request'
  | 'slow-answer'
  | 'error-request'
  | 'error-answer'
  | 'rate-limited'
  | 'oauth-error'
  | 'html'
  /** 400 without a body, of a firewall say. */
  | 'empty-request'
  | 'unusable-answer'
  /** A cache on the way gives the answer to somebody else's request. */
  | 'foreign-answer'
  /** Tokens of another type than the session's. */
  | 'other-type'
  | 'duplicate';

/** One request, as nobody in the simulated world but the checker sees it: whole. */
export interface Exchange {
  readonly number: number;
  readonly tab: Tab;
  readonly request: RefreshRequest;
  /** When its client was asked for it; the deadline counts from then. */
  readonly begunAt: number;
  readonly sentAt: number;
  readonly fault: RequestFault | undefined;
  /** The server's answer, if the request arrived. */
  answer: ServerAnswer | undefined;
  /** Tokens that the server gave in answers that nobody will ever read. */
  unread: TokenResponse[];
  /** The page's own view of the answer. */
  outcome:
    | 'tokens'
    | 'foreign'
    | 'lost'
    | 'conflict'
    | 'wordless'
    | 'unavailable'
    | 'rejected'
    | 'unheard'
    | undefined;
  heardAt: number | undefined;
}

export interface NetworkHooks {
  readonly fault: (tab: Tab) => RequestFault | undefined;
  /** The server refuses a dead token with an empty 400. */
  readonly isWordless: boolean;
  /** Whether anybody is left in this page who listens; a coordinator that was closed does so for a while. */
  readonly listens: (tab: Tab) => boolean;
  readonly sent: (exchange: Exchange) => void;
  readonly heard: (exchange: Exchange) => void;
}

export interface Network {
  readonly send: (tab: Tab, request: RefreshRequest, begunAt: number) => Promise<TokenResponse>;
  readonly exchanges: () => readonly Exchange[];
  /** The page has gone: a request still on its way may never reach the server. */
  readonly orphan: (tab: Tab) => void;
}

/** When a browser gives up on a request; milliseconds. */
const GIVE_UP_MS = 120_000;

export function createNetwork(
  { now, at, settling }: Scheduler,
  random: Random,
  serverOf: (tab: Tab) => Server,
  timeoutMs: number,
  hooks: NetworkHooks,
): Network {
  const exchanges: Exchange[] = [];
  const cancelled = new Set<Exchange>();

  function send(tab: Tab, request: RefreshRequest, begunAt: number): Promise<TokenResponse> {
    const server = serverOf(tab);
    const fault = hooks.fault(tab);
    const exchange: Exchange = {
      number: exchanges.length + 1,
      tab,
      request,
      begunAt,
      sentAt: now(),
      fault,
      answer: undefined,
      unread: [],
      outcome: undefined,
      heardAt: undefined,
    };
    exchanges.push(exchange);
    hooks.sent(exchange);
    return new Promise((resolve, reject) => {
      const hear = (outcome: NonNullable<Exchange['outcome']>, settle: () => void, delay: number): void => {
        at(delay, () =>
          tab.run(() => {
            exchange.outcome = hooks.listens(tab) ? outcome : 'unheard';
            exchange.heardAt = now();
            hooks.heard(exchange);
            settle();
            settling();
          }),
        );
      };
      const fail = (error: Error, delay: number): void => {
        const outcome = error instanceof RefreshRejectedError ? 'rejected' : 'unavailable';
        hear(outcome, () => reject(error), delay);
      };
      const refuse = (delay: number): void =>
        hear('wordless', () => reject(new RefreshUnavailableError({ status: 400 })), delay);
      const way = (): number => random.spread(5, 200);
      const slow = (): number => random.spread(timeoutMs * 0.3, timeoutMs * 3);

      switch (fault) {
        case 'lost-request':
          return fail(new TypeError('Failed to fetch'), random.spread(1, 2_000));
        case 'hung-request':
          return fail(new TypeError('Failed to fetch'), GIVE_UP_MS);
        case 'error-request':
          return fail(new RefreshUnavailableError({ status: 503 }), way());
        case 'rate-limited': {
          const retryAfterMs = random.chance(0.5) ? random.int(1, 60) * 1000 : undefined;
          return fail(new RefreshUnavailableError({ status: 429, retryAfterMs }), way());
        }
        case 'oauth-error': {
          const error = random.pick(['invalid_client', 'temporarily_unavailable', 'unauthorized_client']);
          return fail(new RefreshRejectedError({ error, status: 400 }), way());
        }
        case 'html':
          return fail(new RefreshUnavailableError({ status: 404 }), way());
        case 'empty-request':
          return refuse(way());
        default:
      }

      at(fault === 'slow-request' ? slow() : way(), () => {
        if (cancelled.has(exchange)) return;
        const { refreshToken = '', version, idempotencyKey } = request;
        const seen = { refreshToken, version, idempotencyKey, audience: audienceKey(request) };
        if (fault === 'duplicate') {
          const first = server.handle(seen);
          if (first.kind === 'tokens') exchange.unread.push(first.tokens);
        }
        const answer = (exchange.answer = server.handle(seen));
        const delay = fault === 'slow-answer' ? slow() : way();
        switch (fault) {
          case 'lost-answer':
            return fail(new TypeError('Failed to fetch'), delay);
          case 'hung-answer':
            return fail(new TypeError('Failed to fetch'), GIVE_UP_MS);
          case 'error-answer':
            return fail(new RefreshUnavailableError({ status: 502 }), delay);
          case 'unusable-answer':
            return hear('unavailable', () => resolve({} as TokenResponse), delay);
          default:
        }
        if (answer.kind === 'tokens' && fault === 'foreign-answer')
          return hear('foreign', () => resolve(tokensOfAnother(exchange.number)), delay);
        if (answer.kind === 'tokens' && fault === 'other-type')
          return hear('tokens', () => resolve({ ...answer.tokens, token_type: 'N_A' }), delay);
        if (answer.kind === 'tokens') return hear('tokens', () => resolve(answer.tokens), delay);
        if (answer.kind === 'lost' && hooks.isWordless) return refuse(delay);
        const error =
          answer.kind === 'lost'
            ? new RefreshRejectedError({ error: 'invalid_grant', status: 400 })
            : new RefreshConflictError({ currentVersion: answer.version });
        hear(answer.kind, () => reject(error), delay);
      });
    });
  }

  return {
    send,
    exchanges: () => exchanges,
    orphan(tab) {
      for (const exchange of exchanges) {
        if (exchange.tab === tab && !exchange.answer && random.chance(0.5)) cancelled.add(exchange);
      }
    },
  };
}

function tokensOfAnother(number: number): TokenResponse {
  return {
    access_token: `x/a${number}@`,
    refresh_token: `x/r${number}`,
    id_token: idTokenOf('x'),
    expires_in: 600,
  };
}
