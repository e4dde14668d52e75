// The figures of one way to refresh, from what the server saw.
import type { LabRequest } from './server.js';

export interface Score {
  expiries: number;
  requests: number;
  conflicts: number;
  forcedLogins: number;
  /** From a round's start until its last tab had a token, milliseconds. */
  waits: readonly number[];
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

export function scoreOf(
  requests: readonly LabRequest[],
  forcedLogins: number,
  waits: readonly number[],
): Score {
  return {
    expiries: new Set(requests.map(({ spent }) => spent)).size,
    requests: requests.length,
    conflicts: requests.filter((request) => outcomeOf(request) === 'conflict').length,
    forcedLogins,
    waits,
  };
}
