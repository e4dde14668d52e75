// The subject that the lab and `npm run war` compare: several ways for a tab to come by an access token.

export interface TokenSource {
  /** A token that is live by this tab's clock, without a request. */
  peek(): string | undefined;
  /** @throws SessionLostError when the user has to sign in again, anything else when it may work later */
  getAccessToken(): Promise<string>;
  /** The same, as if the pair of this version had just expired: the lab does not wait for the clock. */
  renew(version: number): Promise<string>;
  /** Begins a session, in this tab and, as far as this way knows the others, in all. */
  signIn(login: Login): Promise<void>;
  /** Which login this tab holds; 0 without one. */
  login(): number;
  /** Which pair of it; 0 without one. */
  version(): number;
  /** When its access token is over, epoch milliseconds; 0 without one. */
  expiresAt(): number;
}

export interface Login {
  /** Counts up with every sign-in of the lab. */
  number: number;
  tokens: { access_token: string; refresh_token?: string; expires_in?: number };
}

export class SessionLostError extends Error {
  constructor() {
    super('The user has to sign in again');
  }
}
