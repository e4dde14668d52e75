import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Origin, pass, watch, type Tab } from '../test/support/tabs.js';
import type { TokenResponse } from './core/types.js';
import type { RefreshRequest, SessionOptions, TokenCoordinatorOptions } from './types.js';

const START = Date.UTC(2030, 0, 1);

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Tabs of a session whose sign-in answers with `tokens`; each refresh answers with `next`. */
async function world(
  count: number,
  tokens: Partial<TokenResponse>,
  next: Partial<TokenResponse> = {},
  options: Partial<TokenCoordinatorOptions> = {},
  session: SessionOptions = {},
) {
  const origin = new Origin();
  const requests: RefreshRequest[] = [];
  let n = 1;
  const refresh = async (request: RefreshRequest): Promise<TokenResponse> => {
    requests.push(request);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { access_token: `access-${++n}`, refresh_token: `refresh-${n}`, expires_in: 600, ...next };
  };
  const open = (): Tab => origin.open({ refresh, proactive: 'never', ...options });
  const tabs = Array.from({ length: count }, open);
  await pass(1_000);
  const first = { access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 600, ...tokens };
  const begun = Date.now();
  await Promise.all([tabs[0]!.setSession(first, session), pass(100)]);
  return { origin, requests, tabs, open, begun, until: (ms: number) => pass(begun + ms - Date.now()) };
}

const events = (tabs: readonly Tab[], type: string) =>
  tabs.flatMap((tab) => tab.events.filter((event) => event.type === type));
const seconds = (count: number): number => count * 1_000;

describe('the end that a server announces', () => {
  test.each([
    ['refresh_token_timeout', 1_000],
    ['refresh_token_expires_in', 1_000],
    ['refresh_expires_in', 1_000],
    ['refresh_token_expires_in', '1000'],
  ])('is read from %s: %o', async (name, value) => {
    const { tabs, begun } = await world(2, { [name]: value });
    expect(tabs.map((tab) => tab.getSnapshot().sessionExpiresAt)).toEqual([
      begun + seconds(1_000),
      begun + seconds(1_000),
    ]);
  });

  test.each([0, -1, 'soon', null, {}, Infinity, Number.NaN])(
    '%o is none, and breaks nothing',
    async (value) => {
      const { tabs, until } = await world(1, { refresh_expires_in: value, expires_in: 6_000 });
      const { sessionExpiresAt } = tabs[0]!.getSnapshot();
      // (Infinite is as far as dates go.)
      expect(sessionExpiresAt).toBe(value === Infinity ? 8.64e15 : undefined);
      await until(seconds(5_000));
      expect(tabs[0]!.getSnapshot().status).toBe('signed-in');
    },
  );

  test('comes: a typed error, no request, the token served', async () => {
    const { tabs, requests, until } = await world(2, { refresh_token_expires_in: 300 });
    await until(seconds(300) - 1);
    expect(tabs[1]!.getSnapshot().status).toBe('signed-in');
    await until(seconds(300));
    expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['reauth-required', 'reauth-required']);
    expect(await tabs[1]!.getAccessToken()).toBe('access-1');
    const forced = watch(tabs[0]!.getAccessToken({ forceRefresh: true }));
    await until(seconds(601));
    const late = watch(tabs[1]!.getAccessToken());
    await pass(5_000);
    expect([forced.outcome(), late.outcome()]).toEqual(['ERR_REAUTH_REQUIRED', 'ERR_REAUTH_REQUIRED']);
    expect(tabs[1]!.getSnapshot().error).toMatchObject({ reason: 'no_refresh_token' });
    expect(requests).toEqual([]);
  });

  test('asks one tab to sign in again, once', async () => {
    const { tabs, until } = await world(4, { refresh_token_expires_in: 300 });
    await until(seconds(400));
    expect(events(tabs, 'reauth-required')).toMatchObject([{ reason: 'no_refresh_token' }]);
  });

  test('is moved by each refresh that names a new one', async () => {
    const { tabs, begun, requests, until } = await world(
      2,
      { refresh_token_expires_in: 300 },
      { refresh_token_expires_in: 1_000 },
    );
    await until(seconds(200));
    void tabs[1]!.getAccessToken({ forceRefresh: true });
    await pass(100);
    // (From when the request was sent, a few store operations after the call.)
    const { sessionExpiresAt } = tabs[0]!.getSnapshot();
    expect(sessionExpiresAt! - begun - seconds(1_200)).toBeLessThan(10);
    await until(seconds(1_100) - 1);
    expect(events(tabs, 'session-ending')).toEqual([]);
    await until(seconds(1_100) + 200);
    expect(events(tabs, 'session-ending')).toMatchObject([{ endsAt: sessionExpiresAt }]);
    expect(requests).toHaveLength(1);
  });

  test('is over with a new refresh token that has none', async () => {
    const { tabs, until } = await world(1, { refresh_token_expires_in: 700 });
    await until(seconds(600));
    await Promise.all([tabs[0]!.getAccessToken(), pass(100)]);
    expect(tabs[0]!.getSnapshot().sessionExpiresAt).toBeUndefined();
    await until(seconds(800));
    expect(tabs[0]!.getSnapshot().status).toBe('signed-in');
  });

  test('stays with a refresh token that stays', async () => {
    const { tabs, begun } = await world(1, { refresh_token_expires_in: 700 }, { refresh_token: undefined });
    await Promise.all([tabs[0]!.getAccessToken({ forceRefresh: true }), pass(100)]);
    expect(tabs[0]!.getSnapshot().sessionExpiresAt).toBe(begun + seconds(700));
  });

  test('a preparing client does not pass it', async () => {
    const sent: number[] = [];
    const origin = new Origin();
    const tab = origin.open({
      proactive: 'never',
      refresh: async ({ assertSendable }) => {
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        assertSendable!();
        sent.push(Date.now());
        return { access_token: 'access-2', refresh_token: 'refresh-2' };
      },
    });
    void tab.setSession({ access_token: 'a', refresh_token: 'r', expires_in: 5, refresh_expires_in: 10 });
    await pass(9_000);
    const call = watch(tab.getAccessToken());
    await pass(5_000);
    expect([sent, call.outcome()]).toEqual([[], 'ERR_REAUTH_REQUIRED']);
  });
});

