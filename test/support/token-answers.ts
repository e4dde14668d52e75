// The answers of token endpoints to a refresh, with their meaning: the table of docs/failures.md, with the dialects of real servers. The same
// rows go over the wire in Node and in a browser.
import type { TokenCoordinator, TokenCoordinatorOptions } from '../../src/types.js';
import type { RefreshTokenGrantOptions } from '../../src/oauth/options.js';
import type { Answer } from './loopback-server.js';

/** One dialect. */
export interface AnswerRow {
  readonly name: string;
  /** Sent to the first `times` requests; then new tokens come. Default: to all. */
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly times?: number;
  /** The connection is reset instead, or no answer comes, or it has no CORS headers. */
  readonly broken?: 'reset' | 'hang' | 'no-cors';
  /** With an `isSessionLost` that knows this server. */
  readonly isLostKnown?: boolean;
  readonly expected: Meaning;
}

/** The outcome of a row. */
export interface Meaning {
  /** Of a forced call that does not wait: a token, or an error's code. Absent: the pause is short, by chance over before the call hears of it. */
  readonly first?: string;
  /** Of a forced call that waits. Absent: there is nothing to wait for. */
  readonly second?: string;
  readonly status: 'signed-in' | 'reauth-required';
  readonly refreshStatus: 'idle' | 'paused';
  /** The words of the error; the events `refresh-failed` or `reauth-required` say the same. */
  readonly error?: {
    readonly code: string;
    readonly status?: number;
    readonly error?: string;
    readonly reason?: string;
  };
  /** So many requests; default 1, or as many as refusals without a word take. */
  readonly asked?: number;
  /** After a wake-up, and time enough. */
  readonly healed?: string;
}

const lost = (status: number, reason: string, error: string): Meaning => ({
  first: 'ERR_REAUTH_REQUIRED',
  status: 'reauth-required',
  refreshStatus: 'idle',
  error: { code: 'ERR_REAUTH_REQUIRED', status, reason, error },
});
const rejected = (status: number, error: string): Meaning => ({
  first: 'ERR_REFRESH_REJECTED',
  status: 'signed-in',
  refreshStatus: 'paused',
  error: { code: 'ERR_REFRESH_REJECTED', status, error },
});
const unavailable = (status: number | undefined, error?: string): Meaning => ({
  first: 'ERR_REFRESH_UNAVAILABLE',
  status: 'signed-in',
  refreshStatus: 'paused',
  error: { code: 'ERR_REFRESH_UNAVAILABLE', ...(status && { status }), ...(error && { error }) },
});
const unanswered = (status: number): Meaning => ({
  first: 'ERR_REFRESH_UNAVAILABLE',
  second: 'ERR_REAUTH_REQUIRED',
  status: 'reauth-required',
  refreshStatus: 'paused',
  error: { code: 'ERR_REAUTH_REQUIRED', status, reason: 'refresh_unanswered' },
  healed: 'access-2',
});
const stopped = (status: number): Meaning => ({
  first: 'ERR_REFRESH_UNAVAILABLE',
  second: 'ERR_REFRESH_REJECTED',
  status: 'signed-in',
  refreshStatus: 'paused',
  error: { code: 'ERR_REFRESH_REJECTED', status },
});

const JSON_TYPE = { 'content-type': 'application/json' };
/** In doubt: the first repetition does not wait. */
export const inDoubt = (status: number | undefined): Meaning => ({ ...unavailable(status), asked: 2 });

const HTML = { 'content-type': 'text/html' };
const json = (members: object): { body: string; headers: Record<string, string> } => ({
  body: JSON.stringify(members),
  headers: JSON_TYPE,
});

