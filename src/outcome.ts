import type { Outcome } from './core/state.js';

/** What a refresh function said by throwing. Brands, not classes: two bundles have two classes. */
export function outcomeOf(error: unknown, isSessionLost: ((error: unknown) => boolean) | undefined): Outcome {
  const {
    refreshOutcome,
    error: oauth,
    errorDescription,
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
      error: String(oauth),
      errorDescription: typeof errorDescription === 'string' ? errorDescription : undefined,
    };
  }
  if (refreshOutcome === 'conflict') return { kind: 'conflict' };
  // A typed error of this package: `refreshTokenGrant` found a fault before it sent anything.
  if (code === 'ERR_CONFIGURATION' || code === 'ERR_UNSUPPORTED')
    return { kind: 'fault', code, message: String(message) };
  return {
    kind: 'unavailable',
    // A header that could not be read makes NaN; zero, and a date in the past, ask for nothing: back off.
    retryAfterMs: Number.isFinite(retryAfterMs) && retryAfterMs! > 0 ? retryAfterMs : undefined,
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
    return !!isSessionLost?.(error);
  } catch {
    return false;
  }
}
