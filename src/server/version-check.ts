import { check, duration } from './check.js';
import { digest } from './digest.js';
import { checkOptions, checkStore, type RemedyOptions } from './options.js';
import { readAnswerOf, remedy, tellConflict, withOwnHeaders, type Refresh } from './remedy.js';
import { record, withClaim } from './spending.js';
import { callStore } from './store-call.js';
import type { ServerStore, VersionClaim, VersionStore } from './store.js';
import type { TokenMiddleware } from './token-request.js';
import { issuedTokens, notNow, versionConflict, withMembersIn } from './token-response.js';

/** Options of `createVersionCheck`. */
export interface VersionCheckOptions extends RemedyOptions {
  /** Where versions are kept, shared by all processes: `sqliteStore()`, `postgresStore()`, `redisStore()` or your own. */
  readonly store: Pick<ServerStore, 'versions'>;
  /** The form parameter that carries the version; the answer has the new one under the same name. Default `'token_version'`. */
  readonly parameter?: string | undefined;
  /**
   * How long ago a token may have been replaced and still count as a race, milliseconds, at most 2_592_000_000 (30 days); default 600_000.
   * The tabs of one browser find each other's pair within moments. A token that was replaced longer ago goes to the authorization server,
   * which takes it for stolen. Each refresh leaves a row for that long.
   */
  readonly detectTheftAfterMs?: number | undefined;
}

/** Parameters that the authorization server has to get. */
const TAKEN = new Set([
  'grant_type',
  'refresh_token',
  'scope',
  'resource',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
]);

/**
 * Token versions in front of a token endpoint. Each refresh makes the version of a login one higher. A request says which version it holds,
 * and a request that does not hold the newest is refused before anything is spent:
 *
 *     tab A ── R1, version 1 ──▶ 1 is the newest: 1 → 2 ──▶ authorization server: (A2, R2), token_version 2
 *     tab B ── R1, version 1 ──▶ 2 is the newest ──▶ 409 {"error":"version_conflict","current_version":2}; B reads what A stored
 *
 * The outdated token does not reach the authorization server, so a race does not look like a theft. A theft does not either, for as long as
 * `detectTheftAfterMs`. A lost answer stays lost; put `createIdempotentRotation` in front for that. A request without a version passes.
 *
 * @param options - the store, the parameter's name, and what becomes of faults
 * @throws `ERR_CONFIGURATION` if an option is not usable
 * @example
 * createVersionCheck({ store: sqliteStore('sessions.db') })((request) => fetch(request))
 */
export function createVersionCheck(options: VersionCheckOptions): TokenMiddleware {
  const given: VersionCheckOptions = Object(options);
  checkStore(given.store, 'versions');
  const { parameter = 'token_version' } = given;
  check(
    'parameter',
    typeof parameter === 'string' && parameter !== '' && !TAKEN.has(parameter),
    'a non-empty string that OAuth does not use itself',
  );
  const outdatedMs = duration('detectTheftAfterMs', given.detectTheftAfterMs ?? 600_000, 0, 30 * 86_400_000);
  const checked = checkOptions(given);
  const { claimMs } = checked;
  const store: VersionStore = given.store.versions;

  async function refresh(refresh: Refresh): Promise<Response> {
    const { request, original, token, next } = refresh;
    const said = request.form.get(parameter) ?? '';
    if (!/^[1-9]\d{0,14}$/.test(said)) return next(request.forward());
    const form = new URLSearchParams(request.form);
    form.delete(parameter);
    const forwarded = request.forward(form);

    const key = await digest('token', token);
    const claimId = crypto.randomUUID();
    let claim: VersionClaim;
    const giveBack = (late: VersionClaim): void => {
      if (late.state === 'claimed') store.release(key, late.sessionId, claimId).catch(() => {});
    };
    try {
      claim = await callStore(() => store.claim(key, claimId, Number(said), claimMs), checked, giveBack);
    } catch {
      if (checked.whenStoreFails === 'pass') return next(forwarded);
      return withOwnHeaders(notNow('The versions cannot be reached'), original, checked);
    }
    const { sessionId, newest } = claim;
    if (claim.state === 'conflict') {
      tellConflict(checked, key, refresh, { reason: claim.reason, sessionId, version: newest });
      return withOwnHeaders(versionConflict(newest), original, checked);
    }

    let kept = false;
    try {
      const read = await withClaim(
        () => readAnswerOf(next, forwarded, checked),
        () => store.renew(sessionId, claimId, claimMs),
        checked,
      );
      const { answer } = read;
      const issued = issuedTokens(read);
      if (issued === undefined) return answer;
      kept = true;
      const moved = {
        sessionId,
        next: await digest('token', issued.refreshToken ?? token),
        newest,
        outdatedMs,
      };
      await record(() => store.settle(key, claimId, moved), checked, claimMs);
      return withMembersIn(answer, issued, { [parameter]: newest });
    } finally {
      // Refused, or nobody knows: this version may be tried again, and the authorization server decides.
      if (!kept) await record(() => store.release(key, sessionId, claimId), checked, claimMs);
    }
  }

  return remedy(checked, {
    refresh,
    begin: (key) => store.begin(key),
    end: (key) => store.end(key),
    signedIn: { [parameter]: 1 },
  });
}
