/**
 * Remedy: token versions. Every refresh makes the version of a login one higher; a request says which version it holds
 * (`token_version=1`), and whoever does not hold the newest is told so before anything is spent:
 *
 *     tab A ── R1, version 1 ──▶ 1 is the newest: 1 → 2 ──▶ authorization server: (A2, R2), token_version 2
 *     tab B ── R1, version 1 ──▶ 2 is the newest ──▶ 409 {"error":"version_conflict","current_version":2}; B reads what A stored
 *
 * The outdated refresh token never reaches the authorization server, so a race does not look like a theft to its replay detection. Nor does
 * a theft, then: somebody who stole R1 and was first keeps the session, and its owner is told to look for a pair that no tab of theirs has.
 * `detectTheftAfterMs` draws the line: tabs of one browser find each other's pair within moments, so a token that was outdated longer ago
 * than that is passed on to the authorization server, which revokes the grant.
 *
 * A lost answer stays lost: the client holds version 1 for ever. The session table in front of this one is the remedy for that.
 * Requests without a version, of clients that were not migrated yet, pass as if this were not here; so does a login that began before it.
 */
import { readIssuedTokens, versionConflict } from './issued-tokens.js';
import { hash } from './session-store.js';
import type { TokenAnswer, TokenEndpoint, TokenEndpointMiddleware, TokenRequest } from './token-endpoint.js';
import type { VersionStore } from './version-store.js';

export interface VersionCheckOptions {
  store: () => VersionStore;
  /** Read at every request. */
  enabled: () => boolean;
  /** The form parameter that carries the version (default `token_version`); the answer has the new one under the same name. */
  parameter?: string;
  /** How long ago a token may have been outdated and still count as a race, milliseconds (default: always). */
  detectTheftAfterMs?: number;
}

const REMEMBERED_MS = 24 * 60 * 60 * 1000;

export function versionCheck(options: VersionCheckOptions): TokenEndpointMiddleware {
  const { parameter = 'token_version', detectTheftAfterMs = Infinity } = options;
  /** When each login last moved on. In memory: after a restart every race is long over. */
  const movedAt = new Map<string, number>();

  async function refresh(
    request: TokenRequest,
    token: string,
    claimed: number,
    next: TokenEndpoint,
  ): Promise<TokenAnswer> {
    const store = options.store();
    const key = hash(token);
    if (store.lineOf(key) === undefined) store.begin(key, claimed, Date.now());
    const line = store.lineOf(key);
    if (line === undefined) return next(request);
    const { session, version } = line;

    // The token itself tells its version too, and neither word alone is enough. A client may count further than this server, never less.
    const outdated = claimed < version || line.held < version;
    const newest = Math.max(claimed, version) + 1;
    if (outdated || !store.move(session, version, newest)) {
      const ago = Date.now() - (movedAt.get(session) ?? 0);
      if (outdated && line.held < version && ago > detectTheftAfterMs) return next(request);
      return versionConflict(store.lineOf(key)?.version ?? version);
    }

    let issued = false;
    try {
      const answer = await next(request);
      const pair = readIssuedTokens(answer);
      if (pair === undefined) return answer;
      issued = true;
      movedAt.set(session, Date.now());
      store.issued(session, hash(pair.refreshToken ?? token), newest, Date.now());
      return { ...pair.answer, body: JSON.stringify({ ...pair.body, [parameter]: newest }) };
    } finally {
      // Refused, or nobody knows: this version may be tried again, and the authorization server decides.
      if (!issued) store.move(session, newest, version);
    }
  }

  return (next) => async (request) => {
    if (!options.enabled()) return next(request);
    const token = request.form.get('refresh_token');
    if (request.form.get('grant_type') === 'refresh_token' && token !== null) {
      const claimed = Number(request.form.get(parameter) ?? NaN);
      if (!Number.isSafeInteger(claimed) || claimed < 1) return next(request);
      const passed = new URLSearchParams(request.form);
      passed.delete(parameter);
      return refresh({ ...request, form: passed }, token, claimed, next);
    }
    const answer = await next(request);
    const pair = readIssuedTokens(answer);
    if (pair?.refreshToken === undefined) return answer;
    options.store().forget(Date.now() - REMEMBERED_MS);
    options.store().begin(hash(pair.refreshToken), 1, Date.now());
    return { ...pair.answer, body: JSON.stringify({ ...pair.body, [parameter]: 1 }) };
  };
}
