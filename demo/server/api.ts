// The API that the demo protects. It knows the authorization server by its published keys only, and takes Bearer tokens (RFC 6750) as well as
// those bound to a key (DPoP, RFC 9449).
import type http from 'node:http';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import type { ApiLog, ApiRequest } from './api-log.js';
import { createProofVerifier, ProofError } from './dpop-proof.js';
import { findUser } from './users.js';

export interface ApiOptions {
  issuer: string;
  audience: string;
  /** It tells its answers to this log. */
  log: ApiLog;
  /** The nonce that a DPoP proof must carry; asked at every request. Default: none is wanted. */
  nonce?: (() => string) | undefined;
}

export type Api = (req: http.IncomingMessage, res: http.ServerResponse) => Promise<void>;

export function createApi({ issuer, audience, log, nonce }: ApiOptions): Api {
  const keys = createRemoteJWKSet(new URL('/jwks', issuer));
  const verifyProof = createProofVerifier();

  return async (req, res) => {
    const { pathname } = new URL(req.url ?? '/', 'http://api');
    const [, scheme, token] = /^(Bearer|DPoP) (.+)$/i.exec(req.headers.authorization ?? '') ?? [];
    const seen: ApiRequest = { path: pathname, status: 200, ...(scheme !== undefined && { scheme }) };
    const isBound = scheme?.toLowerCase() === 'dpop';
    const answer = (status: number, body: object, challenge?: string): void => {
      log.add(Object.assign(seen, { status }));
      res.writeHead(status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        ...(challenge !== undefined && { 'www-authenticate': challenge }),
        ...(isBound && nonce && { 'dpop-nonce': nonce() }),
      });
      res.end(JSON.stringify(body));
    };
    const refuse = (error: string, reason: string): void => {
      seen.error = error;
      answer(401, { error: reason }, `${isBound ? 'DPoP algs="ES256", ' : 'Bearer '}error="${error}"`);
    };

    if (token === undefined) return answer(401, { error: 'no access token' }, 'Bearer');
    try {
      if (isBound) {
        const { method = 'GET', headers } = req;
        const url = `http://${headers.host}${pathname}`;
        const proof = { method, url, accessToken: token, nonce: nonce?.() };
        seen.jkt = await verifyProof(String(headers['dpop']), proof);
      }
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        typ: 'at+jwt',
        requiredClaims: ['sub', 'iat', 'exp'],
      });
      if (payload.jti !== undefined) seen.tokenId = payload.jti;
      // A token that is bound to a key is of no use without it, and one that is not proves nothing with one.
      const { jkt } = (payload['cnf'] ?? {}) as { jkt?: string };
      if (jkt !== seen.jkt) return refuse('invalid_token', 'bound to another key');
      if (log.isRefused(payload.jti)) return refuse('invalid_token', 'revoked');
      answer(200, {
        user: payload.sub,
        name: findUser(payload.sub)?.name,
        issuedAt: toIso(payload.iat),
        expiresAt: toIso(payload.exp),
      });
    } catch (error) {
      if (error instanceof ProofError) refuse(error.code, error.message);
      else if (error instanceof errors.JOSEError) refuse('invalid_token', error.code);
      else throw error;
    }
  };
}

function toIso(seconds: number | undefined): string {
  return new Date(Number(seconds) * 1000).toISOString().replace('.000', '');
}
