// A server that says no: without a word, again and again, or with an OAuth error; in as many tabs as there are.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Origin, pass, watch, type Tab } from '../test/support/tabs.js';
import { RefreshRejectedError, RefreshUnavailableError } from './core/errors.js';
// Loaded before the clock stands still; the coordinator loads it by itself.
import './export-session.js';
import type { TokenClient } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const tokens = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 600 };
const empty = (status: number): Error => new RefreshUnavailableError({ status });

/** A server whose every answer is thrown, or given; and how it was asked. */
async function signedIn(client: Partial<TokenClient> = {}, life = 3_600) {
  const origin = new Origin();
  const server = { answer: empty(400) as Error | object, asked: [] as number[] };
  const refresh: TokenClient = {
    ...client,
    async refresh() {
      server.asked.push(Date.now());
      if (server.answer instanceof Error) throw server.answer;
      return server.answer as typeof tokens;
    },
  };
  const open = (): Tab => origin.open({ refresh, proactive: 'never' });
  const tabs = [open(), open()] as const;
  const given = { ...tokens, access_token: 'access-1', refresh_token: 'refresh-1', expires_in: life };
  void tabs[0].setSession(given, { subject: 'alice' });
  await pass(100);
  return { origin, server, open, tabs };
}

const losses = (tabs: readonly Tab[]): (string | undefined)[] =>
  tabs.flatMap(({ events }) =>
    events.filter(({ type }) => type === 'reauth-required').map(({ reason }) => reason),
  );

/** Waits in this tab for a token that does not come. */
function wantIn(tab: Tab, timeoutMs = 100_000): { readonly outcome: () => string } {
  return watch(tab.getAccessToken({ forceRefresh: true, timeoutMs }));
}

test('a session lost without a word is handed over', async () => {
  const { server, tabs } = await signedIn();
  server.answer = empty(400);
  wantIn(tabs[0]);
  await pass(25_000);
  expect(tabs[0].getSnapshot().error).toMatchObject({ reason: 'refresh_unanswered' });
  const exported = watch(tabs[0].exportSession() as Promise<never>);
  await pass(1_000);
  expect(exported.outcome()).toMatchObject({ refresh_token: 'refresh-1' });
});

test.each([400, 401])('%d without a word, three times: lost, and said once', async (status) => {
  const { server, tabs } = await signedIn();
  server.answer = empty(status);
  const calls = tabs.map((tab) => wantIn(tab));
  await pass(15_000);
  expect(server.asked).toHaveLength(2);
  expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['signed-in', 'signed-in']);
  await pass(10_000);
  expect(calls.map((call) => call.outcome())).toEqual(['ERR_REAUTH_REQUIRED', 'ERR_REAUTH_REQUIRED']);
  expect(losses(tabs)).toEqual(['refresh_unanswered']);
  for (const tab of tabs) {
    expect(tab.getSnapshot().error).toMatchObject({
      code: 'ERR_REAUTH_REQUIRED',
      reason: 'refresh_unanswered',
      status,
    });
    expect(tab.peekAccessToken()).toBe('access-1');
  }
  // Nothing more is asked by itself.
  await pass(3_600_000);
  expect(server.asked).toHaveLength(3);
});

test('after a wake-up a success brings the session back', async () => {
  const { server, tabs } = await signedIn();
  void wantIn(tabs[0]);
  await pass(60_000);
  expect(tabs[1].getSnapshot().status).toBe('reauth-required');
  tabs[1].lifecycle('visible');
  await pass(1_000);
  expect(server.asked).toHaveLength(4);
  expect(losses(tabs)).toEqual(['refresh_unanswered']);
  server.answer = tokens;
  await pass(60_000);
  expect(server.asked).toHaveLength(4);
  tabs[1].lifecycle('visible');
  await pass(1_000);
  for (const tab of tabs)
    expect(tab.getSnapshot()).toMatchObject({ status: 'signed-in', version: 2, subject: 'alice' });
  const call = watch(tabs[0].getAccessToken());
  await pass(10);
  expect(call.outcome()).toBe('access-2');
});

