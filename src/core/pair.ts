// The tokens that a record holds, and those that come next.
import {
  LATEST,
  MOST_AUDIENCES,
  MOST_SPARES,
  next,
  type AccessToken,
  type SessionRecord,
  type Spare,
} from './record.js';
import type { TokenResponse } from './types.js';

/** Whether both came of the same answer, though one of them may have been told without its refresh token. */
export function isSamePair(one: SessionRecord | undefined, other: SessionRecord | undefined): boolean {
  const fetched = ({ accessTokens, version: newest }: SessionRecord): string | undefined =>
    Object.values(accessTokens).find(({ version }) => version === newest)?.token;
  const isSameVersion = one?.sessionId === other?.sessionId && one?.version === other?.version;
  return isSameVersion && (one?.refreshToken === other?.refreshToken || fetched(one!) === fetched(other!));
}

/** The refresh tokens of a session, those of its spares included. */
export function refreshTokensIn({ refreshToken, spares = [] }: SessionRecord): (string | undefined)[] {
  return [refreshToken, ...spares.map((spare) => spare.refreshToken)];
}

/** All tokens that a record holds. */
export function tokensIn(record: SessionRecord | undefined): readonly (string | undefined)[] {
  if (!record) return [];
  const { refreshToken, idToken, accessTokens, spares = [] } = record;
  const ofSpares = spares.flatMap((spare) => [spare.refreshToken, spare.accessToken.token]);
  return [refreshToken, idToken, ...Object.values(accessTokens).map(({ token }) => token), ...ofSpares];
}

/** The next version, with this pair. */
export function withPair(
  record: SessionRecord,
  { refreshToken, audience, accessToken }: Spare,
): SessionRecord {
  const version = next(record.version);
  const accessTokens: { [audience: string]: AccessToken } = {
    ...record.accessTokens,
    [audience]: { ...accessToken, version },
  };
  // One too many: the oldest is fetched again when it is asked for.
  if (Object.keys(accessTokens).length > MOST_AUDIENCES) {
    const others = Object.entries(accessTokens).filter(([key]) => key);
    delete accessTokens[others.reduce((a, b) => (b[1].version < a[1].version ? b : a))[0]];
  }
  return {
    ...record,
    version,
    refreshToken,
    accessTokens,
    journal: undefined,
    // guard: ⚑ reauth-required is revisable: a late pair brings the session back
    spares: undefined,
    ended: undefined,
    // (A server may keep the refresh token that it had: unknown members stay unknown.)
    withheld: refreshToken === undefined ? record.withheld : undefined,
  };
}

/** With one spare more; the record itself, if it has that. */
export function withSpare(record: SessionRecord, spare: Spare): SessionRecord {
  const { spares = [] } = record;
  // guard: a spare whose first write was reported as failed is kept once
  return spares.length >= MOST_SPARES ||
    [record, ...spares].some(({ refreshToken }) => refreshToken === spare.refreshToken)
    ? record
    : { ...record, spares: [...spares, spare] };
}

/** The access token of a response. `at` is when its request was sent. */
export function toAccessToken(tokens: TokenResponse, version: number, at: number): AccessToken {
  const seconds = tokens.expires_in;
  return {
    token: tokens.access_token,
    type: tokens.token_type ?? 'Bearer',
    version,
    obtainedAt: at,
    ...(seconds !== undefined && { expiresAt: Math.min(at + seconds * 1000, LATEST) }),
  };
}
