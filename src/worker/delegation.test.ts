import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Origin, pass, watch, type Tab } from '../../test/support/tabs.js';
import { RefreshRejectedError, RefreshUnavailableError } from '../core/errors.js';
import type { TokenResponse } from '../core/types.js';
import type { RefreshRequest, TokenClient, TokenCoordinatorOptions } from '../types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const T = 2_000;
const LEADER_TIMEOUT = 300;
const LATENCY = 500;

interface Sent extends RefreshRequest {
  readonly by: 'page' | 'worker';
}

/** Some tabs, a worker, and a server that rotates strictly, half a second away. */
async function world(
  tabs = 2,
  {
    installed = true,
    life = 60,
    ...more
  }: Partial<TokenCoordinatorOptions> & { installed?: boolean; life?: number } = {},
) {
  const origin = new Origin();
  const requests: Sent[] = [];
  const revoked: string[] = [];
  let current = 'refresh-1';
  const server = {
    /** The next one's answer instead of a pair. */
    refuse: undefined as Error | undefined,
  };
  const client = (by: Sent['by']): TokenClient => ({
    async refresh(request): Promise<TokenResponse> {
      requests.push({ ...request, by });
      const { refuse } = server;
      server.refuse = undefined;
      const spent = request.refreshToken === current;
      const n = requests.length + 1;
      if (!refuse && spent) current = `refresh-${n}`;
      await new Promise((resolve) => setTimeout(resolve, LATENCY));
      if (refuse) throw refuse;
      if (!spent) throw new RefreshRejectedError({ error: 'invalid_grant' });
      return { access_token: `access-${n}`, refresh_token: `refresh-${n}`, expires_in: life };
    },
    revoke: async (token) => void revoked.push(token),
  });
  const options: Partial<TokenCoordinatorOptions> = {
    refreshTimeoutMs: T,
    leaderTimeoutMs: LEADER_TIMEOUT,
    proactive: 'never',
    ...more,
  };
  const open = (...without: 'channel'[]): Tab =>
    origin.open({ ...options, refresh: client('page'), worker: '/worker.js' }, without);
  const install = (): void => origin.installWorker({ ...options, refresh: client('worker') });
  if (installed) install();
  const all = Array.from({ length: tabs }, () => open());
  const [first] = all as [Tab];
  void first.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: life });
  await pass(1_000);
  return { origin, server, requests, revoked, open, install, tabs: all as [Tab, Tab, ...Tab[]] };
}

const force = { forceRefresh: true };
const roles = (tabs: readonly Tab[]): string[] => tabs.map((tab) => tab.getSnapshot().role);
const senders = (requests: readonly Sent[]): string[] => requests.map(({ by }) => by);

