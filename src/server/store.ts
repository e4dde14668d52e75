// The contract between the two remedies and the database behind them. Tokens, holders and requests arrive as digests, answers arrive sealed:
// a store never sees a secret. Every method is atomic across all processes that share the database, and the store's own clock counts.

/** Digests of the holder and of the question that a request brings along. */
export interface Requester {
  /** Digest of what the request proves of its sender: a DPoP key, an idempotency key, a client's credentials. `null` without any proof. */
  readonly holder: string | null;
  /** Digest of what is asked for: the client, the scope, the resources and every other parameter. */
  readonly request: string;
}

/** A refresh token that was spent within the window. */
export interface SpentToken extends Requester {
  /** Names the login. */
  readonly sessionId: string;
  /** The login's version since this token was spent. */
  readonly version: number;
  /** How long ago the token was spent, milliseconds. */
  readonly ageMs: number;
  /** The sealed answer; `null` once the login has moved on, because only a direct predecessor is answered again. */
  readonly answer: string | null;
}

/** The state of a refresh token that somebody wants to spend. */
export type Claim =
  | { readonly state: 'claimed' }
  | { readonly state: 'pending' }
  | { readonly state: 'inactive' }
  | { readonly state: 'spent'; readonly spent: SpentToken };

/** The stored result of a successful refresh. */
export interface Settlement {
  /** Digests of the request that spent the token. */
  readonly requester: Requester;
  /** Digest of the refresh token that was issued. */
  readonly next: string;
  /** The user, by the word of the authorization server; empty where it says none. */
  readonly userId: string;
  /** The answer, sealed with a key that only the spent refresh token gives. */
  readonly answer: string;
  /** How long the answer is kept, milliseconds. */
  readonly windowMs: number;
}

/** The session table: one row per login, and one row per refresh token that is being spent or was spent within the window. */
export interface RotationStore {
  /**
   * Lets exactly one caller spend a token, and tells every other caller what has become of it. A caller that asks again with its own
   * `claimId` still has the claim. Rejects when the database cannot be reached.
   *
   * @param token - digest of the refresh token
   * @param claimId - names this attempt
   * @param requester - digests of the request
   * @param claimMs - after this time without {@link renew} the claim counts as abandoned, milliseconds
   */
  claim(token: string, claimId: string, requester: Requester, claimMs: number): Promise<Claim>;
  /** Keeps a claim for another `claimMs` milliseconds. Rejects when the database cannot be reached. */
  renew(token: string, claimId: string, claimMs: number): Promise<void>;
  /**
   * Records a success: the login moves on to its next token, the answer is kept, and the answer before it is deleted. Works without a
   * claim as well, because a database may have lost it. Rejects when the database cannot be reached.
   */
  settle(
    token: string,
    claimId: string,
    settlement: Settlement,
  ): Promise<{ sessionId: string; version: number }>;
  /** Gives a claim back: nothing was spent. Rejects when the database cannot be reached. */
  release(token: string, claimId: string): Promise<void>;
  /** Records a sign-in. Rejects when the database cannot be reached. */
  begin(token: string, userId: string): Promise<void>;
  /**
   * Deletes a login and its answers, found by its newest token or by one spent within the window. A login that is locked out stays so, and a
   * token that is being spent stays claimed. Rejects when the database cannot be reached.
   */
  end(token: string): Promise<void>;
  /**
   * Locks a login out: its newest token and the one before are refused, and its answers are deleted. Rejects when the database cannot be
   * reached.
   */
  deactivate(sessionId: string): Promise<void>;
}

/** The version check's finding about a request. */
export type VersionClaim =
  | { readonly state: 'claimed'; readonly sessionId: string; readonly newest: number }
  | {
      readonly state: 'conflict';
      readonly sessionId: string;
      readonly newest: number;
      readonly reason: 'outdated' | 'pending';
    };

/** Versions: one row per login, and one row per refresh token that is the newest of its login or was the newest a while ago. */
export interface VersionStore {
  /**
   * Lets exactly one caller move a login from its newest version to the next. A token that is not known begins a login at the version that
   * the client claims; {@link release} takes that back. Rejects when the database cannot be reached.
   *
   * @param token - digest of the refresh token
   * @param claimId - names this attempt
   * @param claimed - the version that the client says it holds
   * @param claimMs - after this time without {@link renew} the claim counts as abandoned, milliseconds
   */
  claim(token: string, claimId: string, claimed: number, claimMs: number): Promise<VersionClaim>;
  /** Keeps a claim for another `claimMs` milliseconds. Rejects when the database cannot be reached. */
  renew(sessionId: string, claimId: string, claimMs: number): Promise<void>;
  /**
   * Records a success. The old token stays known as outdated for `outdatedMs` milliseconds. Rejects when the database cannot be reached.
   *
   * @param next - digest of the token that was issued; the old one where the server does not rotate
   */
  settle(
    token: string,
    claimId: string,
    moved: {
      readonly sessionId: string;
      readonly next: string;
      readonly newest: number;
      readonly outdatedMs: number;
    },
  ): Promise<void>;
  /** Gives a claim back: nothing was spent. Rejects when the database cannot be reached. */
  release(token: string, sessionId: string, claimId: string): Promise<void>;
  /** Records a sign-in at version 1. Rejects when the database cannot be reached. */
  begin(token: string): Promise<void>;
  /** Deletes a login. Rejects when the database cannot be reached. */
  end(token: string): Promise<void>;
}

/** A database behind one or both remedies. */
export interface ServerStore {
  /** Used by `createIdempotentRotation`. */
  readonly rotation: RotationStore;
  /** Used by `createVersionCheck`. */
  readonly versions: VersionStore;
  /**
   * Deletes rows whose time is over. The store does this by itself while its process lives; call it from a scheduled job where timers do
   * not survive a request. Rejects when the database cannot be reached.
   */
  sweep(): Promise<void>;
  /**
   * Stops the timer, and closes what the store itself has opened: a file, but never a pool or client that was given to it. `sqliteStore` finishes
   * the calls under way first, which takes up to 5 s if another process has locked the file. Later calls reject. Never rejects.
   */
  close(): Promise<void>;
}

/** The longest `windowMs`. */
export const LONGEST_WINDOW_MS: number = 120_000;

/** A login without a refresh for this long is forgotten. A forgotten login that comes back is taken for a new one, and the authorization server decides. */
export const IDLE_MS: number = 30 * 24 * 60 * 60 * 1000;

/** A call came after `close()`. To send it again is of no use. */
export class StoreClosed extends Error {
  override readonly name = 'StoreClosed';
  constructor() {
    super('The store was closed');
  }
}
