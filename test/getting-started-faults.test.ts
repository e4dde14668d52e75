// The first bad day: five mistakes in the app of docs/getting-started.md. The message alone names the cause.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createLogin } from '../src/login/index.js';
import { refreshTokenGrant, type RefreshTokenGrantOptions } from '../src/oauth/index.js';
import type { TokenCoordinatorOptions } from '../src/types.js';
import { optionsFor, startLoginWorld } from './support/login-world.js';
import { json, startLoopbackServer, type LoopbackServer } from './support/loopback-server.js';
import { Origin, type Tab } from './support/tabs.js';
import { patiently } from './support/patiently.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
});
afterAll(() => server.close());
const reported = vi.fn<(error: unknown) => void>();
beforeEach(() => {
  reported.mockClear();
  vi.stubGlobal('reportError', reported);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const pair = { access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 600 };

const open = (refresh: TokenCoordinatorOptions['refresh']): Tab =>
  new Origin().open({ refresh, proactive: 'never' });
const grant = (options: Partial<RefreshTokenGrantOptions>) =>
  refreshTokenGrant({ tokenEndpoint: `${server.origin}/token`, clientId: 'app', ...options });

/** A refresh that failed, as the console or the monitoring shows it. */
async function failureOf(
  refresh: TokenCoordinatorOptions['refresh'],
): Promise<{ tab: Tab; message: string; code: string }> {
  const tab = open(refresh);
  await tab.setSession(pair);
  const error = await tab.getAccessToken({ forceRefresh: true, failFast: true }).then(
    () => {
      throw new Error('It worked');
    },
    (reason: unknown) => reason as { message: string; code: string },
  );
  expect(tab.getSnapshot().error?.message).toBe(error.message);
  return { tab, message: error.message, code: error.code };
}

test('a wrong client id', async () => {
  server.answer(json(401, { error: 'invalid_client', error_description: 'client is invalid' }));
  const { code, message } = await failureOf(grant({ clientId: 'ap' }));
  expect(code).toBe('ERR_REFRESH_REJECTED');
  expect(message).toBe(
    "The token endpoint refused the refresh; check the client's configuration (401; invalid_client; client is invalid)",
  );
});

test('a token endpoint without CORS headers', async () => {
  // As Chromium says it; in Node there is no CORS.
  const fetch = (): Promise<Response> => Promise.reject(new TypeError('Failed to fetch'));
  const { code, message } = await failureOf(grant({ fetch }));
  expect(code).toBe('ERR_REFRESH_UNAVAILABLE');
  expect(message).toMatch(/TypeError: Failed to fetch; offline, a wrong address, or no CORS headers there/);
});

test('the issuer of another tenant', async () => {
  server.answer(
    json(200, { issuer: 'https://login.example/tenant', token_endpoint: `${server.origin}/token` }),
  );
  const { code, message } = await failureOf(grant({ tokenEndpoint: undefined, issuer: server.origin }));
  expect(code).toBe('ERR_CONFIGURATION');
  expect(message).toContain(
    `the metadata at issuer ${server.origin} names another issuer, https://login.example/tenant`,
  );
});

test('an issuer where there is nothing', async () => {
  server.answer(json(404, {}));
  const { code, message } = await failureOf(grant({ tokenEndpoint: undefined, issuer: server.origin }));
  expect(code).toBe('ERR_REFRESH_UNAVAILABLE');
  expect(message).toContain(`There is no metadata at issuer ${server.origin}`);
});

test('a sign-in without offline_access', async () => {
  const world = await startLoginWorld();
  try {
    world.tokens = { refresh_token: undefined };
    const coordinator = open(grant({ tokenEndpoint: `${world.server.origin}/token` }));
    const login = createLogin({ ...optionsFor(world, coordinator), scope: 'openid' });
    world.open('/');
    login.start().catch(() => {});
    await patiently(() => expect(world.visited).toHaveLength(1));
    world.comeBack();
    await expect(login.finish()).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringMatching(/no `refresh_token`.*scope offline_access.*refreshable: false/),
    });
    expect(coordinator.getSnapshot().status).toBe('signed-out');
  } finally {
    await world.server.close();
  }
});

const config = undefined as unknown as { tokens: { endpoint: string } };

test.each([
  ['a TypeError', async () => fetch(config.tokens.endpoint) as never, /threw TypeError: .*tokens/],
  [
    'a missing await',
    async () => {
      const response = fetch(server.origin);
      response.catch(() => {});
      return (response as never as Response).json() as never;
    },
    /threw TypeError: .*json/,
  ],
  [
    'a ReferenceError, however late',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      throw new ReferenceError('tokenEndpoint is not defined');
    },
    /threw ReferenceError: tokenEndpoint is not defined/,
  ],
])('a refresh function with %s', async (_name, refresh, expected) => {
  const { tab, code, message } = await failureOf(refresh);
  expect(code).toBe('ERR_CONFIGURATION');
  expect(message).toMatch(/^Your `refresh` function/);
  expect(message).toMatch(expected);
  // Reported once, and not tried again as an outage would be.
  await tab.getAccessToken({ forceRefresh: true, failFast: true }).catch(() => {});
  expect(reported).toHaveBeenCalledTimes(1);
  expect(tab.events.filter(({ type }) => type === 'refresh-started')).toHaveLength(2);
  expect(tab.getSnapshot()).toMatchObject({ status: 'signed-in', refreshStatus: 'paused' });
});

test.each([
  ['in the same task, as a test makes it up', async () => Promise.reject(new TypeError('Failed to fetch'))],
  [
    'later, in words that nobody knows',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      throw new TypeError('Netzwerkfehler');
    },
  ],
])('a network that fails %s is an outage', async (_name, refresh) => {
  const { code } = await failureOf(refresh);
  expect(code).toBe('ERR_REFRESH_UNAVAILABLE');
  expect(reported).not.toHaveBeenCalled();
});
