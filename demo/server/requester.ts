// Who asks, as far as a token endpoint can know: the same client that asked before, or somebody else with the same refresh token.
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, type JWK } from 'jose';
import { hash } from './session-store.js';
import type { TokenRequest } from './token-endpoint.js';

const IDEMPOTENCY_HEADER = 'idempotency-key';
const PROOF_LIVES_SECONDS = 60;

/** A hash of the DPoP key or of the idempotency key; null for a request with neither. */
export async function holderOf(request: TokenRequest): Promise<Uint8Array | null> {
  const { dpop, [IDEMPOTENCY_HEADER]: key } = request.headers;
  if (typeof dpop === 'string') {
    const thumbprint = await provenKey(dpop);
    // A proof that does not hold is no reason to answer from memory; the authorization server will have its say on it.
    return hash('dpop', thumbprint ?? `not proven: ${request.id}`);
  }
  return typeof key === 'string' ? hash('key', key) : null;
}

/**
 * What was asked for. A pair is given again only to the same question: it is for one client and one audience (RFC 8707).
 */
export function askedBy({ form }: TokenRequest): Uint8Array {
  return hash(
    form.get('client_id') ?? '',
    (form.get('scope') ?? '').split(' ').filter(Boolean).sort().join(' '),
    ...form.getAll('resource').sort(),
  );
}

/** The thumbprint of the key that a proof (RFC 9449 §4.2) proves, if it is sound: anybody can copy a public key. */
async function provenKey(proof: string): Promise<string | undefined> {
  try {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      requiredClaims: ['jti', 'iat', 'htm', 'htu'],
      maxTokenAge: PROOF_LIVES_SECONDS,
      clockTolerance: PROOF_LIVES_SECONDS,
    });
    if (payload['htm'] !== 'POST' || protectedHeader.alg.startsWith('HS')) return undefined;
    return await calculateJwkThumbprint(protectedHeader.jwk as JWK);
  } catch {
    return undefined;
  }
}
