import type { JWTPayload } from 'jose';
import type { TokenCoordinatorError } from '../core/errors.js';
import type { Snapshot } from '../core/types.js';
import type { TokenCoordinator } from '../types.js';

/** The result of `useAccessToken`: frozen, the same object until something changes. `JSON.stringify` leaves the access token out. */
export interface AccessTokenState extends Pick<Snapshot, 'status' | 'refreshStatus' | 'role'> {
  /** The access token of this moment; `undefined` without a session and once it has expired. */
  readonly accessToken: string | undefined;
  /** When the access token expires; epoch milliseconds, `undefined` if the server did not say. */
  readonly expiresAt: number | undefined;
  /** Random, one per sign-in; `undefined` without a session. */
  readonly sessionId: string | undefined;
  /** The user, as `setSession` was told; `undefined` if it was not. */
  readonly subject: string | undefined;
  /** When the session ends, as far as is known in advance; epoch milliseconds. */
  readonly sessionExpiresAt: number | undefined;
  /**
   * The ID token's claims, decoded when first read. They are **not verified**: fit for showing a name, not for deciding what a
   * user may do. `undefined` without an ID token, or if it cannot be decoded.
   */
  readonly claims: JWTPayload | undefined;
  /** Why refreshing does not work at the moment, or why the session was lost. */
  readonly error: TokenCoordinatorError | undefined;
  /** The coordinator's own. */
  readonly getAccessToken: TokenCoordinator['getAccessToken'];
  /** The coordinator's own. */
  readonly signOut: TokenCoordinator['signOut'];
}
