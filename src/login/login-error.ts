import type { RefreshRejectedError } from '../core/errors.js';

/** The kind of fault of a sign-in, as a literal that never changes. */
export type LoginErrorCode =
  // From the authorization server: RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6, RFC 9470 §5. Others come as they are.
  | 'access_denied'
  | 'account_selection_required'
  | 'consent_required'
  | 'interaction_required'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'login_required'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'unauthorized_client'
  | 'unmet_authentication_requirements'
  | 'unsupported_response_type'
  // Ours.
  | 'challenge_invalid'
  | 'id_token_invalid'
  | 'issuer_mismatch'
  | 'popup_blocked'
  | 'popup_closed'
  | 'response_invalid'
  | 'return_to_invalid'
  | 'server_unavailable'
  | 'state_unknown'
  | 'storage_unavailable'
  | 'subject_changed'
  | (string & {});

/** Members of a {@link LoginError} besides its code. */
export interface LoginErrorDetails {
  /** The server's `error_description`, without anything that belongs to the sign-in itself. */
  readonly errorDescription?: string | undefined;
  /** The cause; never a request or a response. */
  readonly cause?: unknown;
}

/**
 * A sign-in, a step-up or a logout that did not come to its end. Compare `code`; the message is for developers. No code, state,
 * verifier or token is ever part of it.
 */
export class LoginError extends Error {
  override readonly name = 'LoginError';
  /** The kind of fault, as a literal. The server's own error codes come as the server sent them. */
  readonly code: LoginErrorCode;
  /** The server's `error_description`, if it gave one. */
  readonly errorDescription: string | undefined;

  /**
   * @param code - the literal that callers compare
   * @param message - one sentence for the developer
   * @param details - what applies to this code
   */
  constructor(code: LoginErrorCode, message: string, { errorDescription, cause }: LoginErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.errorDescription = errorDescription;
  }
}

/** A text from outside: cut to the characters of RFC 6749 §5.2, without what is secret in this sign-in. */
function clean(text: string, length: number, secrets: readonly string[]): string {
  return secrets
    .reduce((rest, secret) => (secret ? rest.replaceAll(secret, '…') : rest), text)
    .replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e…]/g, '')
    .slice(0, length);
}

/**
 * The error of an OAuth response.
 * @param secrets - code, state, nonce and verifier: the server may repeat them
 */
export function serverError(
  error: string,
  description: string | null | undefined,
  secrets: readonly string[],
): LoginError {
  const code = clean(error, 64, secrets) || 'server_error';
  const errorDescription = clean(description ?? '', 200, secrets) || undefined;
  return new LoginError(code, `The authorization server answered ${code}`, { errorDescription });
}

/** The error of a failed request of the login; errors in the library's own terms are kept. */
export function asLoginError(thrown: unknown, secrets: readonly string[] = []): unknown {
  const { code, refreshOutcome, error, errorDescription, cause } = Object(thrown) as Partial<
    Omit<RefreshRejectedError, 'refreshOutcome'> & { code: string; refreshOutcome: string }
  >;
  if (thrown instanceof LoginError || String(code).startsWith('ERR_')) return thrown;
  if (refreshOutcome === 'rejected') return serverError(String(error), errorDescription, secrets);
  // The cause of any other error may be a request or a response.
  const known = refreshOutcome ? (cause as Partial<Error> | undefined) : undefined;
  const why = known?.message ? `: ${clean(known.message, 200, secrets)}` : '';
  return new LoginError('server_unavailable', `The authorization server gave no usable answer${why}`, {
    cause: known,
  });
}
