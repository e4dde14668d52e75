// The sender of a request and its question, as far as a token endpoint can know them.
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, type JWK } from 'jose';
import { digest } from './digest.js';
import type { Requester } from './store.js';
import type { TokenRequest } from './token-request.js';

const PROOF_LIVES_SECONDS = 60;
/** No part of the question: the token itself, and how the client proves who it is. */
const NOT_ASKED = new Set(['refresh_token', 'client_secret', 'client_assertion', 'client_assertion_type']);

/**
 * Digests of the holder and of the question. Both are bound to the refresh token: a copy of the database neither allows to guess a client's
 * secret nor shows that two logins have one key.
 *
 * @param clientId - the client that was authenticated, where the server's owner does that
 */
export async function requesterOf(
  request: TokenRequest,
  token: string,
  clientId: string | undefined,
): Promise<Requester> {
  const { form, headers } = request;
  const asked = [...form]
    .filter(([name, value]) => !NOT_ASKED.has(name) && value !== '')
    .map(([name, value]) => JSON.stringify([name, name === 'scope' ? sortedScope(value) : value]))
    .sort();
  const key = await keyOf(headers);
  const client = clientId ?? credentialsOf(request);
  return {
    holder: key === null && client === null ? null : await digest('holder', token, key, client),
    request: await digest('request', token, ...asked),
  };
}

function sortedScope(scope: string): string {
  return scope.split(' ').filter(Boolean).sort().join(' ');
}

/** A DPoP key that was proven, else an idempotency key. */
async function keyOf(headers: Headers): Promise<string | null> {
  const proof = headers.get('dpop');
  if (proof === null) {
    const key = headers.get('idempotency-key');
    // guard: an empty key proves nothing
    return key ? `key ${key}` : null;
  }
  // A proof that does not hold matches nothing, and the authorization server will have its say on it.
  return `dpop ${(await provenKey(proof)) ?? crypto.randomUUID()}`;
}

/**
 * A client's secret or assertion. The authorization server accepted it when the token was spent, so a repetition that brings the same one
 * comes from the same client.
 */
function credentialsOf({ form, headers }: TokenRequest): string | null {
  const parts = [headers.get('authorization'), form.get('client_secret'), form.get('client_assertion')];
  return parts.some(Boolean) ? JSON.stringify(parts) : null;
}

/**
 * The thumbprint of the key that a proof (RFC 9449 §4.2) proves. The address in it (`htu`) is left to the authorization server, which knows
 * its own; a proof made for elsewhere would get tokens bound to the same key.
 */
async function provenKey(proof: string): Promise<string | undefined> {
  try {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      requiredClaims: ['jti', 'iat', 'htm', 'htu'],
    });
    const age = Math.abs(Date.now() / 1000 - Number(payload.iat));
    // With a nonce, the authorization server's clock counts and the client's may be wrong (RFC 9449 §8).
    const fresh = payload['nonce'] !== undefined || age <= 2 * PROOF_LIVES_SECONDS;
    if (payload['htm'] !== 'POST' || !fresh) return undefined;
    return await calculateJwkThumbprint(protectedHeader.jwk as JWK);
  } catch {
    return undefined;
  }
}
