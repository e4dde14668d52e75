import type { Now } from './expiry.js';
import type { LifecycleChange, LockMode, LockOutcome } from './ports.js';
import type { CoreOptions } from './options.js';
import type { Outcome, StoreResult } from './outcome.js';
import type { Envelope, Message } from './protocol.js';
import type { TokenCoordinatorError } from './errors.js';
import type { Audience, Failure, Fault, Journal, SessionRecord } from './record.js';
import type { CoordinatorEvent, TokenResponse } from './types.js';

/** Somebody in this tab who waits for a token. */
export interface Caller extends Audience {
  readonly id: number;
  readonly key: string;
  readonly force: boolean;
  readonly minValidityMs?: number | undefined;
  /** Does not wait for a pause to end. */
  readonly failFast: boolean;
  /** On the monotonic clock. */
  readonly until: number;
  /** The store is being asked whether somebody is signed in after all. */
  readonly unread: boolean;
  /** The session it asked under, and the version it found wanting; known once the store was read. */
  readonly sessionId?: string | undefined;
  readonly version?: number | undefined;
}

/** One request on the wire, from its write-ahead until its answer; it may outlive the flight that sent it. */
export interface Attempt extends Journal {
  /** Also the tag of its attempt lock. */
  readonly tag: number;
  readonly sessionId: string;
  readonly subject?: string | undefined;
  readonly version: number;
  /** The spent token; of a version there may be two, where a store was wiped. */
  readonly refreshToken: string | undefined;
  /** When its journal was built. */
  readonly built: Now;
  readonly sent: Now;
  /** When its lock goes, whatever happens: 2T after the send, on the monotonic clock; `Infinity` once it went. */
  readonly until: number;
}

/** Where a flight is:
 *
 *     (waking ─▶) queued ─▶ (claiming ─▶ stealing ─▶) probing ─▶ (asking ─▶) journaling ─▶ sending ─▶ committing
 *                      └▶ electing                                                                   ├▶ failing
 *                                                                                                    └▶ reconciling ⇄ checking
 */
export type Phase =
  | 'waking'
  | 'queued'
  | 'claiming'
  | 'stealing'
  | 'electing'
  | 'asking'
  | 'probing'
  | 'journaling'
  | 'sending'
  | 'committing'
  | 'failing'
  | 'reconciling'
  | 'checking';

/** The one thing this tab does under the refresh lock, or in its queue. */
export interface Flight {
  /** Also the tag of the refresh lock. */
  readonly tag: number;
  readonly phase: Phase;
  /** When this phase ends by itself, on the monotonic clock, and how it goes on then. */
  readonly until: number;
  readonly expire?: Continuation | undefined;
  /** While queued: the state that was seen to stand still. While probing: what is waited for. */
  readonly seen: string;
  /** Since when this flight waits, on the monotonic clock, with what earlier ones waited. */
  readonly since: number;
  /** Its lock was granted. */
  readonly granted?: boolean | undefined;
  /** Its lock was taken from a holder that had stood still. */
  readonly stolen?: boolean | undefined;
  /** Of the attempt lock, or while claiming the takeover lock, that is asked for or held. The attempt sent under it has the same tag. */
  readonly lockTag?: number | undefined;
  /** The refresh worker's answer, if there is one, to the request to do this. */
  readonly worker?: 'accepted' | 'silent' | undefined;
}

/** Nothing is sent before `until` (monotonic; `Infinity`: until a wake-up or a forced call). */
export interface Pause {
  readonly until: number;
  readonly code: 'ERR_REFRESH_UNAVAILABLE' | 'ERR_REFRESH_REJECTED' | 'ERR_STORAGE' | Fault['code'];
  readonly failure?: Failure | undefined;
  /** Until then the server is left alone even by whoever wakes or is forced; monotonic. */
  readonly rest: number;
}

