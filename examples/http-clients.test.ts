import { createFetch } from 'one-refresh/fetch';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createFakeSession, type FakeSession } from '../test/support/fake-session.js';
import {
  json,
  startLoopbackServer,
  type Answer,
  type LoopbackServer,
} from '../test/support/loopback-server.js';
import { createClient as createAxios } from './axios.js';
import { createClient as createKy } from './ky.js';

let api: LoopbackServer;
let session: FakeSession;
let authFetch: typeof globalThis.fetch;
beforeAll(async () => {
  api = await startLoopbackServer();
});
afterAll(() => api.close());
beforeEach(() => {
  session = createFakeSession();
  authFetch = createFetch(session, { allowedOrigins: [api.origin] });
});

const accepting =
  (token: string): Answer =>
  (request, response) => {
    const isFine = request.headers.authorization === `Bearer ${token}`;
    return json(isFine ? 200 : 401, isFine ? { fine: true } : { error: 'invalid_token' })(request, response);
  };
const sent = (): unknown[] =>
  api.received.map(({ method, url, body, headers }) => [method, url, body, headers.authorization]);

describe.each([
  [
    'axios',
    async (): Promise<unknown> => (await createAxios(api.origin, authFetch).post('/items', { a: 1 })).data,
  ],
  [
    'ky',
    async (): Promise<unknown> =>
      createKy(api.origin, authFetch)
        .post('items', { json: { a: 1 } })
        .json(),
  ],
])('%s', (_name, post) => {
  test('sends the token, and the newer one after a 401', async () => {
    api.answer(accepting('first-2'));
    expect(await Promise.all([post(), post(), post()])).toEqual([
      { fine: true },
      { fine: true },
      { fine: true },
    ]);
    expect(session.refreshes).toBe(1);
    expect(sent()).toContainEqual(['POST', '/items', '{"a":1}', 'Bearer first-1']);
    expect(sent()).toContainEqual(['POST', '/items', '{"a":1}', 'Bearer first-2']);
  });

  test('shows a 401 that stays as its own error', async () => {
    api.answer(accepting('never'));
    await expect(post()).rejects.toMatchObject({ response: { status: 401 } });
    expect([api.received.length, session.refreshes]).toEqual([2, 1]);
  });

  test('sends nothing when signed out', async () => {
    session.start(undefined);
    api.answer(accepting('never'));
    const error = (await post().catch((reason: unknown) => reason)) as {
      code?: string;
      cause?: { code?: string };
    };
    expect([error.code, error.cause?.code]).toContain('ERR_SIGNED_OUT');
    expect(api.received).toEqual([]);
  });
});
