import { say } from '#texts';
import { isTokenCoordinatorError } from './core/errors.js';
import type { Diagnosis } from './core/record.js';
import { causeOf, errorCode, errorDescription, messageOf, type Secrets } from './core/sanitise.js';
import type { Outcome } from './core/outcome.js';

/** No server is obeyed that asks to wait longer: an hour, milliseconds. */
const LONGEST_WAIT_MS = 3_600_000;
/** The server wants the user (OpenID Connect Core §3.1.2.6, and OpenID Connect Unmet Authentication Requirements). */
export const INTERACTIVE: RegExp =
  /^((interaction|login|consent)_required|unmet_authentication_requirements)$/;
/** RFC 6749 §4.1.2.1: it is a matter of time. */
export const TRANSIENT: RegExp = /^(temporarily_unavailable|server_error)$/;

/**
 * The outcome that a refresh function threw. Brands, not classes: two bundles have two classes.
 * @param secrets - known tokens, which no text may show
 */
export function outcomeOf(
  error: unknown,
  isSessionLost: ((error: unknown) => boolean) | undefined,
  secrets?: Secrets,
): Outcome {
  const {
    refreshOutcome,
    error: oauth,
    retryAfterMs,
    status,
    unspent,
    code,
    message,
    reason,
  } = Object(error) as Thrown;
  const why = whyOf(error, secrets);
  const refused = refreshOutcome === 'rejected' ? String(oauth) : '';
  if (INTERACTIVE.test(refused)) return { kind: 'lost', reason: 'interaction_required', why };
  // (`refreshTokenGrant` asks no server for a session that has no refresh token.)
  if (refused === 'invalid_grant' && reason === 'no_refresh_token') return { kind: 'lost', reason, why: {} };
  if (refused === 'invalid_grant' || saysLost(error, isSessionLost)) return { kind: 'lost', why };
  if (refused && !TRANSIENT.test(refused)) return { kind: 'rejected', why };
  if (refreshOutcome === 'conflict') return { kind: 'conflict', why };
  // A typed error of this package: `refreshTokenGrant` found a fault before it sent anything.
  if (isTokenCoordinatorError(error) && (code === 'ERR_CONFIGURATION' || code === 'ERR_UNSUPPORTED'))
    return { kind: 'fault', fault: { code, message: messageOf(message, secrets) }, unspent: true, why: {} };
  return {
    kind: 'unavailable',
    // A header that could not be read makes NaN; zero, and a date in the past, ask for nothing: back off. Nor is a date
    // that was taken for seconds waited for.
    retryAfterMs:
      Number.isFinite(retryAfterMs) && retryAfterMs! > 0
        ? Math.min(retryAfterMs!, LONGEST_WAIT_MS)
        : undefined,
    // 429: refused before anything was looked at (RFC 6585 §4).
    unspent: status === 429 || unspent === true,
    // 408 and 429 speak about the request, not about the grant. (Offline, a service worker of the app may answer with a page of its own. Node
    // before 21 has no `navigator`.)
    isWordless:
      /^4(?!08|29)/.test(String(why.status)) &&
      why.error === undefined &&
      (globalThis.navigator as Partial<Navigator> | undefined)?.onLine !== false,
    why,
  };
}

interface Thrown {
  readonly refreshOutcome?: 'rejected' | 'unavailable' | 'conflict';
  readonly error?: string;
  readonly errorDescription?: unknown;
  readonly retryAfterMs?: number | undefined;
  readonly status?: number | undefined;
  readonly unspent?: boolean | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly cause?: unknown;
  readonly reason?: unknown;
}

/** All of it is stored and told to other tabs. */
function whyOf(error: unknown, secrets: Secrets | undefined): Diagnosis {
  const { refreshOutcome, error: oauth, errorDescription: said, status, cause } = Object(error) as Thrown;
  const origin = refreshOutcome ? cause : error;
  return {
    status: /^[1-5]\d\d$/.test(String(status)) ? Number(status) : undefined,
    error: typeof oauth === 'string' ? errorCode(oauth, secrets) : undefined,
    errorDescription: errorDescription(said, secrets),
    cause: origin === undefined ? undefined : causeOf(origin, secrets),
  };
}

function saysLost(error: unknown, isSessionLost: ((error: unknown) => boolean) | undefined): boolean {
  try {
    const isLost: unknown = isSessionLost?.(error);
    // One that is async promises to say so; that would be true of every error.
    return !!isLost && typeof Object(isLost).then !== 'function';
  } catch {
    return false;
  }
}

/** The errors of a `fetch` that found no server, in the words of every engine; a `TypeError` like those of a programmer. */
const NETWORK = /failed to fetch|(fetch|load|network request) failed|networkerror|connection|offline/i;

/**
 * The error of a refresh function that is wrong: a `TypeError` or `ReferenceError` before anything can have been sent and answered, in the
 * task in which it was called. (No answer, nor failure of the network, comes in the same task. Those that tests make up do.)
 * @returns the sentence for the developer
 */
export function programmingFault(error: unknown, isSameTask: boolean, secrets: Secrets): string | undefined {
  const { name, message } = causeOf(error, secrets);
  const isOwn = name === 'ReferenceError' || (name === 'TypeError' && isSameTask && !NETWORK.test(message));
  const isBranded = (Object(error) as Thrown).refreshOutcome !== undefined || isTokenCoordinatorError(error);
  return isOwn && !isBranded ? messageOf(say('ERR_CONFIGURATION', 'threw', name, message)) : undefined;
}
