import type { TokenResponse } from '../../core/types.js';
import { readHttpDate } from '../retry-after.js';
import { readClaims } from './claims.js';
import { readNote, writeNote } from './key-store.js';

/** A difference that no server minds; smaller ones may be the network's. */
const TOLERANCE_MS = 5_000;
/** Requests that were under way together were refused for the same fault; it is corrected once. */
const CORRECTION_MS = 10_000;

/**
 * How far this computer's clock is from the servers'. A proof says when it was made and is refused if that is wrong by more than a
 * minute or so. The clock is taken to be right until a proof has been refused; what tokens say about the time is kept as a hint for
 * that moment only, since a server may well issue the same token twice.
 */
interface Skew {
  readonly skewMs: number;
  readonly hintMs?: number;
}

let skew: Skew | undefined;
let correctedAt = -Infinity;

const load = async (): Promise<Skew> => (skew ??= (await readNote<Skew>('clock')) ?? { skewMs: 0 });

/** The servers' time, as far as known; epoch milliseconds. */
export async function serverNow(): Promise<number> {
  return Date.now() + (await load()).skewMs;
}

/** Keeps as a hint when the tokens that have just come were issued. */
export async function hearIssueTime(tokens: TokenResponse): Promise<void> {
  const issuedAt = Math.max(
    ...[tokens.access_token, tokens.id_token].map((token) => Number(readClaims(token)['iat'] ?? 0)),
  );
  if (!(issuedAt > 0)) return;
  const hintMs = issuedAt * 1000 - Date.now();
  skew = { ...(await load()), hintMs };
  await writeNote('clock', skew);
}

/**
 * Corrects the clock after a proof was refused: by the answer's `Date`, which across origins must be exposed; else by what another tab has
 * found, else by the hint; a correction that was wrong is taken back.
 *
 * @returns whether a further try makes sense
 */
export async function correctClock(headers: Headers): Promise<boolean> {
  if (performance.now() - correctedAt < CORRECTION_MS) return true;
  const { skewMs } = await load();
  const noted = (await readNote<Skew>('clock')) ?? { skewMs };
  const date = readHttpDate(headers.get('date'));
  const differs = (ms: number | undefined): ms is number =>
    ms !== undefined && Math.abs(ms - skewMs) > TOLERANCE_MS;
  const candidates = date === undefined ? [noted.skewMs, noted.hintMs, 0] : [date - Date.now()];
  const corrected = candidates.find(differs);
  if (corrected === undefined) return false;
  correctedAt = performance.now();
  skew = { ...noted, skewMs: corrected };
  await writeNote('clock', skew);
  return true;
}
