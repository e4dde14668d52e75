import type { ErrorCode } from './errors.js';

/** Gives the message of an error: its code, the word of the case where the code has several, and the values of the sentence. */
export type Say = (code: ErrorCode, word?: Word, ...values: readonly string[]) => string;

/** By code, and by the word of the case; `$1` and `$2` are its values. docs/errors.md has the same list, which a test compares. */
export const sentences = {
  ERR_SIGNED_OUT: 'Nobody is signed in, or the session was replaced',
  ERR_REAUTH_REQUIRED: 'The server ended the session; the user has to sign in again',
  ERR_REFRESH_REJECTED: "The token endpoint refused the refresh; check the client's configuration",
  ERR_REFRESH_UNAVAILABLE: 'The token endpoint gave no usable answer; the session is kept',
  ERR_TIMEOUT: 'No token in time',
  ERR_ABORTED: 'Aborted by its signal',
  ERR_STORAGE: 'The store failed; it is tried again',
  ERR_UNSUPPORTED: 'A newer version of this app keeps the session; reload the page',
  ERR_CLOSED: 'The coordinator was closed',
  ERR_CONFIGURATION: '`refresh` waited for its own coordinator; use a plain fetch in it',

  // Options.
  name: '`name` must be a non-empty string',
  refresh: '`refresh` must be a function, or what refreshTokenGrant() returns',
  refreshBeforeMs: '`refreshBeforeMs` must be a number of milliseconds, at least 0 and below 2^31',
  minValidityMs: '`minValidityMs` must be a number of milliseconds, at least 0 and below 2^31',
  refreshTimeoutMs: '`refreshTimeoutMs` must be a number of milliseconds, at least 1 and below 2^31',
  leaderTimeoutMs: '`leaderTimeoutMs` must be a number of milliseconds, at least 1 and below 2^31',
  proactive: "`proactive` must be 'visible' or 'always' or 'never'",
  broadcast: "`broadcast` must be 'pair' or 'access-token'",
  storage: "`storage` must be 'persistent' or 'session'",
  isSessionLost: '`isSessionLost` must be a function',
  debug: '`debug` must be true, or a function that prints a line',
  idle: '`idle` must be { timeoutMs, warnBeforeMs? }, milliseconds, the second less than the first',
  binding: '`binding` must be a non-empty string',
  worker: '`worker` must be a URL, or { url, scope }',

  // Calls.
  durations: 'getAccessToken: `timeoutMs` and `minValidityMs` must be milliseconds',
  audience: 'getAccessToken: `resource` and `scope` must be text',
  signal: 'getAccessToken: `signal` must be an AbortSignal',
  listener: 'A listener must be a function',
  tokens: 'setSession() takes a token response (RFC 6749 §5.1) with an `access_token`',
  characters:
    'These tokens have characters that no token has (RFC 6749 §A.12); hand over the response as it came',
  dpopKeyPair: 'These tokens are bound to a key; use refreshTokenGrant({ dpop: true })',
  token_type:
    'These tokens are no Bearer tokens; with `token_type` DPoP use refreshTokenGrant({ dpop: true })',
  sessionExpiresAt: '`sessionExpiresAt` must be an instant in the future, in epoch milliseconds',
  refresh_token:
    'This token response has no `refresh_token`: ask for one at the sign-in (often: scope offline_access), or give setSession() { refreshable: false }',
  browser: 'Tokens exist in browsers only',
  export: 'The module of exportSession() could not be loaded',
  'idle-module': 'The module of the idle time-out could not be loaded',

  // Answers of the token endpoint, and what the store holds.
  threw: 'Your `refresh` function threw $1: $2',
  'answer-refresh_token':
    'The `refresh_token` of the answer has characters that no token has (RFC 6749 §A.17)',
  'answer-access_token': 'The `access_token` of the answer has characters that no token has (RFC 6749 §A.12)',
  'answer-claim':
    "The ID token of the answer has another `$1` than the session's (OpenID Connect Core §12.2)",
  'answer-token_type': 'The answer has another `token_type` than the session, whose tokens are $1',
  foreign:
    'The session under this `name` belongs to $1, and this coordinator to $2; give each a name of its own, or sign in again',
};

/** The case, where an error code alone does not tell it. */
export type Word = Exclude<keyof typeof sentences, `ERR_${string}`>;

/** The messages while an app is developed, and in Node: whole sentences that say what to change. */
export const say: Say = (code, word, ...values) =>
  sentences[word ?? code].replace(/\$(\d)/g, (_, n: string) => values[Number(n) - 1]!);

/** A page is told no more of these three. */
export const NETWORK_HINT = 'offline, a wrong address, or no CORS headers there';
