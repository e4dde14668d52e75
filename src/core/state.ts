import type { TokenCoordinatorError } from './errors.js';
import type { Now } from './expiry.js';
import type { LifecycleChange, LockMode, LockOutcome } from './ports.js';
import type { Envelope, Message } from './protocol.js';
import type { Audience, Journal, SessionRecord } from './record.js';
import type { CoordinatorEvent, EventType, TokenResponse } from './types.js';

/** Options of the core, checked and with their defaults. */
export interface CoreOptions {
  readonly refreshBeforeMs?: number | undefined;
  readonly minValidityMs?: number | undefined;
  readonly proactive: 'visible' | 'always' | 'never';
  /** T of the protocol: the deadline of one token request. */
  readonly refreshTimeoutMs: number;
  readonly leaderTimeoutMs: number;
  readonly broadcast: 'pair' | 'access-token';
  /** Whether the platform has locks. */
  readonly locks: boolean;
  /** Whether participants hear each other's questions (false on a transport that only hints at changes). */
  readonly answers: boolean;
}

/** Somebody in this tab who waits for a token. */
export interface Caller extends Audience {
  readonly id: number;
  readonly key: string;
  readonly force: boolean;
  readonly minValidityMs?: number | undefined;
  /** On the monotonic clock. */
  readonly until: number;
  /** The session it asked under, and the version it found wanting; known once the store was read. */
  readonly asked?: { readonly sessionId: string; readonly version: number };
}

/** One request on the wire, from its write-ahead until its answer; it may outlive the flight that sent it. */
export interface Attempt extends Audience {
  /** Also the tag of its attempt lock. */
  readonly tag: number;
  readonly key: string;
  readonly sessionId: string;
  readonly version: number;
  readonly number: number;
  readonly term: number;
  readonly sent: Now;
  /** When its lock goes, whatever happens: 2T after the send, on the monotonic clock; `Infinity` once it went. */
  readonly until: number;
}

/**
 * The one thing this tab does under the refresh lock, or in its queue:
 *
 *     queued ─▶ (claiming ─▶ stealing) ─▶ asking ─▶ probing ─▶ locking ─▶ journaling ─▶ sending ─▶ committing
 *                                            └▶ electing                └▶ restoring       ├▶ failing
 *                                                                                          └▶ reconciling ⇄ checking
 */
export interface Flight {
  /** Also the tag of the refresh lock. */
  readonly tag: number;
  readonly phase:
    | 'queued'
    | 'claiming'
    | 'stealing'
    | 'asking'
    | 'electing'
    | 'probing'
    | 'locking'
    | 'journaling'
    | 'restoring'
    | 'sending'
    | 'committing'
    | 'failing'
    | 'reconciling'
    | 'checking';
  /** The refresh lock is ours. */
  readonly held: boolean;
  /** When this phase ends by itself, on the monotonic clock. */
  readonly until: number;
  /** While queued: what was seen to stand still. */
  readonly seen: string;
  /** The attempt lock asked for, held or waited for. */
  readonly attempt?: number | undefined;
  readonly number: number;
  /** The lock of another attempt that is waited for after a refusal. */
  readonly checking?: number | undefined;
  /** Memory mode: the other tabs were asked. */
  readonly asked: boolean;
  /** Attempts known to be over, or overdue. */
  readonly cleared?: { readonly key: string; readonly number: number };
  /** When the journal was built. */
  readonly built?: Now;
  /** After `invalid_grant`: other attempts that may still bring an answer. */
  readonly others: readonly number[];
}

/** Nothing is sent before `until` (monotonic; `Infinity`: until a wake-up or a forced call). */
export interface Pause {
  /** Which failure this is: session, version, attempt. */
  readonly of: string;
  readonly until: number;
  readonly error: TokenCoordinatorError;
}

/** All that one participant knows. Changed by `step` alone. */
export interface State {
  readonly me: string;
  readonly options: CoreOptions;
  /** The newest record known, whole: read, committed or heard. */
  readonly record?: SessionRecord | undefined;
  /** Access tokens heard without their refresh token, if newer than `record`. */
  readonly heard?: SessionRecord | undefined;
  readonly loaded: boolean;
  readonly closed: boolean;
  /** Not frozen, cached or prerendering. */
  readonly active: boolean;
  readonly visible: boolean;
  readonly storage: 'indexeddb' | 'memory';
  /** Store operations that failed in a row. */
  readonly storeFailures: number;
  /** The store has worked at least once. */
  readonly storeWorked: boolean;
  /** When this tab first saw each token, on the monotonic clock. */
  readonly seen: { readonly [audience: string]: { readonly version: number; readonly at: number } };
  /** Drawn once per version; spreads timers. */
  readonly jitter: number;
  readonly callers: readonly Caller[];
  readonly flight?: Flight | undefined;
  readonly attempts: readonly Attempt[];
  readonly pause?: Pause | undefined;
  /** The failure last paused for, so that reading it again does not pause again. */
  readonly pausedFor?: string | undefined;
  /** An election to hold at `at`, unless the term moves on. */
  readonly elect?: { readonly term: number; readonly at: number } | undefined;
  /** A tab without a store asked this one to refresh. */
  readonly request?: (Audience & { readonly version: number; readonly until: number }) | undefined;
  /** Another participant said it would refresh. */
  readonly delegatedUntil?: number | undefined;
  /** When to write what the store does not have. */
  readonly saveAt?: number | undefined;
  /** Without a store: when to stop waiting for other tabs at the start. */
  readonly helloUntil?: number | undefined;
  /** Session and version whose loss this tab announced. */
  readonly announced?: string | undefined;
  /** A version that arrived in this very step: it satisfies waiting callers even if it is short-lived. */
  readonly received?: number | undefined;
  readonly nextTag: number;
  readonly disposed: boolean;
}

