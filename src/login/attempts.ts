import { LoginError } from './login-error.js';

/** One sign-in under way: the data for when the browser comes back. */
export interface Attempt {
  /** Which login of the origin began it. */
  readonly login: string;
  /** PKCE code verifier (RFC 7636). */
  readonly verifier: string;
  /** To be found in the ID token. */
  readonly nonce: string;
  /** Where the user goes on: a path of this origin. */
  readonly returnTo: string;
  /** When it began; epoch milliseconds. */
  readonly at: number;
  /** Of the session's own access token (RFC 8707). */
  readonly resource?: string | undefined;
  /** How old the authentication may be, in seconds. */
  readonly maxAge?: number | undefined;
  /** The user who has to come back. */
  readonly subject?: string | undefined;
  /** Another tab waits for the outcome. */
  readonly popup?: boolean | undefined;
}

/**
 * Attempts are in localStorage, one entry each, found by their `state`. sessionStorage belongs to one tab, and a popup is a tab of its own:
 * it would get a copy only of what was there before it opened, which is before there is an attempt. With localStorage the popup needs
 * nothing of its opener, so a provider may cut the two apart (Cross-Origin-Opener-Policy). Protection is the same: `state` ties the answer
 * to this browser, and scripts of the origin can read either.
 */
const PREFIX = 'one-refresh-login:';
/** The longest time that a user may take. */
export const MAX_AGE_MS = 3_600_000;
/** Tabs that may be signing in at the same time. */
const MAX_COUNT = 20;

/** Keeps an attempt. @throws `storage_unavailable` */
export function keepAttempt(state: string, attempt: Attempt): void {
  try {
    Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX))
      .map((key) => ({ key, at: readAttempt(key.slice(PREFIX.length))?.at ?? 0 }))
      // Those given up, and the oldest.
      .sort((a, b) => b.at - a.at)
      .forEach(({ key, at }, i) => (at && i < MAX_COUNT - 1) || localStorage.removeItem(key));
    localStorage.setItem(PREFIX + state, JSON.stringify(attempt));
  } catch (cause) {
    throw new LoginError('storage_unavailable', 'localStorage cannot be written', {
      cause,
    });
  }
}

/** The attempt with this `state`; `undefined` if there is none, or it is too old. */
export function readAttempt(state: string): Attempt | undefined {
  try {
    // guard: login: an answer belongs to the attempt that its state names
    const attempt = JSON.parse(localStorage.getItem(PREFIX + state) ?? 'null') as Attempt | null;
    // guard: login: a state is good for an hour
    return attempt && Math.abs(Date.now() - attempt.at) < MAX_AGE_MS ? attempt : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Gives each attempt to one caller only, whatever the number of tabs that show its answer. While the lock is held the entry disappears in
 * all of them: localStorage alone tells other processes some time later.
 */
export async function withAttempt<T>(state: string, use: (attempt: Attempt) => Promise<T>): Promise<T> {
  const take = (free: unknown): Promise<T> => {
    const attempt = free ? readAttempt(state) : undefined;
    if (!attempt) {
      throw new LoginError(
        'state_unknown',
        'No sign-in has this state: it has ended, or began over an hour ago or elsewhere',
      );
    }
    // guard: login: a state is good for one answer
    localStorage.removeItem(PREFIX + state);
    return use(attempt);
  };
  // Absent in insecure contexts and test environments, whatever the types say.
  const { locks } = navigator as { locks?: LockManager };
  if (!locks) return take(true);
  return locks.request(PREFIX + state, { ifAvailable: true }, take);
}
