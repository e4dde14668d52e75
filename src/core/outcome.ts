import type { LossReason } from './errors.js';
import type { Diagnosis, Fault, SessionRecord } from './record.js';
import type { TokenResponse } from './types.js';

/** How a token request ended. */
export type Outcome =
  /** `refused`: why nothing of it may be used but its refresh token. */
  | { readonly kind: 'tokens'; readonly tokens: TokenResponse; readonly refused?: Fault | undefined }
  /** The tokens of another session, and so none of ours. */
  | { readonly kind: 'foreign'; readonly refused: Fault; readonly refreshToken?: string | undefined }
  /** The server's definitive word: this refresh token is dead. */
  | { readonly kind: 'lost'; readonly reason?: LossReason | undefined; readonly why: Diagnosis }
  | { readonly kind: 'rejected' | 'conflict'; readonly why: Diagnosis }
  | {
      readonly kind: 'unavailable';
      readonly retryAfterMs?: number | undefined;
      readonly unspent: boolean;
      /** The server refused without an OAuth error. */
      readonly isWordless: boolean;
      readonly why: Diagnosis;
    }
  /** A fault in the application. `unspent`: nothing was sent. */
  | { readonly kind: 'fault'; readonly fault: Fault; readonly unspent: boolean; readonly why: Diagnosis };

/** How a store operation ended. */
export interface StoreResult {
  readonly failed?: 'once' | 'for-good';
  /** The stored record now, and before. */
  readonly record?: SessionRecord | undefined;
  readonly before?: SessionRecord | undefined;
  /** The change was made. */
  readonly won: boolean;
  /** The store itself wrote something, or was asked to. */
  readonly wrote: boolean;
  /** The store itself was asked, not memory in its place. */
  readonly isStored: boolean;
}
