import type { LossReason } from './errors.js';
import type { Cause } from './sanitise.js';

/** Grows when an older bundle could no longer write the record safely; it then reads, but never leads. */
export const SCHEMA = 1;

/** Of longer text, more audiences and more spares there is no record (`parseRecord`). */
export const MOST_TEXT: number = 2 ** 20;
export const MOST_AUDIENCES = 64;
export const MOST_SPARES = 16;
export const MOST_REVOCATIONS = 16;
/** The largest term, version or attempt: it can still grow by one for each nanosecond of the next decade. */
export const MOST_COUNT: number = 2 ** 50;
/** The last instant that a date can tell (ECMA-262 §21.4.1.1); epoch milliseconds. */
export const LATEST = 8.64e15;

/** One access token and what is known of its life. */
export interface AccessToken {
  readonly token: string;
  readonly type: string;
  /** The version whose refresh fetched it. */
  readonly version: number;
  /** When its request was sent, epoch milliseconds. */
  readonly obtainedAt: number;
  /** Epoch milliseconds; absent if the server did not say; 0 if it is not to be used. */
  readonly expiresAt?: number;
}

/** Which API a token is for (RFC 8707 resource, RFC 6749 scope); the empty audience is the one of the sign-in. */
export interface Audience {
  readonly resource?: string | undefined;
  readonly scope?: string | undefined;
}

/** The durable note "the refresh token of this version was sent", committed before the request leaves. */
export interface Journal extends Audience {
  readonly attempt: number;
  /** The participant that sent it. */
  readonly by: string;
  readonly term: number;
  /** When it was built, epoch milliseconds. */
  readonly at: number;
  /** Earlier attempts whose outcome nobody knows. */
  readonly doubts: number;
  /** Failures in a row, for the backoff. */
  readonly failures: number;
  /** Version conflicts in a row. */
  readonly conflicts?: number | undefined;
  /** How often the server has said no. */
  readonly refusals?: Refusals | undefined;
  /** How the attempt failed; absent while nobody knows. */
  readonly failure?: Failure;
}

/** How often the server has said no to the refresh token of a version. */
export interface Refusals {
  /** In all. */
  readonly count: number;
  /** In a row, far enough apart, without an OAuth error. */
  readonly wordless: number;
  /** The last of those in a row with a status that servers refuse a grant with. */
  readonly denied: number;
  /** When the last of the wordless was counted; epoch milliseconds. */
  readonly at: number;
}

/** The known cause of a failed request: scrubbed, so it may be stored, told and shown. */
export interface Diagnosis {
  /** The HTTP status of the answer. */
  readonly status?: number | undefined;
  /** The OAuth error (RFC 6749 §5.2). */
  readonly error?: string | undefined;
  readonly errorDescription?: string | undefined;
  /** The error that was thrown. */
  readonly cause?: Cause | undefined;
}

/** The outcome of an attempt that brought no pair: all tabs wait as one. */
export interface Failure extends Diagnosis {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly retryInMs: number;
  /** Nothing was spent: the server said so, or nothing was sent. */
  readonly unspent: boolean;
  /** The server holds a newer version (409). */
  readonly conflict?: boolean | undefined;
  /** The server said no without an OAuth error. */
  readonly isWordless?: boolean | undefined;
  /** The server said no, and waiting does not heal that. */
  readonly refused?: boolean | undefined;
  /** A fault that only a developer can mend. */
  readonly fault?: Fault | undefined;
}

/** The application's fault, in words for its developer. */
export interface Fault {
  readonly code: 'ERR_CONFIGURATION' | 'ERR_UNSUPPORTED';
  readonly message: string;
}

/** A pair that a late answer brought for a version already advanced: used only if the server refuses the other one. */
export interface Spare {
  readonly refreshToken?: string | undefined;
  readonly audience: string;
  readonly accessToken: AccessToken;
}

/** How a session ended: `reauth-required` for a reason, or by a sign-out. `foreign` is never stored: see `asSeenBy`. */
export interface Ended extends Diagnosis {
  readonly kind: 'signed-out' | 'reauth-required' | 'foreign';
  readonly reason?: LossReason;
}

