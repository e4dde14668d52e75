import { callback, check, duration } from './check.js';
import { digest } from './digest.js';
import { guarded } from './guarded.js';
import type { Conflict } from './monitor.js';
import { checkOptions, checkStore, type RemedyOptions } from './options.js';
import { readAnswerOf, remedy, tellConflict, withOwnHeaders, type Refresh } from './remedy.js';
import { requesterOf } from './requester.js';
import { seal, unseal } from './sealed-answer.js';
import { record, withClaim, type FurtherTries } from './spending.js';
import { callStore } from './store-call.js';
import {
  LONGEST_WINDOW_MS,
  type Claim,
  type Requester,
  type RotationStore,
  type ServerStore,
  type SpentToken,
} from './store.js';
import type { TokenMiddleware } from './token-request.js';
import { issuedTokens, jsonAnswer, notNow, pack, unpack, versionConflict } from './token-response.js';

/** Options of `createIdempotentRotation`. */
export interface IdempotentRotationOptions extends RemedyOptions {
  /** Where logins and answers are kept, shared by all processes: `sqliteStore()`, `postgresStore()`, `redisStore()` or your own. */
  readonly store: Pick<ServerStore, 'rotation'>;
  /** How long after a refresh its answer is given again, milliseconds, at most 120_000; default 10_000. */
  readonly windowMs?: number | undefined;
  /**
   * The answer to a duplicate that proves nothing of its sender; default `'replay'`.
   *
   * - `'replay'`: the answer, if the request that spent the token proved nothing either. A thief who is quick gets it, too: this is what a
   *   "reuse interval" or "leeway" means elsewhere.
   * - `'conflict'`: 409. Only a DPoP key, an idempotency key or an authenticated client gets an answer again.
   */
  readonly withoutKey?: 'replay' | 'conflict' | undefined;
  /**
   * Authenticates a confidential client before it is answered. It resolves to the client's id if the client has proved who it is, to `true` for
   * a public client, and to anything else for a request that must not be answered: then the remedy answers 401 `invalid_client`. If it rejects,
   * the answer is 503. Default: a client secret or assertion has to be the very one with which the token was spent, which the authorization
   * server has checked. Needed for `private_key_jwt` and for mutual TLS, which cannot be recognised in this way.
   */
  readonly authenticate?: ((request: Request) => Promise<unknown>) | undefined;
}

/** One request on its way through the session table. */
interface Attempt extends Refresh {
  readonly key: string;
  readonly claimId: string;
  readonly me: Requester;
  /** By `performance.now()`. */
  readonly waitsUntil: number;
}

/** The finding of the first of several duplicates in this process, for all of them. */
type Finding =
  | { readonly kind: 'spent'; readonly spent: SpentToken; readonly foundAt: number }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'store-failed' };

/** A client that waits longer has hung up. */
const LONGEST_WAIT_MS = 30_000;
const BUSY = 'This refresh token is being spent by another request';
/** How often another process's claim is looked at, milliseconds. */
const FIRST_LOOK_MS = 4;
const LATER_LOOK_MS = 50;

/**
 * A session table in front of a token endpoint: every duplicate of a refresh gets the answer of the first one, whether it comes at the same
 * moment, at another process, or after the answer was lost.
 *
 *     tab A ── R1 ──▶ claims R1 ──▶ authorization server: (A2, R2) ──▶ table: the login has R2; R1's answer is kept, sealed
 *     tab B ── R1 ──▶ claimed: waits ────────────────────────────────▶ the same (A2, R2), nothing is spent
 *     later ── R1 ──▶ the window is over ──▶ authorization server: invalid_grant, and its own replay detection
 *
 * The answer is given again only for the direct predecessor of a login's newest token, only within the window, only to the same holder and
 * only to the same request. Everything else within the window gets 409 `version_conflict`. Only the refresh grant is guarded; sign-ins and
 * revocations (RFC 7009), if the handler serves them, are noted. Requests that are no form, or no POST, pass untouched.
 *
 * @param options - the store, the window, and what becomes of duplicates and of faults
 * @throws `ERR_CONFIGURATION` if an option is not usable
 * @example
 * createIdempotentRotation({ store: sqliteStore('sessions.db') })((request) => fetch(request))
 */