describe('the end that the app gives', () => {
  test('counts in place of the announced one', async () => {
    const sessionExpiresAt = START + seconds(900);
    const { tabs, until, requests } = await world(
      2,
      { refresh_expires_in: 60 },
      {},
      {},
      { sessionExpiresAt },
    );
    await until(seconds(500));
    await Promise.all([tabs[1]!.getAccessToken({ forceRefresh: true }), pass(100)]);
    expect(tabs[0]!.getSnapshot()).toMatchObject({ status: 'signed-in', version: 2, sessionExpiresAt });
    await pass(sessionExpiresAt - Date.now());
    expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['reauth-required', 'reauth-required']);
    expect(requests).toHaveLength(1);
  });

  test.each([
    START,
    START / 1_000,
    Number.NaN,
    Infinity,
    '2031-01-01',
    String(START * 2),
    new Date(START * 2),
  ])('%o is refused, and nothing is lost', async (sessionExpiresAt) => {
    const { tabs } = await world(1, {});
    const call = watch(
      tabs[0]!.setSession({ access_token: 'access-9' }, { sessionExpiresAt: sessionExpiresAt as number }),
    );
    await pass(100);
    expect(call.outcome()).toBe('ERR_CONFIGURATION');
    expect(tabs[0]!.peekAccessToken()).toBe('access-1');
  });
});

