/**
 * Every error that the library hands to a caller is a {@link TokenCoordinatorError} with a literal `code`;
 * compare codes, not classes (two bundles on one page have two classes). A refresh function speaks by
 * throwing one of the three `Refresh…Error`s, which are recognised by a literal brand for the same reason.
 */

/** The kind of fault, as a literal that never changes. */
export type ErrorCode =
  | 'ERR_SIGNED_OUT'
  | 'ERR_REAUTH_REQUIRED'
  | 'ERR_REFRESH_REJECTED'
  | 'ERR_REFRESH_UNAVAILABLE'
  | 'ERR_TIMEOUT'
  | 'ERR_ABORTED'
  | 'ERR_STORAGE'
  | 'ERR_UNSUPPORTED'
  | 'ERR_CLOSED'
  | 'ERR_CONFIGURATION';

/**
 * Why a session was lost.
 * - `refresh_rejected`: the server refused the refresh token.
 * - `response_lost`: likewise, after an answer that nobody heard.
 * - `interaction_required`: the server wants the user (OpenID Connect Core §3.1.2.6).
 * - `no_refresh_token`: there is nothing to refresh with, and its access token has expired, or the end that was known in advance has come.
 * - `refresh_unanswered`: the server refused three times in a row with 400 or 401 and no OAuth error. The tokens stay, each wake-up tries
 *   again, and a success brings the session back.
 */
export type LossReason =
  'refresh_rejected' | 'response_lost' | 'interaction_required' | 'no_refresh_token' | 'refresh_unanswered';

/** Members of an error besides its code, where they apply. Never a token, a request or a response. */
export interface ErrorDetails {
  /** Of `ERR_REAUTH_REQUIRED`. */
  reason?: LossReason | undefined;
  /** Of a refresh that failed: the HTTP status of the answer. */
  status?: number | undefined;
  /** Of a refresh that failed: the OAuth error code (RFC 6749 §5.2), at most 64 of its characters, without known tokens. */
  error?: string | undefined;
  /** Of a refresh that failed: the OAuth `error_description`, at most 256 of its characters, without known tokens. */
  errorDescription?: string | undefined;
  /** Of `ERR_REFRESH_UNAVAILABLE`: milliseconds until the next attempt, where known. */
  retryAfterMs?: number | undefined;
  /** The cause; kept out of enumeration, as every `cause` is. */
  cause?: unknown;
}

/** The same symbol in every copy of this package. */
const BRAND = Symbol.for('one-refresh.TokenCoordinatorError');

/**
 * Whether this is an error of a coordinator, also of another copy of this package on the page, where `instanceof` fails.
 * A `code` alone does not tell: errors of other libraries have one, too. Throws nothing.
 */
export function isTokenCoordinatorError(value: unknown): value is TokenCoordinatorError {
  return (Object(value) as { readonly [BRAND]?: unknown })[BRAND] === true;
}

/** The one base class of all errors handed to callers. */
export class TokenCoordinatorError extends Error {
  override readonly name = 'TokenCoordinatorError';
  /** The kind of fault, as a literal. */
  readonly code: ErrorCode;
  /** Of `ERR_REAUTH_REQUIRED`: why the session was lost. */
  declare readonly reason?: LossReason;
  /** Of a refresh that failed: the HTTP status of the answer. */
  declare readonly status?: number;
  /** Of a refresh that failed: the OAuth error code (RFC 6749 §5.2), at most 64 of its characters, without known tokens. */
  declare readonly error?: string;
  /** Of a refresh that failed: the OAuth `error_description`, at most 256 of its characters, without known tokens. */
  declare readonly errorDescription?: string;
  /** Of `ERR_REFRESH_UNAVAILABLE`: milliseconds until the next attempt, where known. */
  declare readonly retryAfterMs?: number;

  /**
   * @param code - the literal that callers compare
   * @param message - one sentence for the developer; never contains a token
   * @param details - what applies to this code
   */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, ...rest } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.defineProperty(this, BRAND, { value: true });
    for (const [key, value] of Object.entries(rest)) {
      if (value !== undefined) Object.defineProperty(this, key, { value, enumerable: true });
    }
  }
}

/** The server refused the refresh with an OAuth error (RFC 6749 §5.2); `invalid_grant` ends the session after reconciliation. */
export class RefreshRejectedError extends Error {
  override readonly name = 'RefreshRejectedError';
  /** Literal brand; minifiers and second bundles do not change it. */
  readonly refreshOutcome = 'rejected';
  /** The OAuth error code (RFC 6749 §5.2). */
  readonly error: string;
  /** The OAuth `error_description`, if there was one. */
  readonly errorDescription: string | undefined;
  /** The HTTP status, if known. */
  readonly status: number | undefined;
  /** The body of the answer, parsed, for `isSessionLost`; not enumerable, since it may show tokens. */
  declare readonly body: unknown;

  /** @param details - the OAuth `error`, its description, the HTTP status and the body, as the server sent them */
  constructor(details: {
    error: string;
    errorDescription?: string | undefined;
    status?: number | undefined;
    body?: unknown;
  }) {
    super(`The token endpoint refused the refresh: ${details.error}`);
    this.error = details.error;
    this.errorDescription = details.errorDescription;
    this.status = details.status;
    Object.defineProperty(this, 'body', { value: details.body });
  }
}

/** No usable answer: network, deadline, 5xx, 429, 408. The session stays; the coordinator tries again. */
export class RefreshUnavailableError extends Error {
  override readonly name = 'RefreshUnavailableError';
  /** Literal brand; minifiers and second bundles do not change it. */
  readonly refreshOutcome = 'unavailable';
  /** Milliseconds to wait, if the server said so; any value but a positive number counts as not said. */
  readonly retryAfterMs: number | undefined;
  /** The HTTP status, if there was an answer; 429 means: nothing was spent. */
  readonly status: number | undefined;
  /** An OAuth error that says that the server is not available (RFC 6749 §4.1.2.1). */
  readonly error: string | undefined;
  /** Its `error_description`. */
  readonly errorDescription: string | undefined;
  /** The body of the answer, parsed, for `isSessionLost`; not enumerable, since it may show tokens. */
  declare readonly body: unknown;

  /** @param details - milliseconds to wait if the server said so, the HTTP status (429 means: nothing was spent), the OAuth error, the body, the cause */
  constructor(
    details: {
      retryAfterMs?: number | undefined;
      status?: number | undefined;
      error?: string | undefined;
      errorDescription?: string | undefined;
      body?: unknown;
      cause?: unknown;
    } = {},
  ) {
    super(
      'The token endpoint gave no usable answer',
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.retryAfterMs = details.retryAfterMs;
    this.status = details.status;
    this.error = details.error;
    this.errorDescription = details.errorDescription;
    Object.defineProperty(this, 'body', { value: details.body });
  }
}

/** The server holds a newer version than the one that was sent (409 `version_conflict`); nothing was spent. */
export class RefreshConflictError extends Error {
  override readonly name = 'RefreshConflictError';
  /** Literal brand; minifiers and second bundles do not change it. */
  readonly refreshOutcome = 'conflict';
  /** The server's `current_version`, if it said one. */
  readonly currentVersion: number | undefined;

  /** @param details - the server's `current_version`, if it said one */
  constructor(details: { currentVersion?: number | undefined } = {}) {
    super('The server holds a newer version of this session');
    this.currentVersion = details.currentVersion;
  }
}