/** How a token request ended. */
export type Outcome =
  | { readonly kind: 'tokens'; readonly tokens: TokenResponse }
  /** The server's definitive word: this refresh token is dead. */
  | { readonly kind: 'lost' }
  | {
      readonly kind: 'rejected';
      readonly error: string;
      readonly errorDescription?: string | undefined;
    }
  | {
      readonly kind: 'unavailable';
      readonly retryAfterMs?: number | undefined;
      readonly unspent: boolean;
    }
  | { readonly kind: 'conflict'; readonly currentVersion?: number | undefined };

/** What a store operation was for. */
export type Operation =
  | { readonly kind: 'load'; readonly real?: boolean }
  | { readonly kind: 'save' }
  | { readonly kind: 'claim' | 'elect' | 'restore'; readonly flight: number }
  | {
      readonly kind: 'journal';
      readonly flight: number;
      readonly journal: Journal;
      /** What it replaces, to be put back if nothing is sent. */
      readonly previous: Journal | undefined;
    }
  | { readonly kind: 'reconcile'; readonly flight: number; readonly attempt: Attempt }
  | {
      readonly kind: 'commit';
      readonly attempt: Attempt;
      readonly tokens: TokenResponse;
      readonly again: boolean;
      readonly life: number | undefined;
    }
  | {
      readonly kind: 'fail';
      readonly attempt: Attempt;
      readonly failure: NonNullable<Journal['failure']>;
      /** Only the deadline passed; the request travels on. */
      readonly travelling: boolean;
    }
  | {
      readonly kind: 'session';
      readonly call: number;
      readonly sessionId: string;
      readonly tokens: TokenResponse;
      readonly subject?: string | undefined;
      readonly ifSignedOut: boolean;
      readonly life: number | undefined;
      readonly at: number;
    }
  | {
      readonly kind: 'sign-out';
      readonly call: number;
      readonly sessionId: string;
      readonly revoke: boolean;
      readonly refreshToken: string | undefined;
    };

/** What happened. */
export type Event =
  | { readonly type: 'start' }
  | { readonly type: 'tick' }
  | { readonly type: 'lifecycle'; readonly change: LifecycleChange }
  | { readonly type: 'message'; readonly message: Envelope }
  | {
      readonly type: 'call';
      readonly id: number;
      readonly audience: Audience;
      readonly force: boolean;
      readonly minValidityMs?: number | undefined;
      readonly timeoutMs: number;
    }
  | { readonly type: 'cancel'; readonly id: number; readonly error: TokenCoordinatorError }
  | { readonly type: 'session'; readonly operation: Extract<Operation, { kind: 'session' }> }
  | { readonly type: 'sign-out'; readonly call: number; readonly revoke: boolean }
  | { readonly type: 'close' }
  | { readonly type: 'lock'; readonly tag: number; readonly outcome: LockOutcome }
  | {
      readonly type: 'stored';
      readonly operation: Operation;
      /** What the store holds now, and held before. */
      readonly record: SessionRecord | undefined;
      readonly before: SessionRecord | undefined;
      /** The change was made. */
      readonly won: boolean;
    }
  | { readonly type: 'store-failed'; readonly operation: Operation; readonly unusable: boolean }
  | {
      readonly type: 'answered';
      readonly attempt: number;
      readonly outcome: Outcome;
      /** Life of an access token that came without `expires_in`, from its JWT claims; seconds. */
      readonly life?: number | undefined;
    };

/** What is to be done about it; carried out by the runtime, in this order. */
export type Effect =
  | { readonly type: 'lock'; readonly tag: number; readonly name: string; readonly mode: LockMode }
  | { readonly type: 'unlock'; readonly tag: number }
  | {
      readonly type: 'store';
      readonly operation: Operation;
      /** Given the newer of store and memory; `undefined` changes nothing. Absent: read only. */
      readonly change?: (base: SessionRecord | undefined) => SessionRecord | undefined;
    }
  | {
      readonly type: 'send';
      readonly attempt: Attempt;
      readonly refreshToken: string | undefined;
    }
  /** Nobody is left to use the answer. */
  | { readonly type: 'abort'; readonly attempt: number }
  | { readonly type: 'post'; readonly message: Message }
  | { readonly type: 'channel'; readonly open: boolean }
  | {
      readonly type: 'settle';
      readonly id: number;
      readonly token?: string;
      readonly error?: TokenCoordinatorError;
    }
  | { readonly type: 'emit'; readonly event: CoordinatorEvent<EventType> }
  | { readonly type: 'revoke'; readonly token: string }
  | { readonly type: 'dispose' };

/** One step in the making: the state is a fresh copy, so its members may be set; nothing deeper is. */
export interface Turn {
  readonly s: { -readonly [K in keyof State]: State[K] };
  readonly now: Now;
  readonly effects: Effect[];
}

/** A participant before its first step. */
export function initialState(
  me: string,
  options: CoreOptions,
  life: { readonly active: boolean; readonly visible: boolean },
): State {
  return {
    me,
    options,
    loaded: false,
    closed: false,
    active: life.active,
    visible: life.visible,
    storage: 'indexeddb',
    storeFailures: 0,
    storeWorked: false,
    seen: {},
    jitter: 0,
    callers: [],
    attempts: [],
    nextTag: 1,
    disposed: false,
  };
}