export const answerRows: readonly AnswerRow[] = [
  {
    name: '200 with tokens',
    status: 200,
    ...json({ access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 600 }),
    expected: { first: 'access-2', status: 'signed-in', refreshStatus: 'idle' },
  },
  ...[400, 401, 403, 429, 500, 200].map((status) => ({
    name: `${status} invalid_grant as JSON`,
    status,
    ...json({ error: 'invalid_grant' }),
    expected: lost(status, 'refresh_rejected', 'invalid_grant'),
  })),
  {
    name: '400 invalid_grant as a form',
    status: 400,
    body: 'error=invalid_grant&error_description=used%20before',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    expected: lost(400, 'refresh_rejected', 'invalid_grant'),
  },
  {
    name: '400 invalid_grant as plain text (Apereo CAS)',
    status: 400,
    body: 'invalid_grant\n',
    headers: { 'content-type': 'text/plain' },
    expected: lost(400, 'refresh_rejected', 'invalid_grant'),
  },
  ...['interaction_required', 'login_required', 'consent_required', 'unmet_authentication_requirements'].map(
    (error) => ({
      name: `400 ${error} (Entra)`,
      status: 400,
      ...json({ error }),
      expected: lost(400, 'interaction_required', error),
    }),
  ),
  {
    name: '200 bad_refresh_token (GitHub)',
    status: 200,
    ...json({ error: 'bad_refresh_token', error_description: 'The refresh token is invalid' }),
    expected: rejected(200, 'bad_refresh_token'),
  },
  {
    name: '200 bad_refresh_token (GitHub), known to isSessionLost',
    status: 200,
    ...json({ error: 'bad_refresh_token' }),
    isLostKnown: true,
    expected: lost(200, 'refresh_rejected', 'bad_refresh_token'),
  },
  ...(
    [
      [400, 'invalid_request'],
      [401, 'invalid_request'],
      [400, 'invalid_token'],
      [401, 'invalid_token'],
      [401, 'invalid_client'],
      [400, 'unauthorized_client'],
      [500, 'invalid_client'],
    ] as const
  ).map(([status, error]) => ({
    name: `${status} ${error}`,
    status,
    ...json({ error }),
    expected: rejected(status, error),
  })),
  {
    name: '400 without a body (Glewlwyd)',
    status: 400,
    times: 3,
    expected: unanswered(400),
  },
  {
    name: '401 without a body',
    status: 401,
    times: 3,
    expected: unanswered(401),
  },
  {
    name: '400 with HTML',
    status: 400,
    body: '<!doctype html><title>Bad Request</title>',
    headers: HTML,
    times: 3,
    expected: unanswered(400),
  },
  {
    name: '400 refresh_token_not_found (Supabase)',
    status: 400,
    ...json({ code: 'refresh_token_not_found' }),
    times: 3,
    expected: unanswered(400),
  },
  {
    name: '400 refresh_token_not_found (Supabase), known to isSessionLost',
    status: 400,
    ...json({ code: 'refresh_token_not_found' }),
    isLostKnown: true,
    expected: {
      first: 'ERR_REAUTH_REQUIRED',
      status: 'reauth-required',
      refreshStatus: 'idle',
      error: { code: 'ERR_REAUTH_REQUIRED', status: 400, reason: 'refresh_rejected' },
    },
  },
  {
    name: '403 with HTML (a firewall)',
    status: 403,
    body: '<h1>Forbidden</h1>',
    headers: HTML,
    times: 3,
    expected: stopped(403),
  },
  { name: '404 without a body', status: 404, times: 3, expected: stopped(404) },
  { name: '429 with Retry-After', status: 429, headers: { 'retry-after': '60' }, expected: unavailable(429) },
  { name: '408', status: 408, headers: { 'retry-after': '60' }, expected: unavailable(408) },
  {
    name: '503 with HTML',
    status: 503,
    body: '<h1>503</h1>',
    headers: { ...HTML, 'retry-after': '60' },
    expected: unavailable(503),
  },
  {
    name: '400 temporarily_unavailable',
    status: 400,
    body: JSON.stringify({ error: 'temporarily_unavailable' }),
    headers: { ...JSON_TYPE, 'retry-after': '60' },
    expected: unavailable(400, 'temporarily_unavailable'),
  },
  {
    name: '502 with the JSON of a framework',
    status: 502,
    body: JSON.stringify({ status: 502, error: 'Bad Gateway' }),
    headers: { ...JSON_TYPE, 'retry-after': '60' },
    expected: unavailable(502, 'Bad Gateway'),
  },
  {
    name: 'a login page with 200, as after a redirect',
    status: 200,
    body: '<form>',
    headers: HTML,
    expected: inDoubt(200),
  },
  { name: '200 without a token', status: 200, ...json({ ok: true }), expected: inDoubt(200) },
  {
    name: '409 version_conflict',
    status: 409,
    ...json({ error: 'version_conflict', current_version: 1 }),
    times: 1,
    expected: {
      second: 'access-2',
      status: 'signed-in',
      refreshStatus: 'idle',
      asked: 2,
    },
  },
  { name: 'no answer before the deadline', status: 0, broken: 'hang', expected: unavailable(undefined) },
  { name: 'a reset connection', status: 0, broken: 'reset', expected: inDoubt(undefined) },
];

