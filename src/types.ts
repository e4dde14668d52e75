import type { CoordinatorEvent, EventType, Snapshot, TokenResponse } from './core/types.js';

/** One request for a new token pair, as a {@link RefreshFunction} receives it. */
export interface RefreshRequest {
  /** Absent where it lives in an HttpOnly cookie: a session without one still refreshes. */
  readonly refreshToken?: string | undefined;
  /** RFC 8707 resource indicator of the API that the access token is for, if one was asked for. */
  readonly resource?: string | undefined;
  /** RFC 6749 §3.3 scope, if one was asked for. */
  readonly scope?: string | undefined;
  /** The session that is refreshed; for the servers that keep a session table. */
  readonly sessionId: string;
  /** The version of the pair being spent. */
  readonly version: number;
  /** 1 for the first request of a version, +1 for each repetition. */
  readonly attempt: number;
  /** One per session and version, the same for all attempts. */
  readonly idempotencyKey: string;
  /** For your own clean-up: aborted only when nobody is left to use the answer. */
  readonly signal: AbortSignal;
  /**
   * For a client that prepares its request first (keys, proofs, discovery): call it in the same task as the `fetch`.
   * @throws `RefreshUnavailableError` (nothing was spent) if half of `refreshTimeoutMs` has passed, or a newer pair or a sign-out came
   */
  readonly assertSendable?: (() => void) | undefined;
}

/**
 * Asks the server for a new token pair. Speaks by throwing `RefreshRejectedError`, `RefreshUnavailableError`
 * or `RefreshConflictError`; any other throw counts as "unavailable". May not call its own coordinator.
 */
export type RefreshFunction = (request: RefreshRequest) => Promise<TokenResponse>;

/** The parts that sign-out and proofs need beyond a function; `refreshTokenGrant()` returns one. */
export interface TokenClient {
  /**
   * Names the server and client that the tokens belong to; default: none, and nothing is compared. Shown in errors, so without secrets.
   * `refreshTokenGrant()` names its issuer, or without one its token endpoint, and the `client_id`.
   */
  readonly binding?: string | undefined;
  /** Asks the server for a new token pair. */
  readonly refresh: RefreshFunction;
  /**
   * Whether a session without a refresh token cannot be refreshed; default `false`, since it may live in a cookie. `refreshTokenGrant()` says
   * `true`: then `setSession` refuses such a session, unless it is told `refreshable: false`.
   */
  readonly needsRefreshToken?: boolean | undefined;
  /** Revokes a token (RFC 7009), best effort. */
  readonly revoke?: ((token: string, hint: 'refresh_token' | 'access_token') => Promise<void>) | undefined;
  /** Told in every tab that a session is there: data that `revoke` needs is best fetched now, since a page may leave as soon as it signs out. */
  readonly prepareRevocation?: (() => Promise<void>) | undefined;
  /** The headers that authorize one request; default: `Authorization: Bearer …` (RFC 6750 §2.1). */
  readonly authorize?: ((request: AuthorizedRequest) => Promise<Record<string, string>>) | undefined;
  /**
   * Of a client with DPoP: whether the authorization server has sent a `DPoP-Nonce` (RFC 9449 §8) that this tab knows of; `undefined` until the
   * server has answered a refresh of this tab with tokens. Shown in the snapshot as `dpopNonces`.
   */
  readonly offersNonces?: (() => boolean | undefined) | undefined;
  /**
   * Told of the tokens that a refresh of this session brought, before they are committed. Synchronous: nothing may stand between an answer and
   * its commit. If it throws, nothing of the answer is used but its refresh token, and the error is `ERR_CONFIGURATION` with this message.
   */
  readonly check?: ((answer: Pick<NewSession, 'sessionId' | 'tokens'>) => void) | undefined;
  /** Told of a session before it is committed; if it throws, there is no session, and `setSession` rejects with what it threw. */
  readonly bind?: ((session: NewSession) => Promise<void>) | undefined;
  /** Told, in every tab, of a session that was signed out or replaced. */
  readonly unbind?: ((session: Pick<NewSession, 'name' | 'sessionId'>) => Promise<void>) | undefined;
}

/** A request to an API that is to be authorized. */
export interface AuthorizedRequest {
  /** Absolute, or relative to the page. */
  readonly url: string;
  /** The HTTP method. */
  readonly method: string;
  /** The token that the request is to carry. */
  readonly accessToken: string;
  /** Whose token it is. */
  readonly sessionId?: string | undefined;
  /** The answer to an earlier request to this API: its nonce and time are heeded (RFC 9449 §9). */
  readonly previous?: { readonly headers: Headers } | undefined;
}

/** A session that begins, as a client with keys is told of it. */
export interface NewSession {
  /** Of the coordinator. */
  readonly name: string;
  /** Random, one per sign-in. */
  readonly sessionId: string;
  /** As given to `setSession`. */
  readonly tokens: TokenResponse;
  /** As given to `setSession`. */
  readonly dpopKeyPair?: CryptoKeyPair | undefined;
}

