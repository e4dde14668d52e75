// The coordinator and the package's own grant against the demo's server with its remedies: both answers are understood, and nothing loops.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TokenCoordinator } from 'one-refresh';
import { refreshTokenGrant } from 'one-refresh/oauth';
import { startDemoServer, type DemoServer } from '../../demo/server/server.js';
import { Origin } from '../support/tabs.js';

// The client waits between its attempts.
vi.setConfig({ testTimeout: 30_000 });

let server: DemoServer;
let coordinator: TokenCoordinator;
let refreshToken: string;

beforeEach(async () => {
  server = await startDemoServer({
    pages: async () => ({ handle: (_req, res) => void res.writeHead(404).end(), close: async () => {} }),
    keepAlive: false,
    accessTokenTtl: 60,
  });
});

afterEach(async () => {
  await coordinator.close();
  await server.close();
});

async function signIn(): Promise<void> {
  const refresh = refreshTokenGrant({
    tokenEndpoint: `${server.config.issuer}/token`,
    clientId: server.config.clientId,
    idempotencyHeader: 'Idempotency-Key',
    versionParameter: 'token_version',
  });
  coordinator = new Origin().open({ refresh, proactive: 'never' });
  const tokens = await server.signIn('alice');
  refreshToken = tokens.refresh_token;
  await coordinator.setSession({ ...tokens });
}

const refreshed = () =>
  coordinator.getAccessToken({ forceRefresh: true, timeoutMs: 20_000 }).then(
    () => 'token',
    (error: unknown) => (error as { code?: string }).code,
  );
const spendElsewhere = (parameters: Record<string, string>) =>
  fetch(`${server.config.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: server.config.clientId,
      refresh_token: refreshToken,
      ...parameters,
    }),
  });
const answers = () =>
  server.log.refreshes().map(({ sent }) => (typeof sent === 'object' ? (sent.error ?? sent.status) : sent));

test('both together: both sides count the same versions', async () => {
  server.settings.sessionTableMs = 10_000;
  server.settings.versionCheck = true;
  await signIn();
  for (let n = 0; n < 3; n++) expect(await refreshed()).toBe('token');
  expect(answers()).toEqual([200, 200, 200]);
  expect(coordinator.getSnapshot().version).toBe(4);
});

test('the session table repeats an answer that was lost', async () => {
  server.settings.sessionTableMs = 10_000;
  server.settings.versionCheck = true;
  await signIn();
  server.faults.add({ afterwards: 'reset' });
  expect(await refreshed()).toBe('token');
  expect(answers()).toEqual(['reset', 200]);
  expect(server.log.refreshes()[1]?.replayed).toBe(true);
  expect(coordinator.getSnapshot()).toMatchObject({ status: 'signed-in', version: 2 });
  expect(await refreshed(), 'the pair of the table is the one that lives').toBe('token');

  server.settings.sessionTableMs = 0;
  server.settings.versionCheck = false;
  server.faults.add({ afterwards: 'reset' });
  expect(await refreshed()).toBe('ERR_REAUTH_REQUIRED');
});

test('an unsolvable version conflict ends and keeps the session', async () => {
  server.settings.versionCheck = true;
  await signIn();
  expect(
    (await spendElsewhere({ token_version: '1' })).status,
    'somebody without coordination was first',
  ).toBe(200);
  server.log.clear();

  expect(await refreshed()).toBe('ERR_REFRESH_REJECTED');
  expect(answers().length).toBeLessThanOrEqual(4);
  expect(new Set(answers())).toEqual(new Set(['version_conflict']));
  expect(coordinator.getSnapshot()).toMatchObject({ status: 'signed-in', refreshStatus: 'paused' });
});

test('a conflict with a stranger is heard as one', async () => {
  server.settings.sessionTableMs = 10_000;
  await signIn();
  expect((await spendElsewhere({})).status).toBe(200);
  server.log.clear();

  expect(await refreshed()).toBe('ERR_REFRESH_REJECTED');
  expect(new Set(answers())).toEqual(new Set(['version_conflict']));
  expect(answers().length).toBeLessThanOrEqual(4);
});
