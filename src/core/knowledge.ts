import type { TokenCoordinatorError } from './errors.js';
import { TokenCoordinatorError as CoordinatorError } from './errors.js';
import { refreshLead, remainingLife, lifeOf } from './expiry.js';
import type { Now } from './expiry.js';
import type { Message } from './protocol.js';
import type { AccessToken, Journal, SessionRecord } from './record.js';
import { isOpen, newer } from './record.js';
import type { Effect, Operation, State, Turn } from './state.js';
import type { CoordinatorEvent, EventType } from './types.js';

/** Queues an event for this tab's listeners. */
export function emit(
  t: Turn,
  type: EventType,
  details: Partial<Omit<CoordinatorEvent, 'type' | 'at'>> = {},
): void {
  const r = t.s.record;
  const event = {
    type,
    at: t.now.wall,
    ...(r && { sessionId: r.sessionId, version: r.version, term: r.term }),
    ...details,
  };
  t.effects.push({ type: 'emit', event });
}

export function post(t: Turn, message: Message): void {
  t.effects.push({ type: 'post', message });
}

export function store(
  t: Turn,
  operation: Operation,
  change?: Extract<Effect, { type: 'store' }>['change'],
): void {
  t.effects.push({ type: 'store', operation, ...(change && { change }) });
}

/** The access token of an audience, of the record or heard since. */
export function tokenOf(s: State, key: string): AccessToken | undefined {
  const { record, heard } = s;
  if (!isOpen(record)) return undefined;
  const ahead = heard?.sessionId === record.sessionId && heard.version > record.version;
  return (ahead ? heard.accessTokens[key] : undefined) ?? record.accessTokens[key];
}

/** Life left of an audience's token, `-Infinity` without one. */
export function lifeLeft(s: State, key: string, now: Now): number {
  const token = tokenOf(s, key);
  return token ? remainingLife(token, s.seen[key]?.at ?? now.mono, now) : -Infinity;
}

/** Whether this tab was named leader last. */
export function leads(s: State): boolean {
  return isOpen(s.record) && s.record.leader === s.me;
}

/** Milliseconds until this tab refreshes ahead of expiry, by itself; `Infinity` if it does not. */
export function proactiveDue(s: State, now: Now): number {
  const { options, record } = s;
  const token = tokenOf(s, '');
  if (!token || record?.ended || options.proactive === 'never') return Infinity;
  if (!s.visible && options.proactive === 'visible') return Infinity;
  const life = lifeOf(token);
  if (life === Infinity) return Infinity;
  return lifeLeft(s, '', now) - refreshLead(life, options.refreshBeforeMs, leads(s), s.jitter);
}

/** Names one failure, the same in every tab. */
export function failureOf(record: Pick<SessionRecord, 'sessionId' | 'version'>, attempt: number): string {
  return `${record.sessionId}.${record.version}.${attempt}`;
}

/** Stops sending for a while; `Infinity`: until a wake-up or a forced call. */
export function pause(t: Turn, of: string, forMs: number, error: TokenCoordinatorError): void {
  t.s.pausedFor = of;
  t.s.pause = { of, until: t.now.mono + forMs, error };
}

/** The typed error of a failed attempt, and how long to wait. */
export function pauseForFailure(
  t: Turn,
  of: string,
  retryInMs: number,
  { error, errorDescription }: Pick<NonNullable<Journal['failure']>, 'error' | 'errorDescription'>,
): void {
  if (error === undefined) {
    const message = 'The token endpoint gave no usable answer; the session is kept and tried again';
    pause(
      t,
      of,
      retryInMs,
      new CoordinatorError('ERR_REFRESH_UNAVAILABLE', message, { retryAfterMs: retryInMs }),
    );
  } else {
    const message = `The token endpoint refused the refresh (${error}); check the client's configuration`;
    pause(
      t,
      of,
      Infinity,
      new CoordinatorError('ERR_REFRESH_REJECTED', message, { error, errorDescription }),
    );
  }
}

/** When this tab first saw a token of this version; what was committed here counts from its request. */
export function see(t: Turn, key: string, version: number, at: number): void {
  if (t.s.seen[key]?.version !== version) t.s.seen = { ...t.s.seen, [key]: { version, at } };
}

/**
 * Takes over what is newer than what this tab knew, and draws the conclusions: events, pauses, timers. Idempotent and
 * independent of the order in which records come in. Between equals the store is right, and hearsay is not.
 */
export function adopt(t: Turn, theirs: SessionRecord | undefined, hearsay = false): void {
  const { s, now } = t;
  const before = s.record;
  const after = hearsay ? newer(before, theirs) : newer(theirs, before);
  if (!after || after === before) return;
  s.record = after;
  const replaced = before?.sessionId !== after.sessionId;
  if (replaced) s.seen = {};
  for (const [key, token] of Object.entries(after.accessTokens)) see(t, key, token.version, now.mono);
  if (replaced || before.version !== after.version) {
    s.jitter = now.random;
    s.delegatedUntil = s.request = undefined;
  }
  if (s.heard && (replaced || s.heard.version <= after.version)) s.heard = undefined;

  const failure = after.journal?.failure;
  const of = failureOf(after, after.journal?.attempt ?? 0);
  if (!failure) s.pause = undefined;
  else if (of !== s.pausedFor) {
    // Another tab's wall clock wrote it: believe it for no longer than the wait it asks for.
    const rest = failure.at + failure.retryInMs - now.wall;
    pauseForFailure(t, of, Math.max(0, Math.min(rest, failure.retryInMs)), failure);
  }

  if (!s.loaded) return;
  if (!isOpen(after)) {
    if (isOpen(before)) emit(t, 'signed-out');
  } else {
    if (replaced || !isOpen(before)) emit(t, 'session-started');
    if (after.leader !== undefined && (replaced || before.leader !== after.leader)) emit(t, 'leader-changed');
  }
}
