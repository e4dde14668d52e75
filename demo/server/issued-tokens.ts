// A successful answer of the token endpoint, as the remedies read it.
import type { TokenAnswer } from './token-endpoint.js';

export interface IssuedTokens {
  answer: Exclude<TokenAnswer, { broken: string }>;
  body: Record<string, unknown>;
  accessToken: string;
  refreshToken: string | undefined;
}

export function readIssuedTokens(answer: TokenAnswer): IssuedTokens | undefined {
  if ('broken' in answer || answer.status !== 200) return undefined;
  try {
    const body = JSON.parse(answer.body) as Record<string, unknown>;
    const { access_token, refresh_token } = body;
    if (typeof access_token !== 'string') return undefined;
    const refreshToken = typeof refresh_token === 'string' ? refresh_token : undefined;
    return { answer, body, accessToken: access_token, refreshToken };
  } catch {
    return undefined;
  }
}

/** 409: somebody else has a newer pair already; nothing was spent. */
export function versionConflict(currentVersion: number | null): TokenAnswer {
  return jsonAnswer(409, { error: 'version_conflict', current_version: currentVersion });
}

export function jsonAnswer(status: number, body: object): TokenAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