/** Answers by the path: `/<index of the row>/token`. Readable across origins, unless the row says otherwise. */
export function answerByRow(rows: readonly AnswerRow[]): Answer {
  const asked = new Map<number, number>();
  return ({ url }, response) => {
    const index = Number(url.split('/')[1]);
    const { status, body = '', headers, times = Infinity, broken } = rows[index]!;
    const number = (asked.get(index) ?? 0) + 1;
    asked.set(index, number);
    if (broken === 'reset') return void response.destroy();
    if (broken === 'hang') return;
    const cors =
      broken === 'no-cors'
        ? {}
        : { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after' };
    if (number <= times) return void response.writeHead(status, { ...cors, ...headers }).end(body);
    const tokens = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 600 };
    response.writeHead(200, { ...cors, ...JSON_TYPE }).end(JSON.stringify(tokens));
  };
}

/** How a page, or a test in Node, makes a coordinator. */
export type OpenCoordinator = (
  name: string,
  grant: RefreshTokenGrantOptions,
  options: Pick<TokenCoordinatorOptions, 'isSessionLost'>,
) => TokenCoordinator & { readonly lifecycle?: (change: 'online') => void };

/**
 * Sends one row's request and tells what came of it. Runs in a page as well: it uses nothing from outside.
 */
export async function driveRow({
  index,
  row,
  origin,
}: {
  index: number;
  row: AnswerRow;
  origin: string;
}): Promise<object> {
  const { openAnother } = (globalThis as unknown as { lab: { openAnother: OpenCoordinator } }).lab;
  const isSessionLost = (error: unknown): boolean => {
    const { error: code, body } = error as { error?: string; body?: { code?: string } };
    return code === 'bad_refresh_token' || body?.code === 'refresh_token_not_found';
  };
  const coordinator = openAnother(
    `answers-${index}`,
    { tokenEndpoint: `${origin}/${index}/token`, clientId: 'app' },
    row.isLostKnown ? { isSessionLost } : {},
  );
  const events: object[] = [];
  const details = (given: object): object => {
    const { status, error, reason } = given as Record<string, unknown>;
    return {
      ...(status !== undefined && { status }),
      ...(error !== undefined && { error }),
      ...(reason !== undefined && { reason }),
    };
  };
  for (const type of ['refresh-failed', 'reauth-required'] as const)
    coordinator.on(type, (event) => events.push({ type, ...details(event) }));
  const call = (options: object): Promise<string> =>
    coordinator
      .getAccessToken({ forceRefresh: true, ...options })
      .catch((error: unknown) => (error as { code: string }).code);
  await coordinator.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 600 });
  const first = row.expected.first && (await call({ failFast: true }));
  const second = row.expected.second && (await call({ timeoutMs: 120_000 }));
  const { status, refreshStatus, error } = coordinator.getSnapshot();
  const served = coordinator.peekAccessToken();
  let healed: string | undefined;
  if (row.expected.healed) {
    const whenHealed = new Promise<void>((resolve) => {
      coordinator.subscribe(() => {
        if (coordinator.getSnapshot().version === 2) resolve();
      });
    });
    if (coordinator.lifecycle) coordinator.lifecycle('online');
    else dispatchEvent(new Event('online'));
    await whenHealed;
    healed = coordinator.peekAccessToken();
  }
  await coordinator.close();
  return {
    row: row.name,
    result: {
      ...(first !== undefined && { first }),
      ...(second !== undefined && { second }),
      status,
      refreshStatus,
      ...(error && { error: { code: error.code, ...details(error) } }),
      ...(healed !== undefined && { healed }),
    },
    served,
    events,
  };
}

/** The result of a row. */
export function expectedOf({ name, expected }: AnswerRow): object {
  const { asked: _, ...result } = expected;
  const { error, status } = result;
  const { code: __, ...details } = error ?? { code: '' };
  const event = status === 'reauth-required' ? 'reauth-required' : 'refresh-failed';
  return {
    row: name,
    result,
    served: [expected.first, expected.second].find((got) => got?.startsWith('access')) ?? 'access-1',
    ...(error && {
      last: { type: event, ...details, ...(event === 'refresh-failed' && { reason: eventReason(expected) }) },
    }),
  };
}

function eventReason({ error }: Meaning): string {
  return (error?.code === 'ERR_REFRESH_REJECTED' && error.error) || 'unavailable';
}
