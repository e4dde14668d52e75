// The result of a campaign, by the server's own log and the tabs' clocks.
import type { TokenRequestEntry } from '../../demo/server/token-endpoint-log.js';
import type { TabReport } from './page/main.js';

export interface Figures {
  /** Token pairs whose refresh token was sent at least once: each stands for one access token that had expired. */
  expiries: number;
  /** Refresh requests. */
  requests: number;
  requestsPerExpiry: number;
  /** Requests answered `invalid_grant` or `version_conflict`. */
  conflicts: number;
  conflictRate: number;
  /** Requests answered with anything but tokens. */
  refused: number;
  /** Requests answered from the session table, which spent nothing. */
  replayed: number;
  forcedLogins: number;
  /** Calls that found no live token and got one without logging in: how long they took. */
  waits: number;
  p50: number | undefined;
  p95: number | undefined;
  /** Calls that ended without a token, for reasons that pass. */
  failures: number;
  seconds?: number;
}

export function figuresOf(
  log: readonly TokenRequestEntry[],
  reports: readonly TabReport[],
  forcedLogins: number,
): Figures {
  const refreshes = log.filter(({ grantType, sent }) => grantType === 'refresh_token' && sent !== undefined);
  const answered = refreshes.flatMap(({ sent }) => (typeof sent === 'object' ? sent : []));
  const conflicts = answered.filter(
    ({ error }) => error === 'invalid_grant' || error === 'version_conflict',
  ).length;
  const expiries = new Set(refreshes.map(({ spent }) => spent)).size;
  const waits = reports.flatMap((report) => report.waits).sort((a, b) => a - b);
  const percentile = (share: number) => waits[Math.max(0, Math.ceil(waits.length * share) - 1)];
  return {
    expiries,
    requests: refreshes.length,
    requestsPerExpiry: expiries === 0 ? 0 : refreshes.length / expiries,
    conflicts,
    conflictRate: refreshes.length === 0 ? 0 : conflicts / refreshes.length,
    refused: answered.filter(({ status }) => status !== 200).length,
    replayed: refreshes.filter(({ replayed }) => replayed).length,
    forcedLogins,
    waits: waits.length,
    p50: percentile(0.5),
    p95: percentile(0.95),
    failures: reports.reduce((sum, report) => sum + report.failures, 0),
  };
}
