import type { TokenResponse } from '../../core/types.js';
import type { NewSession } from '../../types.js';
import { parseChallenges } from '../../fetch/challenge.js';
import { readClaims } from '../../claims.js';
import { checkKeyPair, configurationError } from './key-pair.js';
import { hearNonce, nonceFor, offersNonces } from './nonces.js';
import { createProof, thumbprint } from './proof.js';
import { correctClock, forgetIssueTime, hearIssueTime, serverNow } from './server-clock.js';
import { forgetKeyPair, keepKeyPair, sessionKeyPair, usedKeyPair } from './session-keys.js';

/** A request that needs a proof. */
export interface ProvenRequest {
  /** Whose key signs. */
  readonly sessionId: string;
  /** Absolute. */
  readonly url: string;
  /** The HTTP method. */
  readonly method: string;
  /** Of a request to an API; absent at the token endpoint. */
  readonly accessToken?: string | undefined;
  /** Signs in place of the session's key: at a code exchange there is no session yet. */
  readonly keyPair?: CryptoKeyPair | undefined;
}

/**
 * The code that a client needs to use tokens that are bound to a key (RFC 9449). `refreshTokenGrant({ dpop: true })` loads it when needed; in a service
 * worker, where code cannot be loaded later, it is given instead: `refreshTokenGrant({ dpop: dpopSupport })`.
 */
export interface DPoPSupport {
  /**
   * Keeps the key that the tokens of a session are bound to, where every tab finds it.
   * @throws `ERR_CONFIGURATION` if the tokens are not bound, or not to a key that is known here; `ERR_UNSUPPORTED` if this browser cannot
   * keep keys; `ERR_STORAGE` if keeping it failed
   */
  readonly bind: (session: NewSession) => Promise<void>;
  /** Removes the key of a session that is over. @throws `ERR_STORAGE`, `ERR_UNSUPPORTED` */
  readonly unbind: (session: Pick<NewSession, 'name' | 'sessionId'>) => Promise<void>;
  /** The proof for one request; `undefined` if this browser has no key (any more) for the session. @throws `ERR_STORAGE`, `ERR_UNSUPPORTED` */
  readonly prove: (request: ProvenRequest) => Promise<string | undefined>;
  /**
   * Takes in what an answer says about nonce and time, its server's only. Never rejects.
   * @param error - of the token endpoint; an API says it in a challenge
   * @returns whether the request is worth repeating with a new proof
   */
  readonly hear: (request: ProvenRequest, headers: Headers, error?: string) => Promise<boolean>;
  /**
   * Takes in what new tokens of a session say about the time.
   * @returns whether the server has sent a nonce, now or before
   */
  readonly hearTokens: (request: ProvenRequest, tokens: TokenResponse) => boolean;
  /** @throws `ERR_CONFIGURATION` if new tokens of a session are not bound to the key that its last proof was made with */
  readonly checkTokens: (answer: Pick<NewSession, 'sessionId' | 'tokens'>) => void;
}

/** A key and what access tokens call it. */
interface KnownKey {
  readonly keyPair: CryptoKeyPair;
  readonly jkt: string;
}

/** By session. */
const keys = new Map<string, KnownKey>();

async function know(sessionId: string, keyPair: CryptoKeyPair): Promise<KnownKey> {
  const known = { keyPair, jkt: await thumbprint(keyPair) };
  keys.set(sessionId, known);
  return known;
}

/** The code for DPoP (RFC 9449), to be given to `refreshTokenGrant` where `dpop: true` cannot load it: in a service worker. */
export const dpopSupport: DPoPSupport = {
  async bind({ name, sessionId, tokens, dpopKeyPair }) {
    if (dpopKeyPair) await checkKeyPair(dpopKeyPair);
    const keyPair = dpopKeyPair ?? (await usedKeyPair(name, boundTo(tokens)));
    const known = keyPair && (await know(sessionId, keyPair));
    checkBound(
      tokens,
      known,
      'let the sign-in send a proof made with the key of getDPoPKeyPair(), or leave out dpop.',
    );
    if (!keyPair) {
      throw configurationError(
        'the key that these tokens are bound to is not known; sign in with the key of getDPoPKeyPair(), or give dpopKeyPair to setSession().',
      );
    }
    await keepKeyPair(name, sessionId, keyPair);
    await hearIssueTime(sessionId, tokens);
  },

  async unbind({ sessionId }) {
    keys.delete(sessionId);
    await Promise.all([forgetKeyPair(sessionId), forgetIssueTime(sessionId)]);
  },

  async prove(request) {
    const { sessionId, keyPair = keys.get(sessionId)?.keyPair ?? (await sessionKeyPair(sessionId)) } =
      request;
    if (!keyPair) return;
    if (keys.get(sessionId)?.keyPair !== keyPair) await know(sessionId, keyPair);
    const [nonce, now] = await Promise.all([nonceFor(serverOf(request)), serverNow(serverOf(request))]);
    return createProof(keyPair, { ...request, nonce, now });
  },

  async hear(request, headers, error = challengeOf(request, headers)) {
    hearNonce(serverOf(request), headers);
    if (error === 'use_dpop_nonce') return headers.has('dpop-nonce');
    return error === 'invalid_dpop_proof' && correctClock(serverOf(request), request.sessionId, headers);
  },

  hearTokens(request, tokens) {
    void hearIssueTime(request.sessionId, tokens);
    // (A server may leave the header out while the last nonce is good, RFC 9449 §8.2.)
    return offersNonces(serverOf(request));
  },

  checkTokens({ sessionId, tokens }) {
    checkBound(tokens, keys.get(sessionId), 'the session was begun with bound ones.');
  },
};

/** An API and an authorization server are two, also on one origin: none tells anything about the other. */
function serverOf({ url, accessToken }: ProvenRequest): string {
  return `${accessToken === undefined ? 'token' : 'api'} ${new URL(url).origin}`;
}

/** The error of an API that a new proof can mend (RFC 9449 §7.1, §9). */
function challengeOf({ accessToken }: ProvenRequest, headers: Headers): string | undefined {
  if (accessToken === undefined) return undefined;
  return parseChallenges(headers.get('www-authenticate') ?? '')
    .map(({ parameters }) => parameters.get('error'))
    .find((error) => error === 'use_dpop_nonce' || error === 'invalid_dpop_proof');
}

/** Thumbprint of the key that an access token is bound to (RFC 9449 §6.1), if one can tell. */
function boundTo({ access_token: accessToken }: TokenResponse): unknown {
  return (readClaims(accessToken)['cnf'] as { jkt?: unknown } | null | undefined)?.jkt;
}

/** No silent downgrade: a Bearer token works without the key, for everybody. */
function checkBound(tokens: TokenResponse, key: KnownKey | undefined, advice: string): void {
  const { token_type: type = 'DPoP' } = tokens;
  if (type.toLowerCase() !== 'dpop') {
    throw configurationError(
      `the server gave tokens of type ${JSON.stringify(type.slice(0, 64))}; ${advice}`,
    );
  }
  const jkt = boundTo(tokens);
  if (key && jkt !== undefined && jkt !== key.jkt) {
    throw configurationError(
      'these tokens are bound to another key; give the one they are bound to as dpopKeyPair.',
    );
  }
}