/** A refresh token that is still to be revoked. It is stored beside the record; the core knows nothing of it. */
export interface Revocation {
  readonly token: string;
  /** Of the server and client that issued it. */
  readonly binding?: string | undefined;
  /** When it was first asked for, epoch milliseconds. */
  readonly at: number;
  readonly tries: number;
  /** When it is to be tried next, epoch milliseconds. */
  readonly next: number;
  /** Not before this session is over, which may be of the same grant. */
  readonly after?: string | undefined;
}

/** The end of a session that is known in advance; see `session-end.ts`. */
export interface SessionEnd {
  /** Epoch milliseconds. From then on the server is not asked. */
  readonly at: number;
  /** When `session-ending` is emitted. */
  readonly soonAt: number;
  /** The app said it, so an answer that does not mention an end changes nothing. */
  readonly given?: boolean | undefined;
  /** `session-ending` has been emitted, or its tab died just before. */
  readonly said?: boolean | undefined;
}

/** All that is stored of a session; one record per coordinator name. */
export interface SessionRecord {
  readonly schema: number;
  /** When the session began: epoch milliseconds, made larger than its predecessor's. Of two sessions the later one counts. */
  readonly startedAt: number;
  /** +1 at every write-ahead, election and claim. Orders the records of one version; a commit compares the version alone. */
  readonly term: number;
  readonly leader?: string | undefined;
  readonly sessionId: string;
  /** The server and client that issued its tokens; absent if its client names none, or an older version of the package wrote it. */
  readonly binding?: string | undefined;
  readonly version: number;
  readonly subject?: string | undefined;
  readonly refreshToken?: string | undefined;
  readonly idToken?: string | undefined;
  readonly accessTokens: { readonly [audience: string]: AccessToken };
  readonly journal?: Journal | undefined;
  readonly spares?: readonly Spare[] | undefined;
  readonly end?: SessionEnd | undefined;
  /** `signed-out` is final; `reauth-required` ends when a late answer brings a pair. */
  readonly ended?: Ended | undefined;
  /**
   * It was heard without its refresh token, which is in a store that this participant cannot read. It serves its access tokens; it is never
   * stored, and nothing is sent with it.
   */
  readonly withheld?: boolean | undefined;
}

/**
 * One more. Where only a forged number can be it stays: a tab with a record that others cannot read would keep it beside the next sign-in.
 *
 *     script  forges term 2^50 ─▶ A  term 2^50 + 1, begun in 2090 (that the others cannot read)
 *                                 B                                 signs in, later than all that it has read: A does not follow
 */
export function next(count: number): number {
  // guard: untrusted: a number grows no further than it is read
  return Math.min(count + 1, MOST_COUNT);
}

/** The key of an audience in `accessTokens`; the order of scopes does not matter (RFC 6749 §3.3). */
export function audienceKey({ resource, scope }: Audience): string {
  if (resource === undefined && scope === undefined) return '';
  return JSON.stringify([resource ?? '', (scope ?? '').split(' ').filter(Boolean).sort()]);
}

/** One per session and version, the same for all attempts: a server that knows it replays its answer. */
export function idempotencyKey({ sessionId, version }: Pick<SessionRecord, 'sessionId' | 'version'>): string {
  return `${sessionId}.${version}`;
}

/** The lock that a sender holds from before its journal is committed until its answer, `pagehide`, or 2T. Never stolen. */
export function attemptLock(record: Pick<SessionRecord, 'sessionId' | 'version'>): string {
  return `attempt:${idempotencyKey(record)}`;
}

/** Whether the session can still be used or brought back. */
export function isOpen(record: SessionRecord | undefined): record is SessionRecord {
  return record !== undefined && !isOver(record) && !isForeign(record);
}

/** Whether a request for the next version may be on its way, by the journal. */
export function isUnderWay({ journal }: SessionRecord): boolean {
  return journal !== undefined && !journal.failure;
}

