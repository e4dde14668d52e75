import type { SessionEnd, SessionRecord } from './record.js';
import { isOpen, isUnanswered, LATEST } from './record.js';
import type { TokenResponse } from './types.js';

/** `session-ending` comes a tenth of the known life ahead, and no earlier than this; milliseconds. */
const LONGEST_NOTICE_MS = 300_000;

function endOf(instant: number, from: number, given?: boolean): SessionEnd {
  const at = Math.min(instant, LATEST);
  return { at, soonAt: at - Math.min((at - from) / 10, LONGEST_NOTICE_MS), given };
}

/**
 * The end that a token response names: `refresh_token_timeout` (draft-ietf-oauth-refresh-token-expiration §5.1), `refresh_token_expires_in`
 * (its earlier name, and that of several providers) or Keycloak's `refresh_expires_in`, where 0 means that there is none.
 */
function announcedEnd(tokens: TokenResponse, from: number): SessionEnd | undefined {
  const { refresh_token_timeout, refresh_token_expires_in, refresh_expires_in } = tokens;
  const life: unknown = refresh_token_timeout ?? refresh_token_expires_in ?? refresh_expires_in;
  const seconds = typeof life === 'string' ? Number(life) : life;
  return typeof seconds === 'number' && seconds > 0 ? endOf(from + seconds * 1000, from) : undefined;
}

/** The end of a session that begins: as the app says, or else the server. */
export function firstEnd(
  tokens: TokenResponse,
  from: number,
  given: number | undefined,
): SessionEnd | undefined {
  return given === undefined ? announcedEnd(tokens, from) : endOf(given, from, true);
}

/** The end after a refresh. A server that gives a new refresh token and names no life for it has set none (§5.1.2 of the draft). */
export function endAfter(
  { end }: SessionRecord,
  tokens: TokenResponse,
  from: number,
): SessionEnd | undefined {
  return announcedEnd(tokens, from) ?? (tokens.refresh_token && !end?.given ? undefined : end);
}

/**
 * A record as it is at this moment. An end that has come is seen, not written: each participant reads it off its own wall clock, so nothing
 * has to be stored or told, and a clock that is set back brings the session back.
 */
export function asOf(record: SessionRecord | undefined, wall: number): SessionRecord | undefined {
  if (!isOpen(record) || !record.end) return record;
  const { end, ended } = record;
  const isOver = end.at <= wall;
  // (A session that was refused without a word is tried again until then.)
  // guard: end: the clocks of others are not believed
  if (ended && !isUnanswered(record) ? isOver || ended.reason !== 'no_refresh_token' : !isOver) return record;
  return { ...record, ended: isOver ? { kind: 'reauth-required', reason: 'no_refresh_token' } : undefined };
}

/** Milliseconds until the next thing that a known end asks for. */
export function endDue({ end, ended }: SessionRecord, wall: number): number {
  return !end || ended ? Infinity : (end.soonAt > wall ? end.soonAt : end.at) - wall;
}
