// The API that the demo protects. It knows the authorization server by its published keys only.
import type http from 'node:http';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { findUser } from './users.js';

export interface ApiOptions {
  issuer: string;
  audience: string;
}

export type Api = (req: http.IncomingMessage, res: http.ServerResponse) => Promise<void>;

export function createApi({ issuer, audience }: ApiOptions): Api {
  const keys = createRemoteJWKSet(new URL('/jwks', issuer));

  return async (req, res) => {
    const token = /^Bearer (.+)$/i.exec(req.headers.authorization ?? '')?.[1];
    if (token === undefined) {
      send(res, 401, { error: 'no access token' }, 'Bearer');
      return;
    }
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        typ: 'at+jwt',
        requiredClaims: ['sub', 'iat', 'exp'],
      });
      send(res, 200, {
        user: payload.sub,
        name: findUser(payload.sub)?.name,
        issuedAt: toIso(payload.iat),
        expiresAt: toIso(payload.exp),
      });
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      send(res, 401, { error: error.code }, 'Bearer error="invalid_token"');
    }
  };
}

function toIso(seconds: number | undefined): string {
  return new Date(Number(seconds) * 1000).toISOString().replace('.000', '');
}

function send(res: http.ServerResponse, status: number, body: object, challenge?: string): void {
  res.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(challenge === undefined ? {} : { 'www-authenticate': challenge }),
  });
  res.end(JSON.stringify(body));
}
