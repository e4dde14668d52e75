import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  json,
  startLoopbackServer,
  type Answer,
  type LoopbackServer,
} from '../../test/support/loopback-server.js';
import type { RefreshRequest, TokenClient } from '../types.js';
import { refreshTokenGrant, type RefreshTokenGrantOptions } from './index.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
});
afterAll(() => server.close());

const pair = { access_token: 'access-2', token_type: 'Bearer', expires_in: 60, refresh_token: 'refresh-2' };

function client(options: Partial<RefreshTokenGrantOptions> = {}): TokenClient {
  return refreshTokenGrant({ tokenEndpoint: `${server.origin}/token`, clientId: 'app', ...options });
}

function request(changes: Partial<RefreshRequest> = {}): RefreshRequest {
  const { signal } = new AbortController();
  return {
    refreshToken: 'refresh-1',
    sessionId: 'session',
    version: 3,
    attempt: 1,
    idempotencyKey: 'key',
    signal,
    ...changes,
  };
}

const rejected = (error: string, status: number, more: object = {}): object => ({
  name: 'RefreshRejectedError',
  refreshOutcome: 'rejected',
  error,
  status,
  ...more,
});
const unavailable = (status: number | undefined, retryAfterMs?: number): object => ({
  name: 'RefreshUnavailableError',
  refreshOutcome: 'unavailable',
  status,
  retryAfterMs,
});
const conflict = (currentVersion?: number): object => ({
  name: 'RefreshConflictError',
  refreshOutcome: 'conflict',
  currentVersion,
});
const text = (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  json(status, body, { 'content-type': 'text/html', ...headers });

describe('outcomes of the answer', () => {
  const table: [string, Answer, object][] = [
    // RFC 6749 §5.2
    ['400 invalid_grant', json(400, { error: 'invalid_grant' }), rejected('invalid_grant', 400)],
    [
      '400 invalid_grant with a description',
      json(400, { error: 'invalid_grant', error_description: 'used before', error_uri: 'https://x.example' }),
      rejected('invalid_grant', 400, { errorDescription: 'used before' }),
    ],
    ['401 invalid_grant', json(401, { error: 'invalid_grant' }), rejected('invalid_grant', 401)],
    ['403 invalid_grant', json(403, { error: 'invalid_grant' }), rejected('invalid_grant', 403)],
    ['400 invalid_request', json(400, { error: 'invalid_request' }), rejected('invalid_request', 400)],
    [
      '401 invalid_client with a challenge',
      json(401, { error: 'invalid_client' }, { 'www-authenticate': 'Basic realm="token"' }),
      rejected('invalid_client', 401),
    ],
    [
      '400 unauthorized_client',
      json(400, { error: 'unauthorized_client' }),
      rejected('unauthorized_client', 400),
    ],
    [
      '400 unsupported_grant_type',
      json(400, { error: 'unsupported_grant_type' }),
      rejected('unsupported_grant_type', 400),
    ],
    ['400 invalid_scope', json(400, { error: 'invalid_scope' }), rejected('invalid_scope', 400)],
    [
      '400 invalid_target (RFC 8707)',
      json(400, { error: 'invalid_target' }),
      rejected('invalid_target', 400),
    ],
    [
      '400 use_dpop_nonce without DPoP',
      json(400, { error: 'use_dpop_nonce' }),
      rejected('use_dpop_nonce', 400),
    ],
    ['400 with a code nobody knows', json(400, { error: 'lunch_break' }), rejected('lunch_break', 400)],
    ['an OAuth error sent as text', text(400, '{"error":"invalid_grant"}'), rejected('invalid_grant', 400)],
    [
      'an OAuth error with an odd description',
      json(400, { error: 'invalid_grant', error_description: 7 }),
      rejected('invalid_grant', 400, { errorDescription: undefined }),
    ],

    ['409 version_conflict', json(409, { error: 'version_conflict', current_version: 7 }), conflict(7)],
    ['409 version_conflict without a version', json(409, { error: 'version_conflict' }), conflict()],
    [
      '409 version_conflict with an odd version',
      json(409, { error: 'version_conflict', current_version: 'x' }),
      conflict(),
    ],
    ['409 with another error', json(409, { error: 'busy' }), rejected('busy', 409)],

    ['404 with HTML', text(404, '<!doctype html>'), unavailable(404)],
    ['400 without a body', text(400, ''), unavailable(400)],
    ['400 with JSON that is no OAuth error', json(400, { message: 'no' }), unavailable(400)],
    ['400 with an error that is no string', json(400, { error: { code: 1 } }), unavailable(400)],
    ['400 with a JSON list', json(400, ['invalid_grant']), unavailable(400)],
    ['400 with a JSON null', json(400, 'null'), unavailable(400)],
    ['400 with truncated JSON', json(400, '{"error":"invalid_gr'), unavailable(400)],
    [
      '400 invalid_grant as a form',
      text(400, 'error=invalid_grant&error_description=used'),
      rejected('invalid_grant', 400, { errorDescription: 'used' }),
    ],
    ['400 invalid_grant as a word', text(400, ' invalid_grant\n'), rejected('invalid_grant', 400)],
    ['400 with a sentence', text(400, 'invalid_grant, they say'), unavailable(400)],
    [
      '400 temporarily_unavailable',
      json(400, { error: 'temporarily_unavailable' }),
      { ...unavailable(400), error: 'temporarily_unavailable' },
    ],
    ['408', json(408, {}), unavailable(408)],
    ['408 invalid_grant', json(408, { error: 'invalid_grant' }), rejected('invalid_grant', 408)],
    ['200 bad_refresh_token', json(200, { error: 'bad_refresh_token' }), rejected('bad_refresh_token', 200)],
    ['429', json(429, { error: 'slow_down' }), unavailable(429)],
    ['429, Retry-After in seconds', json(429, {}, { 'retry-after': '7' }), unavailable(429, 7_000)],
    ['503, Retry-After in seconds', text(503, '', { 'retry-after': '120' }), unavailable(503, 120_000)],
    ['503, Retry-After nobody can read', text(503, '', { 'retry-after': 'soon' }), unavailable(503)],
    [
      '503, Retry-After that only looks like a date',
      text(503, '', { 'retry-after': '1.5' }),
      unavailable(503),
    ],
    [
      '503, Retry-After in the past',
      text(503, '', { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' }),
      unavailable(503, 0),
    ],
    ['500 invalid_grant', json(500, { error: 'invalid_grant' }), rejected('invalid_grant', 500)],
    ['500 with an error of its own', json(500, { error: 'Internal Server Error' }), unavailable(500)],
    ['502 with HTML', text(502, '<h1>Bad Gateway</h1>'), unavailable(502)],
    ['302, not followed', text(302, '', { location: '/elsewhere' }), unavailable(302)],

    ['200 without a body', json(200, ''), unavailable(200)],
    ['200 with HTML', text(200, '<h1>Welcome</h1>'), unavailable(200)],
    ['200 without an access token', json(200, { refresh_token: 'refresh-2' }), unavailable(200)],
    ['200 with an empty access token', json(200, { access_token: '' }), unavailable(200)],
    ['200 with an access token that is no string', json(200, { access_token: { a: 1 } }), unavailable(200)],
    ['200 invalid_grant', json(200, { error: 'invalid_grant' }), rejected('invalid_grant', 200)],
    ['200 with truncated JSON', json(200, '{"access_token":"acc'), unavailable(200)],
    ['the connection reset', (_request, response) => void response.destroy(), unavailable(undefined)],
    [
      'the connection closed in the middle of a 200',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
        response.write('{"access_token":"access-2"', () => response.socket?.end());
      },
      unavailable(200),
    ],
  ];

  test.each(table)('%s', async (_name, answer, expected) => {
    server.answer(answer);
    const error: unknown = await client()
      .refresh(request())
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).toMatchObject(expected);
    expect(JSON.stringify(error)).not.toMatch(/access-2|refresh-1/);
    expect(server.received).toHaveLength(1);
  });

  test.each([
    ['JSON', json(400, { code: 'refresh_token_not_found' }), { code: 'refresh_token_not_found' }],
    ['a form', text(400, 'error=x&hint=y'), { error: 'x', hint: 'y' }],
    ['text', text(400, '<p>No</p>'), '<p>No</p>'],
  ])('shows isSessionLost a body of %s, and no log', async (_name, answer, body) => {
    server.answer(answer);
    const error = await client()
      .refresh(request())
      .catch((reason: unknown) => reason as object);
    expect(error).toMatchObject({ body });
    expect(Object.keys(error)).not.toContain('body');
  });

  test('Retry-After as a date from a fast clock', async () => {
    server.answer((received, response) => {
      const now = Date.now() + 3_600_000;
      const [date, until] = [now, now + 10_000].map((at) => new Date(at).toUTCString());
      return json(503, {}, { date: date ?? '', 'retry-after': until ?? '' })(received, response);
    });
    await expect(client().refresh(request())).rejects.toMatchObject({ retryAfterMs: 10_000 });
  });
});

describe('a 200 with an access token always arrives', () => {
  const kept: [string, object, object][] = [
    ['as it is', pair, pair],
    ['without expires_in', { access_token: 'a' }, { access_token: 'a' }],
    ['expires_in as a string', { ...pair, expires_in: '60' }, pair],
    ['expires_in that is no number', { access_token: 'a', expires_in: 'soon' }, { access_token: 'a' }],
    ['a negative expires_in', { access_token: 'a', expires_in: -1 }, { access_token: 'a', expires_in: 0 }],
    ['no token_type', { access_token: 'a', refresh_token: 'b' }, { access_token: 'a', refresh_token: 'b' }],
    ['an odd token_type', { access_token: 'a', token_type: 'mac' }, { access_token: 'a', token_type: 'mac' }],
    ['a token_type that is no string', { access_token: 'a', token_type: 1 }, { access_token: 'a' }],
    ['an id_token that nobody can verify', { ...pair, id_token: 'x.y.z' }, { ...pair, id_token: 'x.y.z' }],
    ['members that are null', { ...pair, id_token: null, scope: null }, pair],
    [
      'a refresh token that is null: the old one stays',
      { access_token: 'a', refresh_token: null },
      { access_token: 'a' },
    ],
    [
      'an empty refresh token: the old one stays',
      { access_token: 'a', refresh_token: '' },
      { access_token: 'a' },
    ],
    ['scope as a list', { access_token: 'a', scope: ['x', 'y'] }, { access_token: 'a', scope: 'x y' }],
    ['members of its own', { ...pair, tenant: 't' }, { ...pair, tenant: 't' }],
  ];
  test.each(kept)('%s', async (_name, body, expected) => {
    server.answer(json(200, body));
    expect(await client().refresh(request())).toStrictEqual(expected);
  });

  test.each([
    ['sent as text', json(200, pair, { 'content-type': 'text/plain' })],
    ['sent with 201', json(201, pair)],
    ['sent with a challenge', json(200, pair, { 'www-authenticate': 'Bearer' })],
  ])('%s', async (_name, answer) => {
    server.answer(answer);
    expect(await client().refresh(request())).toStrictEqual(pair);
  });
});
