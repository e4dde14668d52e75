import { RefreshConflictError, RefreshRejectedError, RefreshUnavailableError } from '../core/errors.js';
import { errorCode, errorDescription } from '../core/sanitise.js';
import type { TokenResponse } from '../core/types.js';
import { usableTokens } from '../token-response.js';
import { readRetryAfter } from './retry-after.js';
import { noAnswer } from './transport.js';

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
  const body = await readObject(response);
  const tokens = response.ok ? usableTokens(body) : undefined;
  if (tokens) return tokens;
  throw toError(response, body, sent);
}

/**
 * The meaning of an answer that is no success.
 *
 * @returns `RefreshConflictError` (409 `version_conflict`), `RefreshRejectedError` (an OAuth error with a 4xx status) or
 * `RefreshUnavailableError` (anything else, with `Retry-After` where it can be read)
 */
export async function readTokenError(response: Response, sent?: string): Promise<Error> {
  return toError(response, await readObject(response), sent);
}

/** The OAuth error of an answer, which can still be read afterwards; `undefined` if there is none. */
export async function readErrorCode(response: Response): Promise<string | undefined> {
  if (response.ok) return undefined;
  const { error } = await readObject(response.clone());
  return isText(error) ? error : undefined;
}

function toError({ status, headers }: Response, body: JsonObject, sent: string | undefined): Error {
  const { error, error_description: description, current_version: version } = body;
  if (status === 409 && error === 'version_conflict') {
    return new RefreshConflictError({
      currentVersion: Number.isSafeInteger(version) ? Number(version) : undefined,
    });
  }
  // 408 and 429 speak about the request, not about the grant, whatever their body says.
  if (isText(error) && status >= 400 && status < 500 && status !== 408 && status !== 429) {
    const secrets = [sent, body['access_token'], body['refresh_token'], body['id_token']];
    return new RefreshRejectedError({
      error: errorCode(error, secrets),
      errorDescription: errorDescription(description, secrets),
      status,
    });
  }
  return new RefreshUnavailableError({ status, retryAfterMs: readRetryAfter(headers, Date.now()) });
}

type JsonObject = Record<string, unknown>;

/** The body as an object, empty if it is none. @throws `RefreshUnavailableError` if it breaks off */
export async function readObject(response: Response): Promise<JsonObject> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw noAnswer(error, { status: response.status });
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
  } catch {
    return {};
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
