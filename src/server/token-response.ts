// Answers of the token endpoint: how the remedies read one, keep one, and write their own.
import { decodeJwt } from 'jose';
import { readText } from './body.js';

export interface IssuedTokens {
  readonly body: Readonly<Record<string, unknown>>;
  readonly refreshToken: string | undefined;
  /** The user by the word of the authorization server itself; empty where its tokens are opaque. */
  readonly userId: string;
}

/** A token response is some kilobytes long. */
const LONGEST_ANSWER = 1024 * 1024;
/** Of one connection or one client, or wrong the second time. */
const NOT_KEPT = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'date',
  'etag',
  'keep-alive',
  'set-cookie',
  'transfer-encoding',
]);
/** Lives that count from the response (RFC 6749 §5.1, draft-ietf-oauth-refresh-token-expiration, Keycloak, Entra). */
const LIVES = ['expires_in', 'refresh_token_expires_in', 'refresh_expires_in', 'ext_expires_in'];

/** The tokens in an answer, or `undefined` if it brought none. The answer itself stays readable. */
export async function readIssuedTokens(answer: Response): Promise<IssuedTokens | undefined> {
  if (answer.status !== 200) return undefined;
  const body = await readJson(answer);
  const { access_token: accessToken, refresh_token: refreshToken, id_token: idToken } = body ?? {};
  if (body === undefined || typeof accessToken !== 'string') return undefined;
  return {
    body,
    refreshToken: typeof refreshToken === 'string' && refreshToken !== '' ? refreshToken : undefined,
    userId: subjectOf(idToken) ?? subjectOf(accessToken) ?? '',
  };
}

/** The members of a JSON object, or `undefined` for every other body. The answer itself stays readable. */
export async function readJson(answer: Response): Promise<Record<string, unknown> | undefined> {
  const text = await readText(answer.clone().body, LONGEST_ANSWER);
  try {
    const body: unknown = JSON.parse(text ?? '');
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function subjectOf(token: unknown): string | undefined {
  try {
    return decodeJwt(String(token)).sub;
  } catch {
    return undefined;
  }
}

/** An answer as text, to be sealed. */
export function pack(answer: Response, { body }: IssuedTokens): string {
  const headers = [...answer.headers].filter(([name]) => !NOT_KEPT.has(name));
  return JSON.stringify({ headers, body });
}

/** The same answer again, with the life that its tokens have left. */
export function unpack(text: string, ageMs: number): Response {
  const { headers, body } = JSON.parse(text) as {
    headers: [string, string][];
    body: Record<string, unknown>;
  };
  for (const name of LIVES) {
    const life = body[name];
    if (typeof life === 'number') body[name] = Math.max(1, life - Math.ceil(ageMs / 1000));
  }
  const answer = jsonAnswer(200, body, headers);
  answer.headers.set('idempotent-replayed', 'true');
  return answer;
}

/** The same answer with another body. */
export function withBody(answer: Response, body: object): Response {
  const kept = [...answer.headers].filter(
    ([name]) => name !== 'content-length' && name !== 'content-encoding',
  );
  return new Response(JSON.stringify(body), { status: answer.status, headers: kept });
}

/** 409: somebody else has a newer pair already, and nothing was spent. */
export function versionConflict(currentVersion: number | undefined): Response {
  return jsonAnswer(409, { error: 'version_conflict', current_version: currentVersion });
}

/** 503: nothing was spent, and the same request may be repeated. */
export function notNow(description: string): Response {
  const body = { error: 'temporarily_unavailable', error_description: description };
  return jsonAnswer(503, body, [['retry-after', '2']]);
}

export function jsonAnswer(status: number, body: object, headers: [string, string][] = []): Response {
  const answer = new Response(JSON.stringify(body), { status, headers });
  // RFC 6749 §5.1
  answer.headers.set('content-type', 'application/json');
  answer.headers.set('cache-control', 'no-store');
  return answer;
}
