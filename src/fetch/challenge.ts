/** One challenge of a `WWW-Authenticate` header (RFC 9110 §11.6.1); scheme and parameter names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The subject of a 401: the token, the proof that goes with it (RFC 9449 §7.1, §9), or neither. */
export type Refusal = 'token' | 'proof' | 'other';

/**
 * Errors that another access token of the same grant cannot mend: too little scope (RFC 6750 §3.1), a malformed request, a sign-in that
 * is too weak or too old (RFC 9470).
 */
const NOT_THE_TOKEN = ['insufficient_scope', 'invalid_request', 'insufficient_user_authentication'];
/** Errors that a proof with another nonce or time mends. */
const THE_PROOF = ['use_dpop_nonce', 'invalid_dpop_proof'];

/** Whether an answer is that of the server asked, not of another that it redirected to: that one has not seen the token. */
export function isFrom(requested: URL, { url }: Response): boolean {
  return new URL(url, requested).origin === requested.origin;
}

/** The reason for a refusal; `undefined` if it was not. */
export function refusalOf(requested: URL, response: Response): Refusal | undefined {
  return response.status === 401 && isFrom(requested, response) ? readRefusal(response.headers) : undefined;
}

/**
 * The subject of a 401. Without a challenge, or where CORS hides it, the token is the best guess; challenges of other schemes only
 * (`Basic`, `Negotiate`) speak of other credentials.
 */
export function readRefusal(headers: Headers): Refusal {
  const challenges = parseChallenges(headers.get('www-authenticate') ?? '');
  if (challenges.length === 0) return 'token';
  const errors = challenges
    .filter(({ scheme }) => scheme === 'bearer' || scheme === 'dpop')
    .map(({ parameters }) => parameters.get('error') ?? '');
  if (errors.some((error) => THE_PROOF.includes(error))) return 'proof';
  return errors.some((error) => !NOT_THE_TOKEN.includes(error)) ? 'token' : 'other';
}

// guard: boundary: a header is read in linear time
/**
 * Every part of the grammar (RFC 9110 §11.2): space, a separator, a quoted string, a word. Each begins with another character and nothing is
 * ever tried twice, so that the time to read a header grows with its length only, whatever is in it.
 */
const PARTS = /[ \t]+|[,=]|"(?:[^"\\]|\\.)*"?|[^ \t,="]+/gs;

/** Splits a header with one or more challenges. Text that fits nowhere is left out, as is a comma that a server forgot. */
export function parseChallenges(header: string): Challenge[] {
  const parts = (header.match(PARTS) ?? []).filter((part) => part.trim());
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let parameters: Map<string, string> | undefined;
  for (let i = 0; i < parts.length; i++) {
    const name = parts[i] ?? '';
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) continue;
    // A name that "=" follows is a parameter. Any other begins a challenge, if a comma is before it: else it is the challenge's token68.
    if (parts[i + 1] === '=') {
      const value = parts[i + 2] ?? ',';
      parameters?.set(name.toLowerCase(), value === ',' ? '' : unquote(value));
      i += value === ',' ? 1 : 2;
    } else if (i === 0 || parts[i - 1] === ',') {
      parameters = new Map();
      challenges.push({ scheme: name.toLowerCase(), parameters });
    }
  }
  return challenges;
}

/** A quoted string's content; other text, and a quoted string without an end, as it is. */
function unquote(text: string): string {
  return /^"((?:[^"\\]|\\.)*)"$/s.exec(text)?.[1]?.replaceAll(/\\(.)/gs, '$1') ?? text;
}