/** All that one participant knows. Changed by `step` alone. */
export interface State {
  readonly me: string;
  readonly options: CoreOptions;
  /** The newest record known: read, committed or heard. */
  readonly record?: SessionRecord | undefined;
  readonly loaded: boolean;
  readonly closed: boolean;
  /** Not frozen, cached or prerendering. */
  readonly active: boolean;
  readonly visible: boolean;
  readonly storage: 'indexeddb' | 'memory';
  /** Store operations that failed in a row. */
  readonly storeFailures: number;
  /** A write was among them: only a write shows that it is over. */
  readonly unwritable: boolean;
  /** The store could not be read for now, so it may hold a session that this tab does not know of. */
  readonly unread: boolean;
  /** The record last seen in the store. */
  readonly saved?: SessionRecord | undefined;
  /** When this tab first saw each token, on the monotonic clock. */
  readonly seen: { readonly [audience: string]: { readonly version: number; readonly at: number } };
  /** When this tab last saw a sign of life of who refreshes, on the monotonic clock. */
  readonly movedAt: number;
  /** The waits of earlier flights in this phase, milliseconds, for a holder that stands still; the next one goes on from there. */
  readonly waited?: { readonly phase: Phase; readonly ms: number } | undefined;
  /** When this tab first saw the journal that it knows of, on the monotonic clock. */
  readonly journalSeen: number;
  /** When this tab saw the version at hand come; absent if it found it. */
  readonly advanced?: Now | undefined;
  /** Drawn once per version; spreads timers. */
  readonly jitter: number;
  readonly callers: readonly Caller[];
  /** Sign-ins that this tab has been told of and that are not through yet. */
  readonly signingIn: number;
  readonly flight?: Flight | undefined;
  readonly attempts: readonly Attempt[];
  readonly pause?: Pause | undefined;
  /** The failure last paused for, so that reading it again does not pause again. */
  readonly pausedFor?: string | undefined;
  /** The last wake-up, if no failure has been told of since; on the wall clock. */
  readonly wokeAt?: number | undefined;
  /** An election to hold at `at`, unless the term moves on. */
  readonly elect?: { readonly term: number; readonly at: number } | undefined;
  /** A tab without a store asked this one to refresh. */
  readonly request?: (Audience & { readonly version: number; readonly until: number }) | undefined;
  /** Until then another participant refreshes, as it said it would. */
  readonly delegated?: number | undefined;
  /** When to write what the store does not have. */
  readonly saveAt?: number | undefined;
  /** Without a store: when to stop waiting for other tabs at the start. */
  readonly helloUntil?: number | undefined;
  /** Without a store: until then this tab does not ask the others again for what it reads of and does not know. */
  readonly askedUntil: number;
  /** When it asks them again. */
  readonly askAt?: number | undefined;
  /**
   * The store works again: until then the others are asked before anything is sent. They may know a newer pair, and not have tried it yet.
   *
   *     A (no store)  v6 ─ cached ░░░░░░░░░░░░░░░ returns ─ (store back) reads v6 ─ asks ─▶ is told v7
   *     B (no store)                 spends R6: v7 ───────────────────────────────────╯  (tries the store again in a minute)
   */
  readonly unsureUntil: number;
  /** The last announcement of this tab: the loss of a version, or the end of a session ahead of it. */
  readonly announced?: string | undefined;
  /** The last end known in advance that this tab, leader or not, has seen come. */
  readonly foreseen?: string | undefined;
  /** A version that arrived in this very step: it satisfies waiting callers even if it is short-lived. */
  readonly received?: number | undefined;
  readonly nextTag: number;
  readonly disposed: boolean;
}

/** The continuation for the result: pure, like `step` itself. */
export type Continuation<R = void> = (t: Turn, result: R) => void;

