import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { allowInsecureRequests, ClientSecretPost, Configuration } from 'openid-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSessions, folderShared, type Sessions } from 'one-refresh/node';
import { json, startLoopbackServer, type LoopbackServer } from '../../test/support/loopback-server.js';
import { refreshWith } from './openid-client.js';

let server: LoopbackServer;
let folder: string;
let processes: Sessions[];
beforeEach(async () => {
  server = await startLoopbackServer();
  folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-openid-client-'));
  const metadata = { issuer: server.origin, token_endpoint: `${server.origin}/token` };
  const configuration = new Configuration(metadata, 'shop', undefined, ClientSecretPost('secret'));
  allowInsecureRequests(configuration);
  const refresh = refreshWith(configuration);
  processes = [1, 2, 3].map(() => createSessions({ shared: folderShared(folder), refresh }));
  const tokens = { access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 0 };
  await processes[0]!.open('a').setSession(tokens);
});
afterEach(async () => {
  await Promise.all(processes.map((sessions) => sessions.close()));
  await server.close();
  await rm(folder, { recursive: true });
});

const tokensOfAll = () =>
  Promise.allSettled(processes.map((sessions) => sessions.open('a').getAccessToken({ failFast: true })));

test('three processes refresh once', async () => {
  const answer = {
    access_token: 'access-2',
    refresh_token: 'refresh-2',
    token_type: 'Bearer',
    expires_in: 60,
  };
  server.answer(json(200, answer));
  expect(await tokensOfAll()).toMatchObject([1, 2, 3].map(() => ({ value: 'access-2' })));
  expect(server.received).toHaveLength(1);
  expect(server.received[0]!.form.get('client_secret')).toBe('secret');
});

test('a refusal by the server ends the session once', async () => {
  server.answer(json(400, { error: 'invalid_grant' }));
  const reason = { code: 'ERR_REAUTH_REQUIRED', reason: 'refresh_rejected' };
  expect(await tokensOfAll()).toMatchObject([1, 2, 3].map(() => ({ reason })));
  expect(server.received).toHaveLength(1);
});
