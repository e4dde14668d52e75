import type { TokenResponse } from '../../core/types.js';
import type { NewSession } from '../../types.js';
import { readClaims } from './claims.js';
import { checkKeyPair, configurationError } from './key-pair.js';
import { hearNonce, nonceFor } from './nonces.js';
import { createProof, thumbprint } from './proof.js';
import { correctClock, hearIssueTime, serverNow } from './server-clock.js';
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
 * What a client needs to use tokens that are bound to a key (RFC 9449). `refreshTokenGrant({ dpop: true })` loads it when needed; in a service
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
  /** Takes in what an answer says about nonce and time. Never rejects. @returns whether the request is worth repeating with a new proof */
  readonly hear: (request: ProvenRequest, headers: Headers, error?: string) => Promise<boolean>;
  /** Takes in what new tokens say about the time. Never rejects. */
  readonly hearTokens: (tokens: TokenResponse) => Promise<void>;
}

const keys = new Map<string, CryptoKeyPair>();

/** The code for DPoP (RFC 9449), to be given to `refreshTokenGrant` where `dpop: true` cannot load it: in a service worker. */
export const dpopSupport: DPoPSupport = {
  async bind({ name, sessionId, tokens, dpopKeyPair }) {
    const { token_type: type = 'DPoP', access_token: accessToken } = tokens;
    if (type.toLowerCase() !== 'dpop') {
      throw configurationError(
        `the tokens are of type ${type}; let the sign-in send a proof made with the key of getDPoPKeyPair(), or leave out dpop.`,
      );
    }
    if (dpopKeyPair) checkKeyPair(dpopKeyPair);
    const keyPair = dpopKeyPair ?? (await usedKeyPair(name));
    if (!keyPair) {
      throw configurationError(
        'the key that these tokens are bound to is not known; sign in with the key of getDPoPKeyPair(), or give dpopKeyPair to setSession().',
      );
    }
    const { jkt } = (readClaims(accessToken)['cnf'] ?? {}) as { jkt?: unknown };
    if (jkt !== undefined && jkt !== (await thumbprint(keyPair))) {
      throw configurationError(
        'these tokens are bound to another key; give the one they are bound to as dpopKeyPair.',
      );
    }
    await keepKeyPair(name, sessionId, keyPair);
    keys.set(sessionId, keyPair);
    await hearIssueTime(tokens);
  },

  async unbind({ name, sessionId }) {
    keys.delete(sessionId);
    await forgetKeyPair(name, sessionId);
  },

  async prove(request) {
    const { sessionId, keyPair = keys.get(sessionId) ?? (await sessionKeyPair(sessionId)) } = request;
    if (!keyPair) return;
    keys.set(sessionId, keyPair);
    const [nonce, now] = await Promise.all([nonceFor(serverOf(request)), serverNow()]);
    return createProof(keyPair, { ...request, nonce, now });
  },

  async hear(request, headers, error) {
    hearNonce(serverOf(request), headers);
    if (error === 'use_dpop_nonce') return headers.has('dpop-nonce');
    return error === 'invalid_dpop_proof' && correctClock(headers);
  },

  hearTokens: hearIssueTime,
};

function serverOf({ url, accessToken }: ProvenRequest): string {
  return `${accessToken === undefined ? 'token' : 'api'} ${new URL(url).origin}`;
}
