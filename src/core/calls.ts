import { NETWORK_HINT, say } from '#texts';
import type { ErrorCode, ErrorDetails } from './errors.js';
import { TokenCoordinatorError } from './errors.js';
import { lifeOf, minValidity } from './expiry.js';
import type { Now } from './expiry.js';
import { access, endPause, isRefreshable, lifeLeft, tokenOf } from './knowledge.js';
import type { CoreOptions } from './options.js';
import type { AccessToken } from './record.js';
import { audienceKey, isForeign, isOpen } from './record.js';
import type { Cause } from './sanitise.js';
import type { Caller, Event, State, Turn } from './state.js';
import type { Word } from './texts.development.js';

/** An error of this code, with its standard text and what is known of why: many logs keep nothing but the message. */
export function fault(
  code: ErrorCode,
  details: ErrorDetails = {},
  text: string = say(code) + reasonsIn(details),
): TokenCoordinatorError {
  return new TokenCoordinatorError(code, text, details);
}

/** The mistake of a developer: in an option, in an argument, or in an answer of the server. */
export function misused(word: Word, ...values: readonly string[]): TokenCoordinatorError {
  return new TokenCoordinatorError('ERR_CONFIGURATION', say('ERR_CONFIGURATION', word, ...values));
}

export function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0;
}

/** Whether a caller's signal can be listened to. As for `fetch`, null is none. */
export function isSignal(value: unknown): boolean {
  return (
    value == null || typeof (value as { readonly addEventListener?: unknown }).addEventListener === 'function'
  );
}

function reasonsIn({ reason, status, error, errorDescription, cause }: ErrorDetails): string {
  const { name, message } = Object(cause) as Partial<Cause>;
  const hint = name === 'TypeError' && !status && NETWORK_HINT;
  const said = [reason, status, error, errorDescription, name && `${name}: ${message}`, hint].filter(Boolean);
  return said[0] ? ` (${said.join('; ')})` : '';
}

/** An unread store is not an empty one. */
export function unreadFault({ record, unread }: State): TokenCoordinatorError | undefined {
  return !record && unread ? fault('ERR_STORAGE') : undefined;
}

/** The readable part of a binding, for an error: any script of the origin may have written it. */
function readable(binding: string): string {
  return `"${binding.slice(0, 200).replace(/[^\x20-\x7e]/g, '?')}"`;
}

/** The error that a snapshot shows, and that callers get who cannot be served. */
export function standingError(
  { record, pause, options }: Pick<State, 'record' | 'pause'> & { options: Pick<CoreOptions, 'binding'> },
  retryAfterMs?: number,
): TokenCoordinatorError | undefined {
  if (isForeign(record)) {
    const [theirs, ours] = [record!.binding!, options.binding!].map(readable);
    return misused('foreign', theirs!, ours!);
  }
  if (isOpen(record) && record.ended) {
    const { kind: _, ...details } = record.ended;
    return fault('ERR_REAUTH_REQUIRED', details);
  }
  if (!pause) return undefined;
  const { status, error, errorDescription, cause, fault: found } = pause.failure ?? {};
  return fault(pause.code, { status, error, errorDescription, cause, retryAfterMs }, found?.message);
}

/** Least life of a token handed out without a word about it. */
export function requiredLife(s: State, token: AccessToken): number {
  return minValidity(lifeOf(token), s.options.minValidityMs);
}

/** Takes on somebody who needs a token; `settleCallers` answers, perhaps in this very step. */
export function call(t: Turn, event: Extract<Event, { type: 'call' }>): void {
  const { s, now } = t;
  // Nobody is signed in, as far as this tab heard: the store may know better.
  // guard: the store is asked before a caller is told that nobody is signed in
  const unread = s.loaded && !isOpen(s.record);
  const until = now.mono + event.timeoutMs;
  const key = audienceKey(event);
  s.callers = [...s.callers, { ...event, key, until, unread }];
  if (unread) readFor(t, event.id);
  // A person may have healed a fault that waiting does not heal: a forced call tries again. And a refusal
  // of a further audience says nothing of the sign-in's own.
  const refused = s.record?.journal;
  const isAsked = event.force || (!key && refused && audienceKey(refused));
  if (s.pause?.until === Infinity && isAsked && !s.record?.ended) endPause(t);
}