describe('session-ending', () => {
  test('comes in one tab, a tenth ahead', async () => {
    const { tabs, begun, until } = await world(4, { refresh_token_expires_in: 1_000 });
    await until(seconds(900) - 1);
    expect(events(tabs, 'session-ending')).toEqual([]);
    await until(seconds(999));
    expect(events(tabs, 'session-ending')).toMatchObject([
      // (It is written down first.)
      { reason: 'expiry', endsAt: begun + seconds(1_000), at: begun + seconds(900) + 1 },
    ]);
    expect(tabs[0]!.getSnapshot().status).toBe('signed-in');
  });

  test('comes five minutes ahead at most', async () => {
    const { tabs, begun, until } = await world(1, { refresh_token_expires_in: 86_400 });
    await until(seconds(86_400));
    expect(events(tabs, 'session-ending')).toMatchObject([{ at: begun + seconds(86_400 - 300) + 1 }]);
  });

  test('comes in a visible tab, where the leader is hidden', async () => {
    const { tabs, until } = await world(3, { refresh_token_expires_in: 1_000 });
    tabs[0]!.lifecycle('hidden');
    tabs[1]!.lifecycle('hidden');
    await until(seconds(999));
    expect(tabs.map((tab) => events([tab], 'session-ending').length)).toEqual([0, 0, 1]);
  });

  test('comes in a hidden tab, where all are', async () => {
    const { tabs, until } = await world(2, { refresh_token_expires_in: 1_000 });
    for (const tab of tabs) tab.lifecycle('hidden');
    await until(seconds(999));
    expect(events(tabs, 'session-ending')).toHaveLength(1);
  });

  test('comes although the leader has died', async () => {
    const { tabs, until } = await world(3, { refresh_token_expires_in: 1_000 });
    tabs[0]!.kill();
    await until(seconds(999));
    expect(events(tabs, 'session-ending')).toHaveLength(1);
    await until(seconds(1_010));
    expect(events(tabs, 'reauth-required')).toHaveLength(1);
  });

  test('does not come again where another tab takes over', async () => {
    const sessionExpiresAt = START + seconds(1_000);
    const { tabs, open } = await world(3, {}, {}, {}, { sessionExpiresAt });
    await pass(START + seconds(950) - Date.now());
    await Promise.all([tabs[1]!.getAccessToken({ forceRefresh: true }), pass(1_000)]);
    expect(tabs.map((tab) => tab.getSnapshot().role)).toEqual(['follower', 'leader', 'follower']);
    await Promise.all([tabs[1]!.close(), pass(2_000)]);
    const all = [...tabs, open()];
    await pass(5_000);
    expect(events(all, 'session-ending')).toHaveLength(1);
  });

  test('is written again when its write fails', async () => {
    const { origin, tabs, until } = await world(1, { refresh_token_expires_in: 1_000 });
    origin.storeFailures = 1;
    await until(seconds(950));
    expect(events(tabs, 'session-ending')).toHaveLength(1);
  });
});

describe('when the end has come', () => {
  test('a clock that is set back brings the session back', async () => {
    const { tabs, until } = await world(2, { refresh_token_expires_in: 1_000 });
    vi.setSystemTime(START + seconds(2_000));
    tabs[1]!.lifecycle('focus');
    await pass(100);
    expect(tabs[1]!.getSnapshot().status).toBe('reauth-required');
    vi.setSystemTime(START + seconds(100));
    tabs[1]!.lifecycle('focus');
    await pass(100);
    expect(tabs[1]!.getSnapshot()).toMatchObject({ status: 'signed-in', error: undefined });
    await until(seconds(120));
    expect(await tabs[1]!.getAccessToken()).toBe('access-1');
  });

  test('a tab that opens later knows it', async () => {
    const { open, until, requests } = await world(1, { refresh_token_expires_in: 300, expires_in: 100 });
    await until(seconds(400));
    const late = open();
    const call = watch(late.getAccessToken());
    await pass(3_000);
    expect([late.getSnapshot().status, call.outcome()]).toEqual(['reauth-required', 'ERR_REAUTH_REQUIRED']);
    expect(requests).toEqual([]);
  });

  test('a sign-in that is to replace nobody works', async () => {
    const { tabs, until } = await world(2, { refresh_token_expires_in: 300 });
    await until(seconds(301));
    await Promise.all([tabs[1]!.setSession({ access_token: 'next' }, { ifSignedOut: true }), pass(100)]);
    expect(tabs.map((tab) => tab.peekAccessToken())).toEqual(['next', 'next']);
  });

  test('an answer under way brings the session back', async () => {
    const { tabs, until } = await world(
      2,
      { refresh_token_expires_in: 300, expires_in: 60 },
      { refresh_token_expires_in: 300 },
    );
    await until(seconds(300) - 10);
    tabs[1]!.getAccessToken().catch(() => {});
    await pass(15);
    expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['reauth-required', 'reauth-required']);
    await pass(100);
    expect(tabs.map((tab) => tab.peekAccessToken())).toEqual(['access-2', 'access-2']);
    expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['signed-in', 'signed-in']);
  });
});