test('of each wake-up comes one request, however that fails', async () => {
  const { server, tabs } = await signedIn();
  void wantIn(tabs[0]);
  await pass(60_000);
  for (const [n, answer] of [
    empty(503),
    empty(404),
    new TypeError('Failed to fetch'),
    empty(429),
  ].entries()) {
    server.answer = answer;
    tabs[1].lifecycle('visible');
    await pass(600_000);
    expect(server.asked).toHaveLength(4 + n);
    expect(tabs[0].getSnapshot().error).toMatchObject({ reason: 'refresh_unanswered', status: 400 });
  }
});

test('after the known end a wake-up asks no more', async () => {
  const { server, tabs } = await signedIn();
  const sessionExpiresAt = Date.now() + 100_000;
  void tabs[0].setSession({ ...tokens, refresh_token: 'refresh-1' }, { sessionExpiresAt });
  await pass(100);
  void wantIn(tabs[0], 40_000);
  await pass(60_000);
  expect(tabs[1].getSnapshot().error?.reason).toBe('refresh_unanswered');
  await pass(60_000);
  tabs[1].lifecycle('visible');
  await pass(60_000);
  const [first = 0] = server.asked;
  expect(server.asked.map((at) => Math.round((at - first) / 1_000))).toEqual([0, 10, 20]);
  expect(tabs[1].getSnapshot().error?.reason).toBe('no_refresh_token');
});

test('the next tab announces it for one that left', async () => {
  const { tabs } = await signedIn();
  void wantIn(tabs[0]);
  await pass(60_000);
  expect(losses([tabs[0]])).toEqual(['refresh_unanswered']);
  tabs[1].lifecycle('visible');
  await pass(60_000);
  expect(losses([tabs[1]])).toEqual([]);
  tabs[0].kill();
  tabs[1].lifecycle('visible');
  await pass(10_000);
  expect(losses([tabs[1]])).toEqual(['refresh_unanswered']);
});

test('the definitive word ends it without another notice', async () => {
  const { server, tabs } = await signedIn();
  void wantIn(tabs[0]);
  await pass(60_000);
  server.answer = new RefreshRejectedError({ error: 'invalid_grant', status: 400 });
  tabs[1].lifecycle('visible');
  await pass(10_000);
  expect(tabs.map((tab) => tab.getSnapshot().error?.error)).toEqual(['invalid_grant', 'invalid_grant']);
  expect(losses(tabs)).toEqual(['refresh_unanswered']);
  const { length } = server.asked;
  for (const tab of tabs) tab.lifecycle('visible');
  await pass(60_000);
  expect(server.asked).toHaveLength(length);
});

test('the count goes on in other tabs', async () => {
  const { server, tabs, open } = await signedIn();
  const third = open();
  for (const tab of [tabs[0], tabs[1], third]) {
    void wantIn(tab, 1_000);
    await pass(12_000);
    tab.kill();
  }
  const last = open();
  await pass(100);
  expect(last.getSnapshot()).toMatchObject({
    status: 'reauth-required',
    error: { reason: 'refresh_unanswered' },
  });
  // To open a tab is a wake-up, but not so soon after the third refusal.
  expect(server.asked).toHaveLength(3);
  await pass(20_000);
  expect(server.asked).toHaveLength(4);
});

test('a spare is tried before the session ends', async () => {
  const { origin, server, tabs } = await signedIn();
  const accessToken = { ...origin.record!.accessTokens['']!, token: 'access-s', version: 1 };
  origin.record = { ...origin.record!, spares: [{ refreshToken: 'refresh-s', audience: '', accessToken }] };
  const call = wantIn(tabs[0]);
  await pass(25_000);
  expect(server.asked).toHaveLength(3);
  expect(call.outcome()).toBe('access-s');
  for (const tab of tabs) expect(tab.getSnapshot()).toMatchObject({ status: 'signed-in', version: 2 });
  expect(origin.record).toMatchObject({ refreshToken: 'refresh-s', spares: [] });
});