describe('with a refresh worker', () => {
  test('many tabs at once: one request, by the worker', async () => {
    const { tabs, requests } = await world(5);
    const calls = tabs.map((tab) => watch(tab.getAccessToken(force)));
    await pass(LATENCY + 100);
    expect(calls.map((call) => call.outcome())).toEqual(tabs.map(() => 'access-2'));
    expect(senders(requests)).toEqual(['worker']);
    await pass(LEADER_TIMEOUT + 100);
    expect(roles(tabs)).toEqual(['leader', 'follower', 'follower', 'follower', 'follower']);
  });

  test('the tab that asked dies: the others have the pair', async () => {
    const { tabs, requests } = await world();
    const [asking, other] = tabs;
    void asking.getAccessToken(force);
    await pass(LATENCY / 2);
    asking.kill();
    await pass(LATENCY);
    expect(senders(requests)).toEqual(['worker']);
    expect(other.getSnapshot().version).toBe(2);
  });

  test('a page finds a missed pair in the store', async () => {
    const { tabs, requests, open, origin } = await world(2, { leaderTimeoutMs: 5_000 });
    const deaf = open('channel');
    await pass(100);
    void tabs[0].getAccessToken(force);
    await pass(LATENCY + 100);
    expect(deaf.getSnapshot().version).toBe(1);
    const call = watch(deaf.getAccessToken(force));
    await pass(LATENCY + 100);
    expect(call.outcome()).toBe('access-2');
    expect(senders(requests)).toEqual(['worker']);
    expect(origin.asked.count).toBe(1);
  });

  test('all tabs die: the next visit has the pair', async () => {
    const { tabs, requests, open, origin } = await world();
    void tabs[0].getAccessToken(force);
    await pass(LATENCY / 2);
    for (const tab of tabs) tab.kill();
    expect(origin.asked).toEqual({ count: 1, served: 0 });
    await pass(LATENCY);
    expect(origin.asked).toEqual({ count: 1, served: 1 });
    const next = open();
    const call = watch(next.getAccessToken());
    await pass(100);
    expect(call.outcome()).toBe('access-2');
    expect(senders(requests)).toEqual(['worker']);
  });

  test('none is there yet: the page does it', async () => {
    const { tabs, requests, install } = await world(2, { installed: false });
    const [tab] = tabs;
    const first = watch(tab.getAccessToken(force));
    await pass(LATENCY + 50);
    expect(first.outcome()).toBe('access-2');
    install();
    void tab.getAccessToken(force);
    await pass(LATENCY + 50);
    expect(senders(requests)).toEqual(['page', 'worker']);
  });

  test('it was unregistered: the page does it at once', async () => {
    const { tabs, requests, origin } = await world();
    void tabs[0].getAccessToken(force);
    await pass(LATENCY + 50);
    origin.installWorker(undefined);
    const call = watch(tabs[1].getAccessToken(force));
    await pass(LATENCY + 50);
    expect(call.outcome()).toBe('access-3');
    expect(senders(requests)).toEqual(['worker', 'page']);
  });

  test('a silent one is waited for leaderTimeoutMs at most', async () => {
    const { tabs, requests, origin } = await world();
    // As one of another protocol version would.
    origin.serving = false;
    const calls = tabs.map((tab) => watch(tab.getAccessToken(force)));
    await pass(LEADER_TIMEOUT - 50);
    expect(requests).toEqual([]);
    await pass(LATENCY + 100);
    expect(calls.map((call) => call.outcome())).toEqual(['access-2', 'access-2']);
    expect(senders(requests)).toEqual(['page']);
  });

  test('a waiting tab knows at once of its death', async () => {
    const { tabs, requests, origin } = await world();
    const [, tab] = tabs;
    const call = watch(tab.getAccessToken(force));
    await pass(LATENCY / 2);
    origin.stopWorker();
    await pass(50);
    expect(requests).toMatchObject([
      { by: 'worker', attempt: 1 },
      { by: 'worker', attempt: 2, refreshToken: 'refresh-1' },
    ]);
    await pass(LATENCY + 50);
    expect(call.outcome()).toBe('ERR_REAUTH_REQUIRED');
    expect(tab.getSnapshot().error).toMatchObject({ reason: 'response_lost' });
  });

  test('it dies twice: the page does it', async () => {
    const { tabs, requests, origin } = await world();
    const call = watch(tabs[0].getAccessToken(force));
    await pass(LATENCY / 2);
    origin.stopWorker();
    await pass(LATENCY / 2);
    origin.stopWorker();
    await pass(50);
    expect(senders(requests)).toEqual(['worker', 'worker', 'page']);
    await pass(LATENCY);
    expect(call.outcome()).toBe('ERR_REAUTH_REQUIRED');
    expect(requests).toHaveLength(3);
  });

  test('a page goes on while the worker starts slowly', async () => {
    const { tabs, requests, origin } = await world();
    origin.startMs = LEADER_TIMEOUT + 50;
    const call = watch(tabs[0].getAccessToken(force));
    await pass(LEADER_TIMEOUT + LATENCY + 200);
    expect(call.outcome()).toBe('access-2');
    expect(senders(requests)).toEqual(['page']);
    expect(origin.asked).toEqual({ count: 1, served: 1 });
  });

  test('it starts when all is done and stays silent', async () => {
    const { tabs, requests, origin } = await world();
    origin.startMs = LEADER_TIMEOUT + LATENCY + 100;
    const call = watch(tabs[0].getAccessToken(force));
    await pass(origin.startMs + 100);
    expect(call.outcome()).toBe('access-2');
    expect(senders(requests)).toEqual(['page']);
    expect(origin.messages.filter(({ type, version }) => type === 'pair' && version === 2)).toHaveLength(1);
    expect(origin.asked).toEqual({ count: 1, served: 1 });
  });

  test('asked at work, it says so to the tab', async () => {
    const { tabs, requests, origin } = await world();
    void tabs[0].getAccessToken(force).catch(() => {});
    await pass(50);
    void tabs[1].getAccessToken(force).catch(() => {});
    tabs[0].kill();
    await pass(50);
    origin.stopWorker();
    await pass(50);
    expect(senders(requests)).toEqual(['worker', 'page']);
  });

  test('its failure is everybody’s: all wait as one', async () => {
    const { tabs, requests, server } = await world();
    server.refuse = new RefreshUnavailableError({ status: 503, retryAfterMs: 1_000 });
    const calls = tabs.map((tab) => watch(tab.getAccessToken(force)));
    await pass(LATENCY + 100);
    // The access token at hand is served while nothing better is to be had.
    expect(tabs.map((tab) => tab.getSnapshot().refreshStatus)).toEqual(['paused', 'paused']);
    await pass(1_000 + LATENCY);
    expect(calls.map((call) => call.outcome())).toEqual(['access-3', 'access-3']);
    expect(requests).toMatchObject([
      { by: 'worker', attempt: 1 },
      { by: 'worker', attempt: 2 },
    ]);
  });

  test('a forced call retries a fault of configuration', async () => {
    const { tabs, requests, server } = await world();
    server.refuse = new RefreshRejectedError({ error: 'invalid_client' });
    const refused = watch(tabs[0].getAccessToken(force));
    await pass(LATENCY + 100);
    expect(refused.outcome()).toBe('ERR_REFRESH_REJECTED');
    const again = watch(tabs[1].getAccessToken(force));
    await pass(LATENCY + 100);
    expect(again.outcome()).toBe('access-3');
    expect(senders(requests)).toEqual(['worker', 'worker']);
  });

  test('a dead leader is replaced when another tab asks', async () => {
    const { tabs } = await world(3);
    const [leader, ...others] = tabs;
    expect(leader.getSnapshot().role).toBe('leader');
    leader.kill();
    void others[0].getAccessToken(force);
    await pass(LATENCY + LEADER_TIMEOUT + 600);
    expect(roles(others).sort()).toEqual(['follower', 'leader']);
  });

  test('the leader asks ahead of expiry, and nobody else', async () => {
    const { tabs, requests, origin } = await world(4, { proactive: 'visible', life: 60 });
    await pass(60_000);
    expect(senders(requests)).toEqual(['worker']);
    expect(origin.asked).toEqual({ count: 1, served: 1 });
    expect(roles(tabs)).toEqual(['leader', 'follower', 'follower', 'follower']);
  });

  test('a session that ends meanwhile does not come back', async () => {
    const { tabs, revoked } = await world();
    void tabs[0].getAccessToken(force).catch(() => {});
    await pass(LATENCY / 2);
    void tabs[1].signOut();
    await pass(LATENCY);
    expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['signed-out', 'signed-out']);
    expect(revoked).toEqual(['refresh-1', 'refresh-2']);
  });

  test('a loss that it finds is said by one tab', async () => {
    const { tabs, server, requests } = await world(3);
    server.refuse = new RefreshRejectedError({ error: 'invalid_grant' });
    void tabs[2]!.getAccessToken(force).catch(() => {});
    await pass(LATENCY + 1_000);
    expect(senders(requests)).toEqual(['worker']);
    const said = tabs.flatMap(({ events }) => events.filter(({ type }) => type === 'reauth-required'));
    expect(said).toMatchObject([{ reason: 'refresh_rejected' }]);
    expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(tabs.map(() => 'reauth-required'));
  });

  test('`access-token`: the refresh token never travels', async () => {
    const { tabs, origin } = await world(3, { broadcast: 'access-token' });
    const calls = tabs.map((tab) => watch(tab.getAccessToken(force)));
    await pass(LATENCY + 200);
    expect(calls.map((call) => call.outcome())).toEqual(tabs.map(() => 'access-2'));
    expect(JSON.stringify(origin.messages)).not.toContain('refresh-2');
  });
});
