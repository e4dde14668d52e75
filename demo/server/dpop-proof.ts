// The checks of a DPoP proof at an API (RFC 9449 §4.3, §7.1): that it was made for this request and this token, just now, and never came before.
import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, errors, jwtVerify, type JWK } from 'jose';

const PROOF_LIVES_SECONDS = 60;

export interface ProvenRequest {
  method: string;
  /** Absolute, without query and fragment. */
  url: string;
  accessToken: string;
  /** The one that the proof must carry, if any must. */
  nonce?: string | undefined;
}

/** Why a request is refused: the `error` of the challenge. */
export class ProofError extends Error {
  readonly code: 'invalid_dpop_proof' | 'use_dpop_nonce';

  constructor(code: ProofError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export type VerifyProof = (proof: string, request: ProvenRequest) => Promise<string>;

/** @returns a function: the thumbprint of the key that signed the proof; it throws a `ProofError` if the proof does not hold */
export function createProofVerifier(): VerifyProof {
  const seen = new Set<string>();

  return async (proof, { method, url, accessToken, nonce }) => {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['jti', 'iat', 'htm', 'htu', 'ath'],
      maxTokenAge: PROOF_LIVES_SECONDS,
      clockTolerance: 5,
    }).catch((error: unknown) => {
      if (error instanceof errors.JOSEError) throw new ProofError('invalid_dpop_proof', error.code);
      throw error;
    });
    const expected = { htm: method, htu: url, ath: sha256(accessToken) };
    for (const [name, value] of Object.entries(expected)) {
      if (payload[name] !== value) throw new ProofError('invalid_dpop_proof', name);
    }
    if (nonce !== undefined && payload['nonce'] !== nonce) throw new ProofError('use_dpop_nonce', 'nonce');
    if (seen.has(String(payload.jti))) throw new ProofError('invalid_dpop_proof', 'jti');
    seen.add(String(payload.jti));
    return calculateJwkThumbprint(protectedHeader.jwk as JWK);
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
