// The figures of one way to refresh, from what the server saw.
import type { LabRequest } from './server.js';

export interface Score {
  expiries: number;
  requests: number;
  conflicts: number;
  forcedLogins: number;
  /** From a round's start until its last tab had a token, milliseconds; `null` for a round that ended at the login. */
  waits: readonly (number | null)[];
}

export const noScore: Score = { expiries: 0, requests: 0, conflicts: 0, forcedLogins: 0, waits: [] };

export type Outcome = 'good' | 'conflict' | 'replayed' | 'trouble' | 'open';

export function outcomeOf({ sent, replayed }: LabRequest): Outcome {
  if (sent === undefined) return 'open';
  if (typeof sent === 'string') return 'trouble';
  if (sent.error === 'invalid_grant' || sent.error === 'version_conflict') return 'conflict';
  if (sent.status !== 200) return 'trouble';
  return replayed ? 'replayed' : 'good';
}

export function scoreOf(requests: readonly LabRequest[], forcedLogins: number, waits: Score['waits']): Score {
  return {
    expiries: new Set(requests.map(({ spent }) => spent)).size,
    requests: requests.length,
    conflicts: requests.filter((request) => outcomeOf(request) === 'conflict').length,
    forcedLogins,
    waits,
  };
}

export function percent(part: number, of: number): string {
  return of === 0 ? '–' : `${((part / of) * 100).toFixed(1)} %`;
}

/** Of the rounds that ended well; how long the slowest tab waited. */
export function medianWait({ waits }: Score): string {
  const sorted = waits.filter((ms) => ms !== null).sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  return median === undefined ? '–' : `${Math.round(median)} ms`;
}

export function perExpiry({ requests, expiries }: Score): string {
  return expiries === 0 ? '–' : (requests / expiries).toFixed(3);
}
