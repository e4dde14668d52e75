import { isTokenCoordinatorError } from './core/errors.js';
import { errorCode, errorDescription, messageOf, type Secrets } from './core/sanitise.js';
import type { Outcome } from './core/state.js';

/** No server is obeyed that asks to wait longer: an hour, milliseconds. */
const LONGEST_WAIT_MS = 3_600_000;

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
    errorDescription: description,
    retryAfterMs,
    status,
    unspent,
    code,
    message,
  } = Object(error) as Thrown;
  if ((refreshOutcome === 'rejected' && oauth === 'invalid_grant') || saysLost(error, isSessionLost)) {
    return { kind: 'lost' };
  }
  if (refreshOutcome === 'rejected') {
    // Both are stored and told to other tabs.
    return {
      kind: 'rejected',
      error: errorCode(oauth, secrets),
      errorDescription: errorDescription(description, secrets),
    };
  }
  if (refreshOutcome === 'conflict') return { kind: 'conflict' };
  // A typed error of this package: `refreshTokenGrant` found a fault before it sent anything.
  if (isTokenCoordinatorError(error) && (code === 'ERR_CONFIGURATION' || code === 'ERR_UNSUPPORTED'))
    return { kind: 'fault', code, message: messageOf(message, secrets) };
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
