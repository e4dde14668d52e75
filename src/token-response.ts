import { say } from '#texts';
import { claimedLife, readClaims } from './claims.js';
import { isText } from './core/parse.js';
import type { SessionRecord } from './core/record.js';
import type { Word } from './core/texts.development.js';
import type { TokenResponse } from './core/types.js';
import type { TokenClient } from './types.js';

type Members = { -readonly [K in keyof TokenResponse]: TokenResponse[K] };

/**
 * The usable part of a token response (RFC 6749 §5.1): a copy, or `undefined` if there is no access token in it. At a refresh the server
 * has consumed the old token by then, so a member that cannot be used is left out, and costs nothing else. (Some servers send `null`,
 * seconds as text, a scope as a list.)
 */
export function usableTokens(given: unknown): TokenResponse | undefined {
  const tokens = { ...(given as Members) };
  if (!isFull(tokens.access_token)) return undefined;
  for (const name of ['refresh_token', 'id_token', 'token_type'])
    if (!isFull(tokens[name])) delete tokens[name];
  const { expires_in: life, scope } = tokens as Record<string, unknown>;
  // (Of anything else than text and numbers a conversion may throw: of an array that is nested deeply enough, say.)
  const seconds = typeof life === 'string' ? parseFloat(life) : typeof life === 'number' ? life : NaN;
  delete tokens.expires_in;
  if (!Number.isNaN(seconds)) tokens.expires_in = Math.max(0, seconds);
  const list: unknown = Array.isArray(scope) ? scope : [scope];
  delete tokens.scope;
  if ((list as unknown[]).every((one) => typeof one === 'string'))
    tokens.scope = (list as string[]).join(' ');
  return tokens;
}

function isFull(value: unknown): boolean {
  return isText(value) && value !== '';
}

/** The same, with the life that the access token claims for itself where the response does not say one. */
export function tokensWithLife(given: unknown, now: number): TokenResponse | undefined {
  const tokens = usableTokens(given);
  if (tokens?.expires_in !== undefined || !tokens) return tokens;
  const seconds = claimedLife(tokens.access_token, now);
  return Number.isNaN(seconds) ? tokens : { ...tokens, expires_in: Math.max(0, seconds) };
}

/** Why nothing of a successful answer may be used, or nothing but its refresh token. */
export interface Refusal {
  readonly message: string;
  /** The answer is about another session. */
  readonly isForeign: boolean;
}

/** The characters of a token (RFC 6749, appendix A.12 and A.17). */
const TOKEN = /^[\x20-\x7E]+$/;

/** Whether these can be tokens. */
export function areTokens(...tokens: (string | undefined)[]): boolean {
  return tokens.every((token) => token === undefined || TOKEN.test(token));
}

/** How tokens of this type are used, this client knows: as Bearer tokens, or by what its own `authorize` does. */
export function isKnownType(type: string | undefined, client: TokenClient): boolean {
  return client.authorize !== undefined || isSameType(type ?? 'Bearer', 'Bearer');
}

/** RFC 6749 §5.1: the case does not count. */
function isSameType(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/**
 * Compares a successful answer with the session that asked for it.
 * @param record - of that session
 */
export function refusalOf(
  tokens: TokenResponse,
  record: SessionRecord,
  client: TokenClient,
): Refusal | undefined {
  const { sessionId, idToken } = record;
  const refuse = (message: string, isForeign = false): Refusal => ({ message, isForeign });
  const misfit = (word: Word, isForeign?: boolean, ...values: string[]): Refusal =>
    refuse(say('ERR_CONFIGURATION', word, ...values), isForeign);
  if (!areTokens(tokens.refresh_token)) return misfit('answer-refresh_token', true);
  const claim = otherClaim(tokens.id_token, idToken);
  if (claim) return misfit('answer-claim', true, claim);
  if (!areTokens(tokens.access_token)) return misfit('answer-access_token');
  const type = typeOf(record);
  if (
    tokens.token_type &&
    !(type ? isSameType(tokens.token_type, type) : isKnownType(tokens.token_type, client))
  )
    return misfit('answer-token_type', false, type ?? 'Bearer');
  try {
    client.check?.({ sessionId, tokens });
    return undefined;
  } catch (error) {
    return refuse(String((error as Partial<Error> | undefined)?.message));
  }
}

/** How the session's tokens are used. */
export function typeOf({ accessTokens }: SessionRecord): string | undefined {
  return (accessTokens[''] ?? Object.values(accessTokens)[0])?.type;
}

/** The claim of a new ID token that is another one than before. One that cannot be read (RFC 7516) says nothing. */
function otherClaim(given: string | undefined, before: string | undefined): string | undefined {
  const [after, known] = [readClaims(given), readClaims(before)];
  if (!Object.keys(after)[0] || !Object.keys(known)[0]) return undefined;
  // (A list with anything else than text in it may be nested deeply enough to throw.)
  const value = (claim: unknown): string | undefined => {
    const list: unknown[] = Array.isArray(claim) ? claim : [claim];
    return list.every((one) => typeof one === 'string') ? JSON.stringify([...list].sort()) : undefined;
  };
  return ['iss', 'sub', 'aud'].find((name) => value(after[name]) !== value(known[name]));
}
