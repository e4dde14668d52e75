import type { Outcome } from './core/state.js';

/** What a refresh function said by throwing; the table of the README. Brands, not classes: two bundles have two classes. */
export function outcomeOf(error: unknown, isSessionLost: ((error: unknown) => boolean) | undefined): Outcome {
  const thrown = (error ?? {}) as Record<string, unknown> & { name?: string };
  if (saysLost(error, isSessionLost)) return { kind: 'lost' };
  switch (thrown['refreshOutcome']) {
    case 'rejected': {
      const code = String(thrown['error']);
      if (code === 'invalid_grant') return { kind: 'lost' };
      const description = thrown['errorDescription'];
      return {
        kind: 'rejected',
        error: code,
        ...(typeof description === 'string' && { errorDescription: description }),
      };
    }
    case 'conflict':
      return { kind: 'conflict', currentVersion: thrown['currentVersion'] as number | undefined };
    case 'unavailable': {
      const retryAfterMs = thrown['retryAfterMs'] as number | undefined;
      // 429: refused before anything was looked at (RFC 6585 §4).
      return { kind: 'unavailable', retryAfterMs, unspent: thrown['status'] === 429 };
    }
    default:
      return { kind: 'unavailable', unspent: false };
  }
}

function saysLost(error: unknown, isSessionLost: ((error: unknown) => boolean) | undefined): boolean {
  try {
    return isSessionLost?.(error) === true;
  } catch {
    return false;
  }
}