/** Whether the session ended because the server refused without a word: whether its refresh token is dead, nobody knows. */
export function isUnanswered({ ended }: SessionRecord): boolean {
  return ended?.reason === 'refresh_unanswered';
}

/** Whether the server's last word was that the refresh token is dead. */
export function isLost(record: SessionRecord): boolean {
  return record.ended !== undefined && !isUnanswered(record);
}

export function isOver({ ended }: SessionRecord): boolean {
  return ended?.kind === 'signed-out';
}

/** Whether this is all that a participant of another binding may know of a session: that it is there. */
export function isForeign(record: SessionRecord | undefined): boolean {
  return record?.ended?.kind === 'foreign';
}

/** Whether two participants, or a participant and a record, may share tokens. Without a binding nothing is compared. */
export function isBoundAlike(one: string | undefined, other: string | undefined): boolean {
  // guard: boundary: a record belongs to its server and client
  return one === undefined || other === undefined || one === other;
}

/**
 * A stored record as a participant may know it. Of an open session of another binding only its place remains, so its tokens
 * reach nothing that could send, serve or tell them.
 */
export function asSeenBy(
  binding: string | undefined,
  stored: SessionRecord | undefined,
): SessionRecord | undefined {
  // guard: binding: of a session of another server and client only its place is known
  if (!stored || isBoundAlike(stored.binding, binding)) return stored;
  return { ...placeOf(stored), ended: { kind: isOpen(stored) ? 'foreign' : 'signed-out' } };
}

/** The rest of a session that was signed out: nothing to use, enough to recognise it. */
export function tombstone(record: SessionRecord, term: number): SessionRecord {
  return { ...placeOf(record), term, ended: { kind: 'signed-out' } };
}

function placeOf({ schema, startedAt, term, sessionId, binding, version }: SessionRecord): SessionRecord {
  return { schema, startedAt, term, sessionId, binding, version, accessTokens: {} };
}

/**
 * Names one attempt, the same in every tab. Tabs without a common store may all make the same one, and hear its end at once:
 *
 *     A  attempt 5 ✗ wait 3 s ─╮
 *     B  attempt 5 ✗ wait 7 s ─┴▶ everybody ends with B's record, and is to wait for as long as it says; A, too
 */
export function attemptOf(
  of: Pick<SessionRecord, 'sessionId' | 'version'>,
  journal: Journal | undefined,
): string {
  return `${idempotencyKey(of)}.${journal?.attempt}.${journal?.by}`;
}

/**
 * Whether this attempt's journal is the one at hand. Its term and tab alone do not tell:
 *
 *     A  journal 1, term 3: asked for ─ cached ░░░░ returns ─ journal 2, term 3 ✓ ─ sends ─────────▶
 *        (the first one's write fails)                                    notes "1 was not sent": not in 2
 */
export function isJournalOf(record: SessionRecord | undefined, { by, term, at }: Journal): boolean {
  const journal = record?.journal;
  // guard: an attempt that was never written does not fail the next one of the same term
  return journal?.by === by && journal.term === term && journal.at === at;
}

/**
 * Whatever changes while a refresher lives and works: a tab that sees it stand still for long enough may take over.
 *
 *     A  leads, resigns: term 7, no leader ──▶ C hears it
 *     B  (never heard) claims from term 6: term 7, leader B ─ steals ─ …
 *     C                                       term 7 as before, but led by B: a sign of life
 *
 *     A (no store)  attempt 2 of term 4: sent ─▶ C hears of it, and waits T
 *     B (no store)  attempt 2 of term 4: sent, and soon in the store
 *     C                                        … reads of it before the end: waits T for that one, too
 */
export function fingerprint(record: SessionRecord): string {
  const { term, leader, journal } = record;
  // guard: of two journals of one term, by two tabs without a store, each is waited for
  // guard: a claim of the same term, by a tab that missed a resignation, is a sign of life
  return `${attemptOf(record, journal)}.${term}.${leader}.${journal?.failure?.at}`;
}
