import type { Envelope, Position } from './protocol.js';
import { PROTOCOL } from './protocol.js';
import type {
  AccessToken,
  Diagnosis,
  Ended,
  Failure,
  Fault,
  Journal,
  Refusals,
  Revocation,
  SessionEnd,
  SessionRecord,
  Spare,
} from './record.js';
import {
  LATEST,
  MOST_AUDIENCES,
  MOST_COUNT,
  MOST_REVOCATIONS,
  MOST_SPARES,
  MOST_TEXT,
  tombstone,
} from './record.js';
import type { Cause } from './sanitise.js';
import { descriptionPattern, errorCodePattern, messagePattern } from './sanitise.js';

/** Reads one member and returns a copy of it; `undefined` if it is malformed. */
type Read = (value: unknown) => unknown;

/** How each member is read. The compiler asks for all of them; the name of an optional one ends in `?`. */
type Table<T> = {
  readonly [K in keyof T & string as undefined extends T[K] ? `${K}?` : K]: Read;
};

/** No session begins later than this after now: clocks go wrong by decades (to 1970, to 2106), not by more. Milliseconds. */
const FUTURE_MS = 100 * 365 * 86_400_000;

const text: Read = (value) => (isText(value) ? value : undefined);
const like =
  (pattern: RegExp): Read =>
  (value) =>
    isText(value) && pattern.test(value) ? value : undefined;