/** When a session ends because nobody uses the app. */
export interface IdleOptions {
  /** Signs out after so long without activity in any tab; milliseconds. A refresh by timer is none. */
  readonly timeoutMs: number;
  /** `session-ending` comes so long ahead, in one tab; milliseconds; default `min(timeoutMs / 10, 300_000)`. */
  readonly warnBeforeMs?: number | undefined;
}

/** Options of `createTokenCoordinator`. Durations are milliseconds. */
export interface TokenCoordinatorOptions {
  /** Scopes locks, channel and store record: one name, one login. */
  readonly name: string;
  /** Your own function, or `refreshTokenGrant()` of `one-refresh/oauth`. */
  readonly refresh: RefreshFunction | TokenClient;
  /** How long before expiry to refresh ahead; default `min(60_000, 20 % of the token's life)`; never in the first half of its life. */
  readonly refreshBeforeMs?: number | undefined;
  /** Least life of a token handed out; default `min(10_000, 10 % of its life)`; at most half of its life counts. */
  readonly minValidityMs?: number | undefined;
  /** Refresh ahead of expiry: by visible tabs (default), by any, or only on demand. */
  readonly proactive?: 'visible' | 'always' | 'never' | undefined;
  /** Deadline of one token request; default 30_000. */
  readonly refreshTimeoutMs?: number | undefined;
  /** A leader that leaves a ping unanswered this long is replaced; default 1_500. */
  readonly leaderTimeoutMs?: number | undefined;
  /**
   * The message to followers after a refresh; default `pair`. `access-token` keeps the refresh token off the channel, unless it could not be
   * stored. A tab without storage then gets access tokens only, and needs another tab to refresh.
   */
  readonly broadcast?: 'pair' | 'access-token' | undefined;
  /**
   * How long the session is kept; default `persistent`: in IndexedDB, until it ends. `session`: while a tab of the app is open, reloads and new tabs
   * included. IndexedDB then has it encrypted only, and the key is in each tab's `sessionStorage`. Without a secure context (plain
   * `http:`) or without `BroadcastChannel` such a session is in memory.
   */
  readonly storage?: 'persistent' | 'session' | undefined;
  /** Signs out when nobody uses the app; default: never. In pages only: a worker does not see the user. */
  readonly idle?: IdleOptions | undefined;
  /**
   * For a plain refresh function: names the server and client that the tokens belong to. A session under this `name` that belongs to another
   * one is shown as `signed-out` with `ERR_CONFIGURATION`, and is neither sent, revoked, broadcast nor deleted; `setSession` replaces it.
   * Default: the client's own (`refreshTokenGrant()` does), else none, and nothing is compared. Shown in errors, so without secrets.
   */
  readonly binding?: string | undefined;
  /**
   * For servers that say "this refresh token is dead" in their own way; default: only `invalid_grant` does, and the OAuth errors that ask for the
   * user. Sees what `refresh` threw: of `refreshTokenGrant` an error with `status`, `error`, `errorDescription` and `body`, the parsed body of
   * the answer (JSON, a form, or else text). Must not be async, and not keep or log the error: its body may show tokens.
   */
  readonly isSessionLost?: ((error: unknown) => boolean) | undefined;
  /**
   * Tells each step in one readable line, without tokens: `true` prints with `console.debug`, a function is given the lines. The words are loaded
   * when they are needed; `debugLog` of `one-refresh/debug` brings them along, as a refresh worker needs it. Default: nothing is told or loaded.
   */
  readonly debug?: boolean | ((line: string) => void) | undefined;
  /** A service worker that refreshes where closing a tab cannot stop it (`one-refresh/worker`); default: none, tabs refresh. */
  readonly worker?:
    string | URL | { readonly url: string | URL; readonly scope?: string | undefined } | undefined;
}

/** Which access token: of a further API of the same session, its own access token but the same refresh token (RFC 8707). */
export interface TokenSelector {
  /** RFC 8707 resource indicator of the API; default: the one of the sign-in. */
  readonly resource?: string | undefined;
  /** RFC 6749 §3.3 scope; default: the one of the sign-in. The order of its parts does not matter. */
  readonly scope?: string | undefined;
}

