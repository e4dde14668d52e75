/** After the first refresh that did not help. */
const FIRST_PAUSE_MS = 30_000;
/** The pause doubles with each further one, up to this. */
const LONGEST_PAUSE_MS = 300_000;
/** So many refreshes may 401s cause in a row, … */
const MOST_REFRESHES = 5;
/** … and one more each time that this has passed, whether or not they helped. */
const REGAIN_MS = 30_000;

/**
 * Stops an API from making the app refresh with every call. Two limits hold:
 *
 * - An API that refuses every token, fresh ones too: a refresh that brings none, or one that is refused as well, opens the breaker. An accepted
 *   retry closes it. Ordinary successes say nothing: an API may well answer 401 for one path for good and 200 for the others.
 * - An API that accepts each token once, or now and then: the refreshes in a time are limited, however much each of them helped.
 */
export interface RefreshBreaker {
  /** Whether a 401 to this token may cause a refresh now. Many requests refused with the same token count once. */
  readonly mayRefresh: (token: string) => boolean;
  /** Refreshing did not help: this is refused, and was all that there was. Many requests refused with the same token count once. */
  readonly useless: (token: string) => void;
  /** A newer token was accepted. */
  readonly helped: () => void;
}

export function createRefreshBreaker(): RefreshBreaker {
  let closedAt = -Infinity;
  let pauseMs = FIRST_PAUSE_MS;
  let refused: string | undefined;
  let left = MOST_REFRESHES;
  let countedAt = performance.now();
  let counted: string | undefined;
  const isClosed = (): boolean => performance.now() >= closedAt;
  return {
    mayRefresh(token) {
      if (!isClosed()) return false;
      if (token === counted) return true;
      const now = performance.now();
      left = Math.min(left + (now - countedAt) / REGAIN_MS, MOST_REFRESHES);
      countedAt = now;
      if (left < 1) return false;
      left--;
      counted = token;
      return true;
    },
    useless(token) {
      if (token === refused && !isClosed()) return;
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
