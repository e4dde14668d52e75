// @vitest-environment happy-dom
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, startLoopbackServer, type LoopbackServer } from '../../test/support/loopback-server.js';
import { createTokenCoordinator } from '../index.js';
import { refreshTokenGrant } from './index.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
});
afterAll(() => server.close());

test('refreshTokenGrant refreshes in happy-dom', async () => {
  server.answer((request, response) => {
    // Its `fetch` asks other origins first.
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-allow-headers', 'accept, content-type');
    const pair = {
      access_token: 'access-2',
      refresh_token: 'refresh-2',
      token_type: 'Bearer',
      expires_in: 60,
    };
    return json(200, request.url === '/token' ? pair : {})(request, response);
  });
  const coordinator = createTokenCoordinator({
    name: 'happy',
    refresh: refreshTokenGrant({ tokenEndpoint: `${server.origin}/token`, clientId: 'app' }),
  });
  await coordinator.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 60 });
  expect(await coordinator.getAccessToken({ forceRefresh: true })).toBe('access-2');
  await coordinator.close();
});