export function createIdempotentRotation(options: IdempotentRotationOptions): TokenMiddleware {
  const given: IdempotentRotationOptions = Object(options);
  checkStore(given.store, 'rotation');
  const { withoutKey = 'replay' } = given;
  check('withoutKey', withoutKey === 'replay' || withoutKey === 'conflict', "'replay' or 'conflict'");
  const authenticate = callback('authenticate', given.authenticate);
  const windowMs = duration('windowMs', given.windowMs ?? 10_000, 1, LONGEST_WINDOW_MS);
  const checked = checkOptions(given);
  const { claimMs } = checked;
  const store: RotationStore = given.store.rotation;
  /** Tokens that a request of this process is looking after, and what it will have found out. */
  const leaders = new Map<string, Promise<Finding>>();
  /** Answers that the store has not recorded yet, by the token that follows. Until then only this process can repeat them. */
  const unrecorded = new Map<string, FurtherTries>();

  const own = (request: Request, answer: Response): Response => withOwnHeaders(answer, request, checked);

  async function refresh(attempt: Attempt): Promise<Response> {
    for (;;) {
      const leader = leaders.get(attempt.key);
      // guard: one request of a process leads
      if (leader === undefined) return lead(attempt);
      const finding = await within(leader, attempt.waitsUntil);
      if (finding === undefined) return own(attempt.original, notNow(BUSY));
      if (finding.kind === 'spent') return repeat(attempt, finding);
      if (finding.kind === 'store-failed') return withoutStore(attempt);
      // Nothing was spent. The first duplicate that comes here tries next.
    }
  }

  async function lead(attempt: Attempt): Promise<Response> {
    let report!: (finding: Finding) => void;
    leaders.set(attempt.key, new Promise((resolve) => (report = resolve)));
    let finding: Finding = { kind: 'nothing' };
    let further: FurtherTries | undefined;
    try {
      const claim = await waitForClaim(attempt);
      if (claim === undefined) return own(attempt.original, notNow(BUSY));
      if (claim.state === 'inactive')
        return own(attempt.original, jsonAnswer(400, { error: 'invalid_grant' }));
      if (claim.state === 'spent') {
        finding = { kind: 'spent', spent: claim.spent, foundAt: performance.now() };
        return await repeat(attempt, finding);
      }
      // The login moves on from an answer that was not recorded. It is not repeated any more.
      // guard: the login has not moved on from an unrecorded answer
      unrecorded.get(attempt.key)?.stop();
      const outcome = await spend(attempt);
      if (outcome.spent) finding = { kind: 'spent', spent: outcome.spent, foundAt: performance.now() };
      further = outcome.further;
      return outcome.answer;
    } catch (error) {
      if (!(error instanceof ClaimFailure)) throw error;
      finding = { kind: 'store-failed' };
      return await withoutStore(attempt);
    } finally {
      const forget = () => leaders.delete(attempt.key);
      // guard: an unrecorded answer stays in memory
      if (further) void further.over.then(forget);
      else forget();
      report(finding);
    }
  }

  /** Resolves to `undefined` if another process still holds the claim when this request can wait no longer. */
  async function waitForClaim(attempt: Attempt): Promise<Exclude<Claim, { state: 'pending' }> | undefined> {
    const { key, claimId, me, waitsUntil } = attempt;
    const giveBack = (): void => void store.release(key, claimId).catch(() => {});
    for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 1.5, LATER_LOOK_MS)) {
      let claim: Claim;
      try {
        claim = await callStore(() => store.claim(key, claimId, me, claimMs), checked, giveBack);
      } catch (cause) {
        // A call whose answer was lost may have succeeded.
        giveBack();
        throw new ClaimFailure('No claim', { cause });
      }
      if (claim.state !== 'pending') return claim;
      if (performance.now() > waitsUntil) return undefined;
      await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    }
  }

  async function spend(
    attempt: Attempt,
  ): Promise<{ answer: Response; spent?: SpentToken; further?: FurtherTries | undefined }> {
    const { key, claimId, me, token } = attempt;
    let kept = false;
    try {
      const read = await withClaim(
        () => readAnswerOf(attempt.next, attempt.request.forward(), checked),
        () => store.renew(key, claimId, claimMs),
        checked,
      );
      const { answer } = read;
      const issued = issuedTokens(read);
      // A server that does not rotate may be asked again at once: the client wants another access token then, not the same.
      if (issued?.refreshToken === undefined || issued.refreshToken === token) return { answer };
      kept = true;
      const answeredAt = performance.now();
      const [next, sealed] = await Promise.all([
        digest('token', issued.refreshToken),
        seal(pack(answer, issued, 0), token),
      ]);
      const settle = async () => {
        const lateMs = Math.floor(performance.now() - answeredAt);
        return store.settle(key, claimId, {
          requester: me,
          next,
          userId: issued.userId,
          answer: lateMs < 1_000 ? sealed : await seal(pack(answer, issued, lateMs), token),
          // guard: the window begins with the answer
          windowMs: Math.max(1, windowMs - lateMs),
        });
      };
      const { said, further } = await record(settle, checked, windowMs);
      if (further) {
        unrecorded.set(next, further);
        void further.over.then(() => unrecorded.delete(next));
      }
      const { sessionId = '', version = 0 } = said ?? {};
      return { answer, spent: { ...me, sessionId, version, ageMs: 0, answer: sealed }, further };
    } finally {
      // guard: a claim is given back
      if (!kept) await record(() => store.release(key, claimId), checked, claimMs);
    }
  }

  async function repeat(
    attempt: Attempt,
    { spent, foundAt }: Finding & { kind: 'spent' },
  ): Promise<Response> {
    const { me, token, key, original } = attempt;
    const refuse = (reason: Conflict['reason']): Response => {
      const { sessionId, version } = spent;
      tellConflict(checked, key, attempt, { reason, sessionId, version });
      // Without a record of the refresh, its version is not known.
      return versionConflict(version || undefined);
    };
    // guard: withoutKey conflict
    if (me.holder === null && withoutKey === 'conflict') return own(original, refuse('without-key'));
    // guard: the same holder
    if (me.holder !== spent.holder) return own(original, refuse('holder'));
    // guard: the same request
    if (me.request !== spent.request) return own(original, refuse('request'));
    if (spent.answer === null) return own(original, refuse('outdated'));
    let text: string;
    try {
      text = await unseal(spent.answer, token);
    } catch {
      return own(original, refuse('unreadable'));
    }
    return own(original, unpack(text, spent.ageMs + performance.now() - foundAt));
  }

  async function withoutStore({ original, request, next }: Attempt): Promise<Response> {
    if (checked.whenStoreFails === 'pass') return next(request.forward());
    return own(original, notNow('The session table cannot be reached'));
  }

  async function guard({ original, request, token, next }: Refresh): Promise<Response> {
    let clientId: string | undefined;
    if (authenticate) {
      let authenticated: unknown;
      try {
        authenticated = await authenticate(request.forward());
      } catch (error) {
        guarded(() => checked.onStoreError(error));
        return own(original, notNow('The client cannot be authenticated'));
      }
      // guard: a client that is not authenticated is refused
      if (authenticated !== true && (typeof authenticated !== 'string' || authenticated === ''))
        return own(original, invalidClient(request.headers));
      if (authenticated !== true) clientId = JSON.stringify(authenticated);
    }
    const [key, me] = await Promise.all([digest('token', token), requesterOf(request, token, clientId)]);
    const waitsUntil = performance.now() + LONGEST_WAIT_MS;
    return refresh({ original, request, token, next, key, claimId: crypto.randomUUID(), me, waitsUntil });
  }

  return remedy(checked, {
    refresh: guard,
    begin: (key, { userId }) => store.begin(key, userId),
    end: (key) => store.end(key),
  });
}

class ClaimFailure extends Error {
  override readonly name = 'ClaimFailure';
}

function invalidClient(headers: Headers): Response {
  // RFC 6749 §5.2: a client that used the header is told by a header.
  const challenge: [string, string][] = headers.has('authorization') ? [['www-authenticate', 'Basic']] : [];
  return jsonAnswer(401, { error: 'invalid_client' }, challenge);
}

/** The promise's value, or `undefined` if that takes too long. */
async function within<T>(promise: Promise<T>, until: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, until - performance.now(), undefined);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
