import { readClaims } from '../claims.js';
import type { TokenResponse } from '../core/types.js';
import { encodeBytes, sha } from './base64url.js';
import { LoginError } from './login-error.js';

/** The required claims of an ID token. */
export interface ExpectedIdToken {
  readonly issuer: string;
  readonly clientId: string;
  readonly nonce: string;
  readonly maxAge?: number | undefined;
}

/** Clocks differ. */
const TOLERANCE_SECONDS = 60;

/**
 * Checks an ID token that came from the token endpoint itself, as OpenID Connect Core §3.1.3.7 has it. TLS vouches for it in place of its
 * signature (item 6 there). `oauth4webapi` has the same checks, at twice the size of this whole module.
 *
 * @returns the subject
 * @throws `id_token_invalid`
 */
export async function checkIdToken(tokens: TokenResponse, expected: ExpectedIdToken): Promise<string> {
  const { id_token: idToken = '', access_token: accessToken } = tokens;
  const { iss, aud, azp, sub, exp, nonce, auth_time: authTime, at_hash: atHash } = readClaims(idToken);
  const now = Date.now() / 1000 - TOLERANCE_SECONDS;
  const wrong = Object.entries({
    iss: iss === expected.issuer,
    aud: [aud].flat().includes(expected.clientId),
    // Needed where there is another audience as well.
    azp: azp === undefined ? [aud].flat().length === 1 : azp === expected.clientId,
    sub: typeof sub === 'string' && sub !== '',
    exp: typeof exp === 'number' && exp > now,
    // guard: login: an ID token's nonce is that of the attempt
    nonce: nonce === expected.nonce,
    auth_time: expected.maxAge === undefined || Number(authTime) + expected.maxAge > now,
    at_hash: atHash === undefined || atHash === ((await halfHash(accessToken, idToken)) ?? atHash),
  }).find(([, right]) => !right);
  if (wrong) throw new LoginError('id_token_invalid', `The ID token's ${wrong[0]} is wrong`);
  return sub as string;
}

/**
 * The left half of a token's hash (OpenID Connect Core §3.1.3.6), by the algorithm of the ID token's signature; `undefined` for one that is not
 * known here: with a code, the check is optional (§3.1.3.8).
 */
async function halfHash(accessToken: string, idToken: string): Promise<string | undefined> {
  // A JWT's header reads as its claims do. (`EdDSA` and `Ed25519` are one, with SHA-512.)
  const { alg } = readClaims(`.${idToken}`);
  const found = /^Ed[D2]|[235]\d\d(?=K?$)/.exec(String(alg))?.[0];
  if (!found) return undefined;
  const bits = Number(found) || 512;
  return encodeBytes((await sha(bits, accessToken)).subarray(0, bits / 16));
}
