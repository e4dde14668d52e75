/**
 * Remedy: server session management. A table of logins stands in front of a token endpoint that nobody changed.
 *
 *     tab A ── R1 ──▶ claims R1 ──▶ authorization server: (A2, R2) ──▶ table: session has R2; R1's answer sealed, 10 s
 *     tab B ── R1 ──▶ claimed: waits ────────────────────────────────▶ the same (A2, R2), nothing is spent
 *     later ── R1 ──▶ not in the table any more ──▶ authorization server: invalid_grant, and its own replay detection
 *
 * Who gets the answer again: the same holder, known by its DPoP key (RFC 9449) or its idempotency key. Another holder of the same
 * refresh token hears of a conflict, 409: it should look for the pair that its neighbour has. Requests with neither key are served under a
 * weaker rule (`withoutKey`): with 'replay', whoever presents the spent token within the window gets the pair, so a thief who is quick gets
 * it too. That is what the "leeway" or "reuse interval" of commercial servers means; 'conflict' is for those who would rather not.
 *
 * For public clients: a confidential one has to be authenticated before it is answered from here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { aged } from './idempotent-replay.js';
import { jsonAnswer, readIssuedTokens, versionConflict, type IssuedTokens } from './issued-tokens.js';
import { askedBy, holderOf } from './requester.js';
import { seal, unseal } from './sealed-answer.js';
import { hash, type SessionStore, type SpentToken } from './session-store.js';
import type { TokenAnswer, TokenEndpoint, TokenEndpointMiddleware, TokenRequest } from './token-endpoint.js';

export interface SessionTableOptions {
  /** Opened by the first request that needs it. */
  store: () => SessionStore;
  /** How long an answer is given again, milliseconds, at most {@link LONGEST_WINDOW_MS}; read at every request, 0 switches the table off. */
  windowMs: () => number;
  /** What duplicates get that prove nothing of themselves (default 'replay', the weaker mode). */
  withoutKey?: 'replay' | 'conflict';
}

/** Longer than that is no duplicate of a race any more, and a pair should not lie around. */
const LONGEST_WINDOW_MS = 10_000;
/** A claim without an answer after that long belongs to a process that died. Longer than any answer of the authorization server takes. */
const CLAIM_LIVES_MS = 30_000;
/** How often a duplicate looks whether its answer is there, when the claim is another process's. */
const LOOK_AGAIN_MS = 10;

export function sessionTable(options: SessionTableOptions): TokenEndpointMiddleware {
  const windowMs = () => Math.min(options.windowMs(), LONGEST_WINDOW_MS);
  /** The claims of this process. */
  const underWay = new Map<string, Promise<unknown>>();

  const isOver = ({ answer, spent_at }: SpentToken) =>
    Date.now() - spent_at > (answer ? windowMs() : CLAIM_LIVES_MS);
  const sweep = (store: SessionStore) => store.sweep(Date.now() - windowMs(), Date.now() - CLAIM_LIVES_MS);

  async function refresh(request: TokenRequest, token: string, next: TokenEndpoint): Promise<TokenAnswer> {
    const store = options.store();
    const key = hash(token);
    const me = { holder: await holderOf(request), asked: askedBy(request) };
    for (;;) {
      const spent = store.spent(key);
      if (spent === undefined || isOver(spent)) {
        sweep(store);
        if (store.sessionOf(key)?.active === 0) return jsonAnswer(400, { error: 'invalid_grant' });
        if (store.claim(key, me, Date.now())) break;
      } else if (spent.answer) return repeat(spent, me, request, token);
      await (underWay.get(token) ?? sleep(LOOK_AGAIN_MS));
    }
    const spending = spend(store, request, token, next);
    underWay.set(
      token,
      spending.catch(() => {}),
    );
    try {
      return await spending;
    } finally {
      underWay.delete(token);
    }
  }

  async function spend(store: SessionStore, request: TokenRequest, token: string, next: TokenEndpoint) {
    const key = hash(token);
    let settled = false;
    try {
      const answer = await next(request);
      const issued = readIssuedTokens(answer);
      // A server that does not rotate may be asked again at once: then the client wants another access token, not the same.
      if (issued?.refreshToken !== undefined && issued.refreshToken !== token) {
        const sealed = seal(issued.answer.body, token);
        store.settle(key, hash(issued.refreshToken), userOf(issued), sealed, Date.now());
        settled = true;
        // An answer goes when its time is over, not when somebody next looks.
        setTimeout(() => sweep(store), windowMs() + 1).unref();
      }
      return answer;
    } finally {
      if (!settled) store.release(key);
    }
  }

  function repeat(
    spent: SpentToken,
    me: Pick<SpentToken, 'holder' | 'asked'>,
    request: TokenRequest,
    token: string,
  ): TokenAnswer {
    const known = me.holder !== null || options.withoutKey !== 'conflict';
    if (!known || !same(spent.holder, me.holder) || !same(spent.asked, me.asked)) {
      return versionConflict(spent.version);
    }
    request.trace.replayed = true;
    const answer = jsonAnswer(200, JSON.parse(unseal(spent.answer as Uint8Array, token)) as object);
    return aged(answer, Date.now() - spent.spent_at);
  }

  return (next) => async (request) => {
    if (windowMs() <= 0) return next(request);
    const token = request.form.get('refresh_token');
    if (request.form.get('grant_type') === 'refresh_token' && token !== null) {
      return refresh(request, token, next);
    }
    const answer = await next(request);
    const issued = readIssuedTokens(answer);
    const revoked = request.endpoint === 'revocation' ? request.form.get('token') : null;
    if (issued?.refreshToken !== undefined) {
      options.store().begin(userOf(issued), hash(issued.refreshToken), Date.now());
    } else if (revoked !== null) {
      options.store().end(hash(revoked));
    }
    return answer;
  };
}

/** Whose tokens these are, by their own word: they come from the authorization server itself. Empty where they are opaque. */
function userOf({ body, accessToken }: IssuedTokens): string {
  for (const token of [body['id_token'], accessToken]) {
    try {
      const { sub } = decodeJwt(String(token));
      if (sub !== undefined) return sub;
    } catch {
      // Not a JWT.
    }
  }
  return '';
}

function same(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.from(a).equals(b);
}
