// From the answer of the token endpoint to what callers, tabs and store make of it: the error's code, the session's state, and whether the
// refresh token counts as spent. How each shape is read is token-response.test.ts' business.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Origin, pass, watch } from '../../test/support/tabs.js';
import { refreshTokenGrant } from './index.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

type Answer = () => Promise<Response>;
/** `no`: the server said so. `unknown`: in doubt. `yes`: there is a newer one, or none. */
type Spent = 'yes' | 'no' | 'unknown';
type State = 'signed-in idle' | 'signed-in paused' | 'reauth-required idle';

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  async () =>
    Response.json(body, { status, headers });
const text =
  (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  async () =>
    new Response(body, { status, headers: { 'content-type': 'text/html', ...headers } });
const oauth = (status: number, error: string): Answer => json(status, { error });
const brokenOff: Answer = async () =>
  new Response(new ReadableStream({ start: (controller) => controller.error(new TypeError('terminated')) }));

const rejected = ['ERR_REFRESH_REJECTED', 'signed-in paused', 'unknown'] as const;
const over = ['ERR_REAUTH_REQUIRED', 'reauth-required idle', 'yes'] as const;
const inDoubt = ['ERR_REFRESH_UNAVAILABLE', 'signed-in paused', 'unknown'] as const;
const unspent = ['ERR_REFRESH_UNAVAILABLE', 'signed-in paused', 'no'] as const;

const table: [shape: string, Answer, code: string, State, Spent][] = [
  ['200', json(200, { access_token: 'access-2', expires_in: 10 }), 'access-2', 'signed-in idle', 'yes'],

  ['400 invalid_grant', oauth(400, 'invalid_grant'), ...over],
  ['401 invalid_grant', oauth(401, 'invalid_grant'), ...over],
  ['400 invalid_grant sent as text', text(400, '{"error":"invalid_grant"}'), ...over],

  ['400 invalid_request', oauth(400, 'invalid_request'), ...rejected],
  ['401 invalid_client', oauth(401, 'invalid_client'), ...rejected],
  ['400 unauthorized_client', oauth(400, 'unauthorized_client'), ...rejected],
  ['400 unsupported_grant_type', oauth(400, 'unsupported_grant_type'), ...rejected],
  ['400 invalid_scope', oauth(400, 'invalid_scope'), ...rejected],
  ['400 invalid_target', oauth(400, 'invalid_target'), ...rejected],
  ['400 use_dpop_nonce, a client without DPoP', oauth(400, 'use_dpop_nonce'), ...rejected],
  ['400 with a code nobody knows', oauth(400, 'lunch_break'), ...rejected],
  ['409 with another error', oauth(409, 'busy'), ...rejected],

  ['409 version_conflict', json(409, { error: 'version_conflict', current_version: 7 }), ...unspent],
  ['429', oauth(429, 'slow_down'), ...unspent],
  ['429, Retry-After in seconds', json(429, {}, { 'retry-after': '60' }), ...unspent],

  ['404 with HTML', text(404, '<!doctype html>'), ...inDoubt],
  ['400 without a body', text(400, ''), ...inDoubt],
  ['400 invalid_grant as a form', text(400, 'error=invalid_grant'), ...over],
  ['400 invalid_grant as a word', text(400, 'invalid_grant'), ...over],
  ['400 login_required', oauth(400, 'login_required'), ...over],
  ['400 temporarily_unavailable', oauth(400, 'temporarily_unavailable'), ...inDoubt],
  ['400 with JSON that is no OAuth error', json(400, { message: 'no' }), ...inDoubt],
  ['400 with truncated JSON', text(400, '{"error":"invalid_gr'), ...inDoubt],
  ['408', text(408, ''), ...inDoubt],
  ['408 invalid_grant', oauth(408, 'invalid_grant'), ...over],
  ['500 invalid_grant', oauth(500, 'invalid_grant'), ...over],
  ['500 with an error of its own', oauth(500, 'Internal Server Error'), ...inDoubt],
  ['502 with HTML', text(502, '<h1>Bad Gateway</h1>'), ...inDoubt],
  ['503, Retry-After in seconds', text(503, '', { 'retry-after': '60' }), ...inDoubt],
  [
    '503, Retry-After as a date',
    () => text(503, '', { 'retry-after': new Date(Date.now() + 60_000).toUTCString() })(),
    ...inDoubt,
  ],
  ['200 without a body', text(200, ''), ...inDoubt],
  ['200 with HTML', text(200, '<h1>Welcome</h1>'), ...inDoubt],
  ['200 without an access token', json(200, { refresh_token: 'refresh-2' }), ...inDoubt],
  ['200 invalid_grant', oauth(200, 'invalid_grant'), ...over],
  ['200 bad_refresh_token', oauth(200, 'bad_refresh_token'), ...rejected],
  ['200 that breaks off', brokenOff, ...inDoubt],
  ['the connection reset', () => Promise.reject(new TypeError('Failed to fetch')), ...inDoubt],
  ['no answer before the deadline', () => new Promise(() => {}), ...inDoubt],
];

const T = 2_000;

test.each(table)('%s', async (_shape, answer, code, state, spent) => {
  const origin = new Origin();
  const sent: (string | null)[] = [];
  const refresh = refreshTokenGrant({
    tokenEndpoint: 'https://login.example/token',
    clientId: 'app',
    fetch: (_url, init) => {
      sent.push(new URLSearchParams(init?.body as URLSearchParams).get('refresh_token'));
      return answer();
    },
  });
  const open = () => origin.open({ refresh, proactive: 'never', refreshTimeoutMs: T });
  const tabs = [open(), open()];
  void tabs[0]?.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 10 });
  await pass(10_000);

  const calls = tabs.map((tab) => watch(tab.getAccessToken({ timeoutMs: T + 1_000 })));
  const states = (): string[] =>
    tabs.map((tab) => tab.getSnapshot()).map(({ status, refreshStatus }) => `${status} ${refreshStatus}`);
  await pass(200);
  if (states().includes('signed-in refreshing')) await pass(T);
  expect(states()).toEqual([state, state]);
  await pass(T + 1_000);
  expect(calls.map((call) => call.outcome())).toEqual([code, code]);

  const { journal, version, ended } = origin.record!;
  const known = version === 2 || ended ? 'yes' : journal?.failure?.unspent ? 'no' : 'unknown';
  expect(known).toBe(spent);
  expect(new Set(sent), 'whatever the answer, no other token was sent').toEqual(new Set(['refresh-1']));
});
