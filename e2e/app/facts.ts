// Tokens and errors as a test may see them: claims and codes, never a token.
import { decodeJwt } from 'jose';
import { TokenCoordinatorError } from 'one-refresh';

export interface TokenFacts {
  /** Unique for each access token. */
  tokenId: string;
  subject: string;
  expiresAt: number;
  ms?: number;
}

export interface Failure {
  code: string | undefined;
  message: string;
  reason?: string;
  retryAfterMs?: number;
  error?: string;
  /** Its look in JSON and in a console. */
  json: string;
  ms?: number;
}

export function describeToken(token: string): TokenFacts {
  const { jti = '', sub = '', exp = 0 } = decodeJwt(token);
  return { tokenId: jti, subject: sub, expiresAt: exp * 1000 };
}

export function describeError(error: unknown): Failure {
  if (!(error instanceof TokenCoordinatorError)) {
    return { code: undefined, message: String(error), json: JSON.stringify(error) };
  }
  const { code, message } = error;
  const details = error as { reason?: string; retryAfterMs?: number; error?: string };
  return {
    code,
    message,
    json: JSON.stringify(error),
    ...(details.reason === undefined ? {} : { reason: details.reason }),
    ...(details.retryAfterMs === undefined ? {} : { retryAfterMs: details.retryAfterMs }),
    ...(details.error === undefined ? {} : { error: details.error }),
  };
}