/** An event. */
export type Event =
  | { readonly type: 'start' | 'tick' | 'close' }
  | { readonly type: 'lifecycle'; readonly change: LifecycleChange }
  | { readonly type: 'message'; readonly message: Envelope }
  | ({
      readonly type: 'call';
      readonly id: number;
      readonly force: boolean;
      readonly minValidityMs?: number | undefined;
      readonly failFast: boolean;
      readonly timeoutMs: number;
    } & Audience)
  | {
      readonly type: 'cancel';
      readonly id: number;
      readonly error: TokenCoordinatorError;
      /** Not the caller's own wish: a token that lives is better than an error. */
      readonly orServe?: boolean;
    }
  | {
      readonly type: 'session';
      readonly id: number;
      readonly sessionId: string;
      readonly tokens: TokenResponse;
      readonly subject?: string | undefined;
      /** When the session ends, as the app said. */
      readonly endsAt?: number | undefined;
      readonly ifSignedOut: boolean;
      readonly at: number;
    }
  /** One sign-in more, or one less, that calls wait for. */
  | { readonly type: 'signing-in'; readonly change: 1 | -1 }
  | { readonly type: 'sign-out'; readonly id: number; readonly revoke: boolean }
  | { readonly type: 'lock'; readonly outcome: LockOutcome; readonly resume: Continuation<LockOutcome> }
  /** There is no refresh worker to ask. */
  | { readonly type: 'unreachable'; readonly resume: Continuation }
  | {
      readonly type: 'stored';
      readonly result: StoreResult;
      readonly real: boolean;
      readonly resume: Continuation<StoreResult>;
    }
  | { readonly type: 'answered'; readonly tag: number; readonly outcome: Outcome };

/** Given the newer of store and memory; `undefined` changes nothing. */
export type Change = (base: SessionRecord | undefined) => SessionRecord | undefined;

/** The effects; carried out by the runtime, in this order. */
export type Effect =
  | {
      readonly type: 'lock';
      readonly tag: number;
      readonly name: string;
      readonly mode: LockMode;
      readonly resume: Continuation<LockOutcome>;
    }
  | { readonly type: 'unlock'; readonly tag: number }
  /** Without a change: read only. `real`: the store itself, even in memory mode. */
  | {
      readonly type: 'store';
      readonly change: Change | undefined;
      readonly real: boolean;
      readonly resume: Continuation<StoreResult>;
    }
  | { readonly type: 'send'; readonly attempt: Attempt }
  | { readonly type: 'post'; readonly message: Message }
  /** To the refresh worker alone, which it starts; `then`, if there is none. */
  | { readonly type: 'ask'; readonly message: Message; readonly resume: Continuation }
  | { readonly type: 'channel'; readonly open: boolean }
  | {
      readonly type: 'settle';
      readonly id: number;
      readonly token?: string | undefined;
      readonly error?: TokenCoordinatorError | undefined;
    }
  | { readonly type: 'emit'; readonly event: CoordinatorEvent }
  /** Now, or once the session `after` is over. */
  | { readonly type: 'revoke'; readonly token: string; readonly after?: string | undefined }
  /** Nobody is left to use any answer. */
  | { readonly type: 'dispose' };

/** One step in the making: the state is a fresh copy, so its members may be set; nothing deeper is. */
export interface Turn {
  readonly s: { -readonly [K in keyof State]: State[K] };
  readonly now: Now;
  readonly effects: Effect[];
}

/** The knowledge of a participant at its beginning. */
export function initialState(given: Pick<State, 'me' | 'options' | 'active' | 'visible'>): State {
  return {
    loaded: false,
    closed: false,
    storage: 'indexeddb',
    storeFailures: 0,
    unwritable: false,
    unread: false,
    seen: {},
    movedAt: -Infinity,
    journalSeen: -Infinity,
    jitter: 0.5,
    askedUntil: -Infinity,
    unsureUntil: -Infinity,
    callers: [],
    signingIn: 0,
    attempts: [],
    nextTag: 1,
    disposed: false,
    ...given,
  };
}