test('refusals close together count once; others restart the count', async () => {
  const { server, tabs } = await signedIn();
  const refuse = async (answer: Error, thenMs: number): Promise<void> => {
    server.answer = answer;
    tabs[0].lifecycle('online');
    void watch(tabs[0].getAccessToken({ forceRefresh: true, failFast: true }));
    await pass(thenMs);
  };
  await refuse(empty(400), 1_000);
  await refuse(empty(400), 11_000);
  await refuse(empty(400), 21_000);
  expect(server.asked).toHaveLength(3);
  expect(tabs[0].getSnapshot().status).toBe('signed-in');
  await refuse(empty(503), 21_000);
  await refuse(empty(400), 21_000);
  await refuse(empty(400), 21_000);
  expect(server.asked).toHaveLength(6);
  expect(tabs[0].getSnapshot().status).toBe('signed-in');
  await refuse(empty(400), 1_000);
  expect(tabs[0].getSnapshot().status).toBe('reauth-required');
});

test('a wake-up counts for a refusal from before it', async () => {
  const { origin, server, tabs } = await signedIn();
  server.answer = empty(400);
  void wantIn(tabs[0]);
  await pass(25_000);
  expect(tabs[1].getSnapshot().error?.reason).toBe('refresh_unanswered');
  await pass(60_000);
  // One more is refused, and the tab needs two seconds to note it.
  Object.defineProperty(server, 'answer', {
    configurable: true,
    get() {
      origin.storeMs = 2_000;
      return empty(400);
    },
  });
  tabs[0].lifecycle('online');
  await pass(500);
  expect(server.asked).toHaveLength(4);
  Object.defineProperty(server, 'answer', { value: tokens });
  origin.storeMs = 1;
  tabs[1].lifecycle('online');
  await pass(60_000);
  expect(server.asked).toHaveLength(5);
  for (const tab of tabs) expect(tab.getSnapshot()).toMatchObject({ status: 'signed-in', version: 2 });
});

test('a refusal that is not about the grant: a fault', async () => {
  const { server, tabs } = await signedIn();
  server.answer = empty(404);
  const call = wantIn(tabs[0]);
  await pass(30_000);
  expect(call.outcome()).toBe('ERR_REFRESH_REJECTED');
  expect(server.asked).toHaveLength(3);
  for (const tab of tabs)
    expect(tab.getSnapshot()).toMatchObject({
      status: 'signed-in',
      refreshStatus: 'paused',
      error: { code: 'ERR_REFRESH_REJECTED', status: 404 },
    });
});

test('a refusal by something else does not complete three', async () => {
  const { server, tabs } = await signedIn();
  server.answer = empty(404);
  const call = wantIn(tabs[0]);
  await pass(5_000);
  server.answer = empty(400);
  await pass(20_000);
  expect(server.asked).toHaveLength(3);
  expect(call.outcome()).toBe('ERR_REFRESH_REJECTED');
  expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['signed-in', 'signed-in']);
  tabs[1].lifecycle('visible');
  void wantIn(tabs[1]);
  await pass(21_000);
  expect(server.asked).toHaveLength(4);
  expect(tabs.map((tab) => tab.getSnapshot().error?.reason)).toEqual([
    'refresh_unanswered',
    'refresh_unanswered',
  ]);
});

test.each([
  ['an OAuth error', new RefreshRejectedError({ error: 'invalid_client', status: 401 })],
  ['400 without a word', empty(400)],
  ['403 without a word', empty(403)],
])('after %s nobody asks more than six times a minute', async (_name, answer) => {
  const { server, tabs, open } = await signedIn();
  server.answer = answer;
  const all = [...tabs, ...Array.from({ length: 8 }, open)];
  for (let second = 0; second < 300; second++) {
    for (const tab of all) {
      tab.lifecycle(second % 2 ? 'online' : 'visible');
      void wantIn(tab, 900);
    }
    await pass(1_000);
  }
  const most = Math.max(
    ...server.asked.map((at) => server.asked.filter((one) => one >= at && one < at + 60_000).length),
  );
  expect(most).toBeLessThanOrEqual(6);
  expect(server.asked.length).toBeGreaterThan(5);
});

