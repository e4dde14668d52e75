// What plain JavaScript can get wrong: it is refused at once, with a typed error that says what to change.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFetch } from 'one-refresh/fetch';
import { createLogin, requireSession } from 'one-refresh/login';
import { createMonitor } from 'one-refresh/monitor';
import { folderShared, postgresShared, redisShared } from 'one-refresh/node';
import { createEndpointMonitor, createVersionCheck, sqliteStore } from 'one-refresh/server';
import { createFakeCoordinator } from 'one-refresh/testing';
import { Origin, pass, watch } from './support/tabs.js';

type Any = never;
const coordinator = createFakeCoordinator({ idToken: 'id' });
const login = createLogin({
  coordinator,
  issuer: 'https://as.test',
  clientId: 'app',
  redirectUri: '/callback',
});
const redis = { sendCommand: async () => [] } as Any;
const noCoordinators = [undefined, null, 0, '', {}, () => {}] as Any[];
const noDurations = ['5', 10n, Symbol('5'), NaN, -1, {}] as Any[];
const noFunctions = [undefined, null, 0, '', {}] as Any[];
const code = 'ERR_CONFIGURATION';
const refused = expect.objectContaining({ code });

describe('at once', () => {
  test.each<[string, (value: Any) => unknown, readonly Any[]]>([
    ['createFetch(coordinator)', (value) => createFetch(value), noCoordinators],
    ['createMonitor(coordinator)', (value) => createMonitor(value), noCoordinators],
    ['createLogin(options)', (value) => createLogin(value), noCoordinators],
    ['allowedOrigins', (value) => createFetch(coordinator, { allowedOrigins: [value] }), [10n, {}] as Any[]],
    ['windowMs', (windowMs) => createMonitor(coordinator, { windowMs }), noDurations],
    [
      'conflictRateThreshold',
      (conflictRateThreshold) => createMonitor(coordinator, { conflictRateThreshold }),
      noDurations,
    ],
    [
      'conflictRateThreshold on the server',
      (conflictRateThreshold) => createEndpointMonitor({ conflictRateThreshold }),
      noDurations,
    ],
    ['the prefix of Redis', (prefix) => redisShared(redis, { prefix }), [5, Symbol('p'), {}] as Any[]],
    ['monitor.subscribe(listener)', (value) => createMonitor(coordinator).subscribe(value), noFunctions],
  ])('%s is refused', (_name, call, values) => {
    for (const value of values) expect(() => call(value)).toThrow(refused);
  });

  test('null for options is none', () => {
    createFetch(coordinator, null as Any);
    folderShared('here', null as Any);
    redisShared(redis, null as Any);
    postgresShared({ query: async () => ({ rows: [] }), options: {} } as Any, null as Any);
    createMonitor(coordinator, null as Any).close();
    expect(createFakeCoordinator(null as Any).getSnapshot().status).toBe('signed-in');
  });
});

test('a request of another kind is refused', async () => {
  const handler = createVersionCheck({ store: sqliteStore(':memory:') })(async () => new Response());
  for (const request of [undefined, null, {}, { headers: { 'content-type': 'text/plain' } }] as Any[])
    await expect(handler(request)).rejects.toMatchObject({ code });
});

describe('a sign-in', () => {
  test.each<[string, readonly unknown[]]>([
    ['returnTo', [0, {}]],
    ['prompt', [0, {}, [1], null]],
    ['loginHint', [0, {}, null]],
    ['acrValues', [0, {}, [1], null]],
    ['resource', [0, {}, [1], null]],
    ['parameters', [{ audience: 1 }, { audience: undefined }]],
    ['maxAge', ['60', Symbol('60'), NaN, -1, null]],
  ])('refuses another kind of %s', async (name, values) => {
    for (const value of values) {
      await expect(login.start({ [name]: value })).rejects.toMatchObject({ code });
    }
  });

  test('takes the event of a click for no options', async () => {
    // There is no page here, and all else was in order.
    for (const given of [undefined, null, new Event('click'), { returnTo: null }] as Any[])
      for (const run of [login.start, login.stepUp])
        await expect(run(given)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test('refuses what is no coordinator', async () => {
    for (const value of noCoordinators) await expect(requireSession(value)).rejects.toMatchObject({ code });
  });

  test('ends without options, too', async () => {
    const local = createFakeCoordinator();
    const here = createLogin({
      coordinator: local,
      endpoints: { authorization_endpoint: 'https://as.test/a', token_endpoint: 'https://as.test/t' },
      clientId: 'app',
      redirectUri: '/callback',
    });
    await here.signOut(null as Any);
    expect(local.getSnapshot().status).toBe('signed-out');
  });
});

describe('a coordinator', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  });
  afterEach(() => void vi.useRealTimers());

  function open() {
    return new Origin().open({ refresh: async () => ({ access_token: 'a', expires_in: 60 }) });
  }

  test('refuses durations and signals of another kind', async () => {
    const tab = open();
    const calls = [
      ...noDurations.flatMap((value) => [
        tab.getAccessToken({ timeoutMs: value }),
        tab.getAccessToken({ minValidityMs: value }),
      ]),
      ...([0, '', {}, false] as Any[]).map((signal) => tab.getAccessToken({ signal })),
    ].map((call) => watch(call));
    const withNull = watch(tab.getAccessToken({ signal: null as Any }));
    await pass(100);
    for (const call of calls) expect(call.outcome()).toBe(code);
    expect(withNull.outcome()).toBe('ERR_SIGNED_OUT');
  });

  test('refuses listeners that cannot listen', async () => {
    const tab = open();
    await pass(100);
    for (const listener of noFunctions) {
      expect(() => tab.subscribe(listener)).toThrow(refused);
      expect(() => tab.on('takeover', listener)).toThrow(refused);
    }
  });
});
