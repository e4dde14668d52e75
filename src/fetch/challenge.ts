/** One challenge of a `WWW-Authenticate` header (RFC 9110 §11.6.1); scheme and parameter names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** What a 401 is about: the token, the proof that goes with it (RFC 9449 §7.1, §9), or neither. */
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

/** What a refused request was refused for; `undefined` if it was not. */
export function refusalOf(requested: URL, response: Response): Refusal | undefined {
  return response.status === 401 && isFrom(requested, response) ? readRefusal(response.headers) : undefined;
}

/**
 * What a 401 is about. Without a challenge, or where CORS hides it, the token is the best guess; challenges of other schemes only
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

/** Splits a header with one or more challenges; what cannot be read is left out. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  // Commas separate challenges as well as the parameters of one, but not within a quoted string.
  for (const [item] of header.matchAll(/(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g)) {
    // A name that "=" follows is a parameter; a name with anything else after it begins a challenge.
    const start = /^\s*([\w!#$%&'*+.^`|~-]+)(?!\s*=)(?:\s+|$)/.exec(item);
    if (start?.[1]) challenges.push({ scheme: start[1].toLowerCase(), parameters: new Map() });
    const rest = item.slice(start?.[0].length ?? 0);
    const parameter = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*("?)(.*?)\2\s*$/.exec(rest);
    if (parameter?.[1]) {
      const value = parameter[2] ? parameter[3]?.replaceAll(/\\(.)/g, '$1') : parameter[3];
      challenges.at(-1)?.parameters.set(parameter[1].toLowerCase(), value ?? '');
    }
  }
  return challenges;
}