/** Lets a caller go. */
export function cancel(t: Turn, { id, error, orServe }: Extract<Event, { type: 'cancel' }>): void {
  const { s, now } = t;
  const caller = s.callers.find((one) => one.id === id);
  if (!caller) return;
  s.callers = s.callers.filter((one) => one !== caller);
  // guard: a caller that is let go is served a token that lives
  const isServed = orServe && !caller.force && lifeLeft(s, caller.key, now) > 0;
  t.effects.push({
    type: 'settle',
    id,
    ...(isServed ? { token: tokenOf(s, caller.key)!.token } : { error }),
  });
}

/** Asks the store for a caller; again, as long as it is only not to be read: that is no answer. */
function readFor(t: Turn, id: number): void {
  access(t, undefined, (t, { failed }) => {
    // guard: a store that cannot be read is asked again before a caller hears that nobody is signed in
    if (failed) return readFor(t, id);
    t.s.callers = t.s.callers.map((one) => (one.id === id ? { ...one, unread: false } : one));
  });
}

/** Answers everybody who can be answered with what is known now. */
export function settleCallers(t: Turn): void {
  const { s, now } = t;
  if (s.callers.length === 0) return;
  // A call that comes after `setSession` was called, while nobody is signed in, means the session that is about to begin.
  //
  //     load      read ───────────────────────────────▶ nobody
  //     sign-in        bind, write ──────────────────────────▶ somebody
  //     call              waits ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ served
  // guard: a call made while this tab signs in waits for it
  const known = s.loaded && (s.signingIn === 0 || (isOpen(s.record) && !s.record.ended));
  const waiting: Caller[] = [];
  for (let caller of s.callers) {
    // The wanted version is fixed when the store has been read: under which session, newer than which version.
    if (known && !caller.unread && caller.version === undefined) {
      // guard: per-resource version: done means that this very token was renewed
      caller = { ...caller, sessionId: s.record?.sessionId, version: tokenOf(s, caller.key)?.version ?? 0 };
    }
    const answer = verdict(s, caller, now);
    if (!answer) waiting.push(caller);
    else t.effects.push({ type: 'settle', id: caller.id, ...answer });
  }
  s.callers = waiting;
}

function verdict(
  s: State,
  caller: Caller,
  now: Now,
): { token: string } | { error: TokenCoordinatorError } | undefined {
  const { record, pause } = s;
  const late = now.mono >= caller.until ? { error: fault('ERR_TIMEOUT') } : undefined;
  if (caller.version === undefined) return late;
  if (isForeign(record)) return { error: standingError(s)! };
  // guard: a caller keeps to the session it asked under
  if (!isOpen(record) || caller.sessionId !== record.sessionId) {
    // guard: without a store that can be read for now, nobody is told that nobody is signed in
    return { error: unreadFault(s) ?? fault('ERR_SIGNED_OUT') };
  }

  const token = tokenOf(s, caller.key);
  if (token) {
    const left = lifeLeft(s, caller.key, now);
    const served = { token: token.token };
    // Anything newer than what was found wanting will do, or a short-lived token would never be handed out; and what still
    // looks dead after a second refresh does so by a clock of this tab's own. (Unless it is a spare's that was in use before.)
    const newer = token.version - caller.version;
    // guard: a token that is not to be used is not served, however new it is
    // guard: a token that still looks dead after a second refresh does so by the clock of this tab
    if (token.expiresAt !== 0 && (newer > 1 || (newer > 0 && (left > 0 || token.version === s.received))))
      return served;
    // No better one is to be had for now, so a live one is served.
    const isLast = pause || record.ended || !isRefreshable(s);
    const least = isLast ? 0 : (caller.minValidityMs ?? requiredLife(s, token));
    if (!caller.force && left > least) return served;
    // The session ends with its token, not before.
    if (left > 0 && !isRefreshable(s))
      return { error: fault('ERR_REAUTH_REQUIRED', { reason: 'no_refresh_token' }) };
  }
  const waits = pause && pause.until < caller.until && !record.ended && !caller.failFast;
  const retryInMs = pause ? pause.until - now.mono : Infinity;
  const error = waits ? undefined : standingError(s, retryInMs < Infinity ? Math.ceil(retryInMs) : undefined);
  return error ? { error } : late;
}