test('events and errors carry what is known of why', async () => {
  const { server, tabs } = await signedIn();
  const cause = new TypeError('cannot reach access-1');
  server.answer = new RefreshUnavailableError({ status: 503, cause });
  const call = tabs[0]
    .getAccessToken({ forceRefresh: true, failFast: true })
    .catch((error: unknown) => error as Error);
  await pass(1_000);
  const why = { status: 503, cause: { name: 'TypeError', message: 'cannot reach [token]' } };
  expect(await call).toMatchObject(why);
  expect(tabs[0].events.find(({ type }) => type === 'refresh-failed')).toMatchObject(why);
  expect(tabs[1].getSnapshot().error).toMatchObject(why);
  server.answer = new RefreshRejectedError({
    error: 'login_required',
    errorDescription: 'come in',
    status: 400,
  });
  void wantIn(tabs[0]);
  await pass(60_000);
  const word = { status: 400, error: 'login_required', errorDescription: 'come in' };
  const events = tabs.flatMap((tab) => tab.events);
  expect(events.find(({ type }) => type === 'reauth-required')).toMatchObject(word);
  expect(
    events.find(({ type }) => type === 'conflict'),
    'no other copy of the token was spent',
  ).toBeUndefined();
  expect(tabs[1].getSnapshot().error).toMatchObject({ ...word, reason: 'interaction_required' });
});

const needing = { needsRefreshToken: true };

test('a needed refresh token that is missing is refused', async () => {
  const { tabs } = await signedIn(needing);
  const given = watch(tabs[0].setSession({ access_token: 'a', expires_in: 60 }));
  await pass(10);
  expect(given.outcome()).toBe('ERR_CONFIGURATION');
  expect(tabs[0].getSnapshot().subject).toBe('alice');
});

test.each(['visible', 'never'] as const)(
  'refreshable: false ends with its token (proactive %s)',
  async (proactive) => {
    const asked: unknown[] = [];
    const refresh: TokenClient = {
      ...needing,
      async refresh(request) {
        asked.push(request);
        throw Object.assign(new RefreshRejectedError({ error: 'invalid_grant' }), {
          reason: 'no_refresh_token',
        });
      },
    };
    const origin = new Origin();
    const tabs = [1, 2].map(() => origin.open({ refresh, proactive }));
    void tabs[0]!.setSession({ access_token: 'a', expires_in: 60 }, { refreshable: false });
    await pass(55_000);
    const call = watch(tabs[1]!.getAccessToken({ minValidityMs: 30_000 }));
    const forced = watch(tabs[1]!.getAccessToken({ forceRefresh: true }));
    await pass(10);
    expect(call.outcome()).toBe('a');
    expect(forced.outcome()).toBe('ERR_REAUTH_REQUIRED');
    expect(asked).toEqual([]);
    expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['signed-in', 'signed-in']);
    await pass(6_000);
    for (const tab of tabs)
      expect(tab.getSnapshot()).toMatchObject({
        status: 'reauth-required',
        error: { reason: 'no_refresh_token' },
      });
    expect(losses(tabs)).toEqual(['no_refresh_token']);
  },
);

test("another coordinator's reason is no word about this session", async () => {
  const { server, tabs } = await signedIn();
  server.answer = Object.assign(new Error('Of the other one'), { reason: 'no_refresh_token' });
  const call = wantIn(tabs[0], 5_000);
  await pass(6_000);
  expect(call.outcome()).not.toBe('ERR_REAUTH_REQUIRED');
  expect(losses(tabs)).toEqual([]);
  expect(tabs[0].getSnapshot().status).toBe('signed-in');
});
