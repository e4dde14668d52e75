import type { Outcome } from './core/state.js';

/** What a refresh function said by throwing. Brands, not classes: two bundles have two classes. */
export function outcomeOf(error: unknown, isSessionLost: ((error: unknown) => boolean) | undefined): Outcome {
  const { refreshOutcome, error: code, errorDescription, retryAfterMs, status } = Object(error) as Thrown;
  if ((refreshOutcome === 'rejected' && code === 'invalid_grant') || saysLost(error, isSessionLost)) {
    return { kind: 'lost' };
  }
  if (refreshOutcome === 'rejected') return { kind: 'rejected', error: String(code), errorDescription };
  if (refreshOutcome === 'conflict') return { kind: 'conflict' };
  // 429: refused before anything was looked at (RFC 6585 §4).
  return { kind: 'unavailable', retryAfterMs, unspent: status === 429 };
}

interface Thrown {
  readonly refreshOutcome?: 'rejected' | 'unavailable' | 'conflict';
  readonly error?: string;
  readonly errorDescription?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly status?: number | undefined;
}

function saysLost(error: unknown, isSessionLost: ((error: unknown) => boolean) | undefined): boolean {
  try {
    return !!isSessionLost?.(error);
  } catch {
    return false;
  }
}
