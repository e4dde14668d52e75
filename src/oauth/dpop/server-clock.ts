import type { TokenResponse } from '../../core/types.js';
import { readHttpDate } from '../retry-after.js';
import { readClaims } from '../../claims.js';
import { readNote, removeNote, writeNote } from './key-store.js';

/** A difference that no server minds; smaller ones may be the network's. */
const TOLERANCE_MS = 5_000;
/** No clock of a computer that is in use is more wrong than a day, and no server is believed that says so. */
const MOST_MS = 86_400_000;
/** Requests that were under way together were refused for the same fault; it is corrected once. */
const CORRECTION_MS = 10_000;

/**
 * How far this computer's clock is from a server's, milliseconds. A proof says when it was made and is refused if that is wrong by more than a
 * minute or so. The clock is taken to be right until that server has refused a proof. Its word then counts for itself alone: otherwise an
 * API could have proofs for the authorization server made for a time to come.
 */
const skews = new Map<string, { readonly skewMs: number; readonly correctedAt: number }>();

const skewId = (server: string): string => `clock:${server}`;
/** The time in tokens is a hint for that moment only, since a server may well issue the same token twice. */
const hintId = (sessionId: string): string => `issued:${sessionId}`;

async function load(server: string): Promise<{ readonly skewMs: number; readonly correctedAt: number }> {
  const known = skews.get(server) ?? {
    skewMs: bounded(await readNote(skewId(server))) ?? 0,
    correctedAt: -Infinity,
  };
  skews.set(server, known);
  return known;
}

/** A server's time, as far as known; epoch milliseconds. */
export async function serverNow(server: string): Promise<number> {
  return Date.now() + (await load(server)).skewMs;
}

/** Keeps as a hint when the tokens of a session that have just come were issued. Never rejects. */
export async function hearIssueTime(sessionId: string, tokens: TokenResponse): Promise<void> {
  const issuedAt = Math.max(
    ...[tokens.access_token, tokens.id_token].map((token) => Number(readClaims(token)['iat'] ?? 0)),
  );
  if (issuedAt > 0) await writeNote(hintId(sessionId), issuedAt * 1000 - Date.now());
}

/** Never rejects. */
export const forgetIssueTime = (sessionId: string): Promise<void> => removeNote(hintId(sessionId));

/**
 * Corrects the clock after a server has refused a proof: by the answer's `Date`, which across origins must be exposed; else by what another tab
 * has found, else by the hint; a correction that was wrong is taken back.
 *
 * @returns whether a further try makes sense
 */
export async function correctClock(server: string, sessionId: string, headers: Headers): Promise<boolean> {
  const { skewMs, correctedAt } = await load(server);
  if (performance.now() - correctedAt < CORRECTION_MS) return true;
  const date = readHttpDate(headers.get('date'));
  const candidates =
    date === undefined
      ? [await readNote(skewId(server)), await readNote(hintId(sessionId)), 0]
      : [date - Date.now()];
  const corrected = candidates
    .map(bounded)
    .find((ms): ms is number => ms !== undefined && Math.abs(ms - skewMs) > TOLERANCE_MS);
  if (corrected === undefined) return false;
  skews.set(server, { skewMs: corrected, correctedAt: performance.now() });
  await writeNote(skewId(server), corrected);
  return true;
}

function bounded(ms: unknown): number | undefined {
  return typeof ms === 'number' && Math.abs(ms) <= MOST_MS ? ms : undefined;
}
