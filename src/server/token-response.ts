// Answers of the token endpoint: how the remedies read one, keep one, and write their own.
import { decodeJwt } from 'jose';
import { decompress } from './decompress.js';
import { membersOf, withMembers } from './json-text.js';

export interface IssuedTokens {
  /** The body, as the authorization server wrote it: the text of a JSON object. */
  readonly text: string;
  readonly refreshToken: string | undefined;
  /** The user by the word of the authorization server itself; empty where its tokens are opaque. */
  readonly userId: string;
}

const decoder = new TextDecoder();
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
/** True of a compressed body only. */
const COMPRESSION = ['content-encoding', 'content-length'];
/** Lives that count from the response (RFC 6749 §5.1, draft-ietf-oauth-refresh-token-expiration, Keycloak, Entra). */
const LIVES = [
  'expires_in',
  'refresh_token_timeout',
  'refresh_token_expires_in',
  'refresh_expires_in',
  'ext_expires_in',
];

/** An answer whose body was read, and can be read again. */
export interface ReadAnswer {
  readonly answer: Response;
  /** The members of its JSON object; `undefined` for every other body, and unless it is a success. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
  /** The text of the body that has these members; empty without them. */
  readonly text: string;
}

/**
 * Reads an answer once and makes another one of its bytes. `clone()` would make two streams, of which each costs more than the digests of a
 * refresh.
 *
 * @param unreadable - called with the codings of a success whose body is compressed in a way that this process cannot read
 */
export async function readAnswer(
  answer: Response,
  unreadable: (codings: string) => void = () => {},
): Promise<ReadAnswer> {
  const { ok, status, statusText } = answer;
  const codings = answer.headers.get('content-encoding');
  if (answer.body === null || (!ok && codings === null)) return { answer, body: undefined, text: '' };
  const bytes = await answer.arrayBuffer();
  const headers = new Headers(answer.headers);
  let text = decoder.decode(bytes);
  let body = parseObject(text);
  if (codings !== null) {
    if (body) {
      // `fetch` has decompressed it and left the headers. A client would try to decompress it again.
      // guard: a body that is not compressed says so
      for (const name of COMPRESSION) headers.delete(name);
    } else if (ok) {
      const plain = await decompress(bytes, codings);
      if (!plain && bytes.byteLength > 0) unreadable(codings);
      text = decoder.decode(plain);
      body = parseObject(text);
    }
  }
  const copy = new Response(bytes, { status, statusText, headers });
  return ok && body ? { answer: copy, body, text } : { answer: copy, body: undefined, text: '' };
}

/** The tokens in an answer, or `undefined` if it brought none. */
export function issuedTokens({ body, text }: ReadAnswer): IssuedTokens | undefined {
  const { access_token: accessToken, refresh_token: refreshToken, id_token: idToken } = body ?? {};
  if (body === undefined || typeof accessToken !== 'string') return undefined;
  return {
    text,
    refreshToken: typeof refreshToken === 'string' && refreshToken !== '' ? refreshToken : undefined,
    userId: subjectOf(idToken) ?? subjectOf(accessToken) ?? '',
  };
}

/** The OAuth error of an answer, if there is one. The answer itself stays readable. */
export async function errorOf(answer: Response): Promise<unknown> {
  return parseObject(await answer.clone().text())?.['error'];
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function subjectOf(token: unknown): string | undefined {
  // An opaque token. jose would say so with an error, whose stack costs more than the digests.
  if (typeof token !== 'string' || token.split('.').length !== 3) return undefined;
  try {
    const { sub } = decodeJwt(token) as { sub?: unknown };
    // guard: a subject is a text
    return typeof sub === 'string' ? sub : undefined;
  } catch {
    return undefined;
  }
}

/**
 * An answer as text, to be sealed.
 *
 * @param lateMs - how old it is already
 */
export function pack(answer: Response, issued: IssuedTokens, lateMs: number): string {
  const headers = [...answer.headers].filter(([name]) => !NOT_KEPT.has(name));
  // guard: a body is kept as it was written
  return `{"headers":${JSON.stringify(headers)},"lateMs":${lateMs},"body":${issued.text}}`;
}

/** The same answer again, with the life that its tokens have left. */
export function unpack(packed: string, ageMs: number): Response {
  const {
    headers,
    body,
    lateMs = 0,
  } = JSON.parse(packed) as {
    headers: [string, string][];
    body: Record<string, unknown>;
    /** Absent in what an older version kept. */
    lateMs?: number;
  };
  // The clock may have been set back.
  const age = Math.max(0, ageMs) + lateMs;
  const left: Record<string, number> = {};
  for (const name of LIVES) {
    const life = body[name];
    // (Keycloak's 0 stands for no end at all.)
    if (typeof life === 'number' && life > 0) left[name] = Math.max(1, life - Math.ceil(age / 1000));
  }
  const { start, end } = membersOf(packed).find(({ name }) => name === 'body')!;
  const answer = textAnswer(200, withMembers(packed.slice(start, end), left), headers);
  answer.headers.set('idempotent-replayed', 'true');
  return answer;
}

/** The same answer with more members in its body. */
export function withMembersIn(
  answer: Response,
  { text }: IssuedTokens,
  members: Record<string, unknown>,
): Response {
  const kept = [...answer.headers].filter(([name]) => !COMPRESSION.includes(name));
  return new Response(withMembers(text, members), { status: answer.status, headers: kept });
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
  return textAnswer(status, JSON.stringify(body), headers);
}

function textAnswer(status: number, body: string, headers: [string, string][]): Response {
  const answer = new Response(body, { status, headers });
  // RFC 6749 §5.1
  answer.headers.set('content-type', 'application/json');
  answer.headers.set('cache-control', 'no-store');
  return answer;
}