/** Options of `getAccessToken`. */
export interface AccessTokenOptions extends TokenSelector {
  /** Least life of the token, for this call; milliseconds; default: the coordinator's `minValidityMs`. */
  readonly minValidityMs?: number | undefined;
  /** A version newer than the one this tab holds; default `false`. */
  readonly forceRefresh?: boolean | undefined;
  /** Longest wait; milliseconds; default `refreshTimeoutMs + min(refreshTimeoutMs, 5_000) + 5_000`, more than a takeover takes. */
  readonly timeoutMs?: number | undefined;
  /** Rejects while refreshing is paused, instead of waiting for the next attempt; default `false`. */
  readonly failFast?: boolean | undefined;
  /** Ends this call with `ERR_ABORTED`, not the refresh that it shares; default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `setSession`. */
export interface SessionOptions {
  /** The signed-in user, shown in the snapshot; default: unknown. */
  readonly subject?: string | undefined;
  /**
   * When the session ends; epoch milliseconds. Default: `refresh_token_timeout`, `refresh_token_expires_in` or `refresh_expires_in` of the
   * response, else unknown. A later answer of the server that names a new end moves it.
   */
  readonly sessionExpiresAt?: number | undefined;
  /** Only the first of several tabs wins; the others adopt its session. Default `false`: replaces any other session. */
  readonly ifSignedOut?: boolean | undefined;
  /**
   * `false`: the tokens came without a refresh token, and that is as it should be. With a client that needs one, as `refreshTokenGrant` does,
   * the session ends with its access token (reason `no_refresh_token`), and the server is not asked; any other client is asked as ever.
   * Default `true`.
   */
  readonly refreshable?: boolean | undefined;
  /** The DPoP key that the tokens are bound to (RFC 9449); default: the key of `getDPoPKeyPair(name)`, where `dpop` is used. */
  readonly dpopKeyPair?: CryptoKeyPair | undefined;
}

/** Many tabs, one refresh. Every method can be destructured. */
export interface TokenCoordinator {
  /** As given in the options; empty where nothing is coordinated (server rendering). */
  readonly name: string;
  /** The store has been read once; never rejects. */
  readonly ready: Promise<void>;
  /**
   * Begins a session in every tab, replacing any other. The refresh token of a session that it replaces, or of a sign-in that lost, is revoked:
   * at once if it is another user's by its `subject`, or if without subjects it was never refreshed; else with the next sign-out, since to
   * some servers it stands for the whole grant.
   * @throws `ERR_CONFIGURATION` if `tokens` is not a token response, has no refresh token where one is needed, or a token or `subject` is no text, `ERR_STORAGE` if it could not be saved, `ERR_CLOSED`, `ERR_UNSUPPORTED`
   */
  readonly setSession: (tokens: TokenResponse, options?: SessionOptions) => Promise<void>;
  /**
   * A fresh access token: from memory, else from the store, else by the one refresh that all tabs share.
   * @throws `ERR_SIGNED_OUT`, `ERR_REAUTH_REQUIRED`, `ERR_REFRESH_REJECTED`, `ERR_REFRESH_UNAVAILABLE`, `ERR_TIMEOUT`, `ERR_ABORTED`,
   * `ERR_STORAGE`, `ERR_UNSUPPORTED`, `ERR_CLOSED`, `ERR_CONFIGURATION` (also when called from within `refresh`)
   */
  readonly getAccessToken: (options?: AccessTokenOptions) => Promise<string>;
  /** The access token in memory, or `undefined` once expired. Never refreshes, never throws. */
  readonly peekAccessToken: (options?: TokenSelector) => string | undefined;
  /** The ID token of the session, if the server gave one. Not verified. */
  readonly peekIdToken: () => string | undefined;
  /**
   * The headers that authorize one request: Bearer (RFC 6750) or DPoP (RFC 9449).
   * @throws what `getAccessToken` throws
   */
  readonly getAuthorizationHeaders: (
    request: {
      readonly url: string;
      /** Default `GET`. */
      readonly method?: string | undefined;
    } & Pick<AuthorizedRequest, 'previous'> &
      TokenSelector,
  ) => Promise<Record<string, string>>;
  /** Frozen, the same object until something changes; never a token in it. */
  readonly getSnapshot: () => Snapshot;
  /** Calls `listener` after every change of the snapshot. Returns how to stop. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Calls `listener` for every event of this type in this tab, or with `'*'` for every event. Returns how to stop. */
  readonly on: <T extends EventType>(
    type: T | '*',
    listener: (event: CoordinatorEvent<T>) => void,
  ) => () => void;
  /**
   * Ends the session in every tab. Resolves when that is committed; revocation is best effort and never rejects it. Every refresh token of
   * the session that is known here is revoked, also when the page leaves in the same task. One that the server could not be told of is tried
   * again by any tab of this `binding`, at most eight times and for at most a day.
   * @throws `ERR_STORAGE` if it could not be committed (this tab is signed out all the same), `ERR_CLOSED`, `ERR_UNSUPPORTED`
   */
  readonly signOut: (options?: { readonly revoke?: boolean | undefined }) => Promise<void>;
  /**
   * Ends the session in every tab without revoking it, and returns its tokens as a token endpoint would: to sign other code in with them, for
   * example after a rollback. Waits for a refresh in flight, and nothing is sent afterwards. `undefined`: nobody is signed in, or the
   * session is lost.
   * @throws With all of these the session stays: `ERR_UNSUPPORTED` if the tokens are bound to a key (DPoP); `ERR_STORAGE` if the store fails, or
   * only another tab has the refresh token; `ERR_TIMEOUT` if a tab stands still with the session's lock; `ERR_CLOSED`
   */
  readonly exportSession: () => Promise<TokenResponse | undefined>;
  /** Leaves: this tab only; idempotent; frees the name at once. The session stays. Never rejects. */
  readonly close: () => Promise<void>;
}
