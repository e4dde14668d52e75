// The lab page's requests to the demo's server.
import type { FaultRule } from '../../server/faults.js';
import type { Mode } from '../rivals/modes.js';

export interface LabRequest {
  id: number;
  receivedAt: number;
  answeredAt?: number;
  grantType?: string;
  spent?: string;
  sent?: { status: number; error?: string } | string;
  replayed?: boolean;
  faults: string[];
  debug: Record<string, string>;
}

export interface LabLog {
  now: number;
  logins: number;
  requests: LabRequest[];
}

export async function readLog(): Promise<LabLog> {
  const response = await fetch('/__lab/log');
  const { now, logins, entries } = (await response.json()) as {
    now: number;
    logins: number;
    entries: LabRequest[];
  };
  return { now, logins, requests: entries.filter(({ grantType }) => grantType === 'refresh_token') };
}

/** How long an access token lives here, seconds: time enough to read, and then it expires without a click. */
export const LIFE_S = 120;

/** The loopback network is too good: a little way there and back, so that requests can overlap. */
const WAY: FaultRule = { times: 'always', delayMs: 30, answerDelayMs: 30 };

/** The settings that this page found. */
let found: object | undefined;

export async function prepare(mode: Mode): Promise<void> {
  const log = await fetch('/__lab/log');
  found ??= ((await log.json()) as { settings: object }).settings;
  await post('/__lab/settings', {
    sessionTableMs: mode.sessionTable ? 10_000 : 0,
    versionCheck: mode.versionCheck,
    accessTokenTtl: LIFE_S,
  });
  await clearFaults();
  await fetch('/__lab/log', { method: 'DELETE' });
}

/** As it was found: the demo's other page says what the server does, and is to be right. */
export function putBack(): void {
  if (!found) return;
  const body = JSON.stringify(found);
  void fetch('/__lab/settings', { method: 'POST', body, keepalive: true }).catch(() => {});
  void fetch('/__lab/faults', { method: 'DELETE', keepalive: true }).catch(() => {});
}

export async function clearFaults(): Promise<void> {
  await fetch('/__lab/faults', { method: 'DELETE' });
  await addFault(WAY);
}

export function addFault(rule: FaultRule): Promise<void> {
  return post('/__lab/faults', rule);
}

async function post(path: string, body: object): Promise<void> {
  await fetch(path, { method: 'POST', body: JSON.stringify(body) });
}
