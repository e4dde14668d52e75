import { RefreshConflictError, RefreshRejectedError, RefreshUnavailableError } from '../core/errors.js';
import { errorCode, errorDescription } from '../core/sanitise.js';
import type { TokenResponse } from '../core/types.js';
import { INTERACTIVE, TRANSIENT } from '../outcome.js';
import { usableTokens } from '../token-response.js';
import { readRetryAfter } from './retry-after.js';
import { noAnswer } from './transport.js';

/** The errors of a token endpoint (RFC 6749 §5.2, RFC 8707 §2, RFC 9449 §5), besides those that ask for the user. */
const REGISTERED =
  /^(invalid_(request|client|grant|scope|target|dpop_proof)|unauthorized_client|unsupported_grant_type|use_dpop_nonce)$/;

function isRegistered(code: string): boolean {
  return REGISTERED.test(code) || INTERACTIVE.test(code);
}

/**
 * The meaning of the token endpoint's answer (RFC 6749 §5.1, §5.2).
 *
 * `oauth4webapi` writes the request but does not read the answer: its reading throws away a whole response for a fault in a
 * part of it (no `token_type`, an `id_token` that cannot be verified, `"scope": null`). At a refresh the server has already
 * consumed the old token by then, so whatever comes with an access token has to be kept; members that cannot be used are left out.
 *
 * @param sent - the token that was sent, which no text of the answer may show
 * @throws what {@link readTokenError} makes of it, if there is no access token in it
 */
export async function readTokenResponse(response: Response, sent?: string): Promise<TokenResponse> {
  const body = await readBody(response);
  const tokens = response.ok ? usableTokens(body) : undefined;
  if (tokens) return tokens;
  throw toError(response, body, sent);
}

/**
 * The meaning of an answer that is no success.
 *
 * @returns `RefreshConflictError` (409 `version_conflict`), `RefreshRejectedError` (an OAuth error, whatever the status) or
 * `RefreshUnavailableError` (anything else, with `Retry-After` where it can be read)
 */
export async function readTokenError(response: Response, sent?: string): Promise<Error> {
  return toError(response, await readBody(response), sent);
}

/** The OAuth error of an answer, which can still be read afterwards; `undefined` if there is none. */
export async function readErrorCode(response: Response): Promise<string | undefined> {
  if (response.ok) return undefined;
  const { error } = await readObject(response.clone());
  return isText(error) ? error : undefined;
}

function toError({ status, headers }: Response, body: unknown, sent: string | undefined): Error {
  const members = asObject(body);
  const { error: code, error_description: description, current_version: version } = members;
  if (status === 409 && code === 'version_conflict') {
    return new RefreshConflictError({
      currentVersion: Number.isSafeInteger(version) ? Number(version) : undefined,
    });
  }
  const secrets = [sent, members['access_token'], members['refresh_token'], members['id_token']];
  const error = isText(code) ? errorCode(code, secrets) : undefined;
  const details = { status, errorDescription: errorDescription(description, secrets), body };
  // The error counts, not the status. (Of an overloaded server, a proxy or a framework `error` is a word of its own: {"error":"Bad Gateway"}.)
  const isAboutRequest = status >= 500 || status === 408 || status === 429;
  if (error && !TRANSIENT.test(error) && (isRegistered(error) || !isAboutRequest))
    return new RefreshRejectedError({ ...details, error });
  return new RefreshUnavailableError({
    ...details,
    error,
    retryAfterMs: readRetryAfter(headers, Date.now()),
  });
}

type JsonObject = Record<string, unknown>;

/** The body as an object, empty if it is none. @throws `RefreshUnavailableError` if it breaks off */
export async function readObject(response: Response): Promise<JsonObject> {
  return asObject(await readBody(response));
}

/** JSON, a form, or the text itself. Dead refresh tokens are told in all three. @throws `RefreshUnavailableError` if it breaks off */
async function readBody(response: Response): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw noAnswer(error, { status: response.status });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const form = new URLSearchParams(text.trim());
    return form.has('error') || form.has('access_token') ? Object.fromEntries(form) : text;
  }
}

function asObject(body: unknown): JsonObject {
  // (A server that says nothing but the code.)
  const word = typeof body === 'string' ? body.trim() : '';
  if (isRegistered(word)) return { error: word };
  return typeof body === 'object' && body !== null ? (body as JsonObject) : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
