/** After the first refresh that did not help. */
const FIRST_PAUSE_MS = 30_000;
/** The pause doubles with each further one, up to this. */
const LONGEST_PAUSE_MS = 300_000;

/**
 * Stops an API that refuses every token, fresh ones too, from making the app refresh with every call. Only the outcome of retries counts: one
 * that was refused with a newer token opens the breaker, as does a refresh that brings none; one that was not refused closes it. Ordinary
 * successes say nothing: an API may well answer 401 for one path for good and 200 for the others.
 */
export interface RefreshBreaker {
  /** Whether a 401 may cause a refresh now. */
  readonly mayRefresh: () => boolean;
  /** Refreshing did not help: this is refused, and was all that there was. Many requests refused with the same token count once. */
  readonly useless: (token: string) => void;
  /** A newer token was accepted. */
  readonly helped: () => void;
}

export function createRefreshBreaker(): RefreshBreaker {
  let closedAt = -Infinity;
  let pauseMs = FIRST_PAUSE_MS;
  let refused: string | undefined;
  const mayRefresh = (): boolean => performance.now() >= closedAt;
  return {
    mayRefresh,
    useless(token) {
      if (token === refused && !mayRefresh()) return;
      refused = token;
      closedAt = performance.now() + pauseMs;
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    },
    helped() {
      closedAt = -Infinity;
      pauseMs = FIRST_PAUSE_MS;
      refused = undefined;
    },
  };
}