const word = like(/^[\w-]{1,64}$/);
/** Of an audience (`audienceKey`): no name that an object has anyway. */
const key = like(/^(\[|$)/);
const flag: Read = (value) => (typeof value === 'boolean' ? value : undefined);
// guard: hostile: numbers leave room to grow
const count: Read = (value) =>
  Number.isInteger(value) && isBetween(value, 0, MOST_COUNT) ? value : undefined;
const instant: Read = (value) => (isBetween(value, -LATEST, LATEST) ? value : undefined);
const duration: Read = (value) => (isBetween(value, 0, 2 ** 31) ? value : undefined);

function isBetween(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most;
}

/** Text that a record may hold. */
export function isText(value: unknown): value is string {
  // guard: hostile: no longer text than a record may hold
  return typeof value === 'string' && value.length <= MOST_TEXT;
}

function oneOf(...values: unknown[]): Read {
  return (value) => (values.includes(value) ? value : undefined);
}

/** An object of these members: its own ones only, and none besides. */
function object<T>(table: Table<T>): Read {
  const members = Object.entries<Read>(table).map(
    ([name, read]) => [name.replace('?', ''), name.endsWith('?'), read] as const,
  );
  return (value) => {
    if (typeof value !== 'object' || value === null) return undefined;
    const copy: Record<string, unknown> = {};
    for (const [name, optional, read] of members) {
      const given = Object.hasOwn(value, name) ? (value as typeof copy)[name] : undefined;
      if (given === undefined && optional) continue;
      // guard: hostile: a record or message with a malformed member is absent
      if ((copy[name] = read(given)) === undefined) return undefined;
    }
    return copy;
  };
}

/** The sound ones of a list, or of an object whose keys `keyed` reads; no more than `most`. A token that is left out is fetched again. */
function entries(most: number, read: Read, keyed?: Read): Read {
  return (value) => {
    if (typeof value !== 'object' || value === null || (!keyed && !Array.isArray(value))) return undefined;
    const sound: [string, unknown][] = [];
    for (const [name, entry] of Object.entries(value)) {
      // guard: hostile: of access tokens and spares the sound ones are read
      const copy = keyed?.(name) === undefined && keyed ? undefined : read(entry);
      // guard: hostile: no more audiences than a record may have
      if (copy !== undefined && sound.push([name, copy]) === most) break;
    }
    return keyed ? Object.fromEntries(sound) : sound.map(([, copy]) => copy);
  };
}

const accessToken = object<AccessToken>({
  token: text,
  type: text,
  version: count,
  obtainedAt: instant,
  'expiresAt?': instant,
});

const message = like(messagePattern);
const diagnosis: Table<Diagnosis> = {
  'status?': count,
  'error?': like(errorCodePattern),
  'errorDescription?': like(descriptionPattern),
  'cause?': object<Cause>({ name: message, message }),
};

const journal = object<Journal>({
  attempt: count,
  by: text,
  term: count,
  at: instant,
  doubts: count,
  failures: count,
  'conflicts?': count,
  'refusals?': object<Refusals>({ count, wordless: count, denied: count, at: instant }),
  'resource?': text,
  'scope?': text,
  'failure?': object<Failure>({
    at: instant,
    retryInMs: duration,
    unspent: flag,
    'conflict?': flag,
    'isWordless?': flag,
    'refused?': flag,
    ...diagnosis,
    'fault?': object<Fault>({
      code: oneOf('ERR_CONFIGURATION', 'ERR_UNSUPPORTED'),
      message,
    }),
  }),
});

const position: Table<Position> = {
  sessionId: text,
  version: count,
  term: count,
  'leader?': text,
  'journal?': journal,
  'ended?': object<Ended>({
    kind: oneOf('signed-out', 'reauth-required'),
    'reason?': word,
    ...diagnosis,
  }),
};

const record = object<Omit<SessionRecord, 'withheld'>>({
  schema: count,
  startedAt: count,
  ...position,
  'binding?': text,
  'subject?': text,
  'refreshToken?': text,
  'idToken?': text,
  accessTokens: entries(MOST_AUDIENCES, accessToken, key),
  'spares?': entries(MOST_SPARES, object<Spare>({ 'refreshToken?': text, audience: key, accessToken })),
  'end?': object<SessionEnd>({ at: instant, soonAt: instant, 'given?': flag, 'said?': flag }),
});

const revocations = entries(
  MOST_REVOCATIONS,
  object<Revocation>({
    token: text,
    'binding?': text,
    at: instant,
    tries: count,
    next: instant,
    'after?': text,
  }),
);

/** The members of all messages; which of them counts is told by `type`. Of an unknown type only the position counts. */
const envelope = object<Envelope & { readonly protocol: number; readonly record?: SessionRecord }>({
  protocol: oneOf(PROTOCOL),
  from: text,
  'binding?': text,
  type: word,
  ...position,
  'memory?': flag,
  'record?': record,
  ...({
    'unsaved?': flag,
    'withheld?': flag,
    'resource?': text,
    'scope?': text,
    'to?': text,
  } as object),
});

/**
 * Reads a record that any script of the origin, or another version of the app, may have written: a copy of the members that are known,
 * or `undefined` if one of them is missing or malformed. (Of access tokens and spares, the sound ones.)
 * @param now - epoch milliseconds
 */
export function parseRecord(value: unknown, now: number): SessionRecord | undefined {
  const read = record(value) as SessionRecord | undefined;
  // A start that no sign-in could be later than would outlast all of them.
  // guard: hostile: a stored session does not begin in another century
  return read && read.startedAt <= now + FUTURE_MS ? whileItLives(read) : undefined;
}

/**
 * A session whose numbers cannot grow is over. Each refresh would bring one more pair of the same version, and callers would wait for a
 * newer one; an end that is written with the same term would be no news, and the server would be asked again. Only a script forges that,
 * or a session that was signed out with tokens in it, which somebody would tell.
 */
function whileItLives(read: SessionRecord): SessionRecord {
  const { version, term, journal, ended } = read;
  // guard: hostile: a session whose numbers cannot grow is over
  // guard: untrusted: of a session that was signed out nothing is kept
  const isOver = Math.max(version, term, journal?.attempt ?? 0) >= MOST_COUNT || ended?.kind === 'signed-out';
  // A caller that was refused with a token of a version to come would have one pair after the other fetched, until that version.
  // guard: hostile: a token of a version to come is none
  const known = Object.entries(read.accessTokens).filter(([, token]) => token.version <= version);
  return isOver ? tombstone(read, term) : { ...read, accessTokens: Object.fromEntries(known) };
}

/** Reads what is still to be revoked, likewise: the sound ones. */
export function parseRevocations(value: unknown): readonly Revocation[] {
  const given: unknown = Object.hasOwn(Object(value) as object, 'revocations')
    ? (value as { revocations: unknown }).revocations
    : undefined;
  return (revocations(given) as Revocation[] | undefined) ?? [];
}

/** Reads what arrived on the channel, likewise. Other protocol versions and malformed messages are `undefined`. */
export function parseMessage(data: unknown, now: number): Envelope | undefined {
  const read = envelope(data) as (Envelope & { readonly record?: SessionRecord }) | undefined;
  const told = read?.record;
  if (!told) return read;
  // guard: hostile: nor does one that is told
  const isSound = told.sessionId === read.sessionId && told.startedAt <= now + FUTURE_MS;
  return isSound ? ({ ...read, record: whileItLives(told) } as Envelope) : undefined;
}
