import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Origin, pass, watch } from '../test/support/tabs.js';
import type { TokenResponse } from './core/types.js';
// Loaded before the clock stands still; the coordinator loads it by itself.
import './export-session.js';
import type { RefreshRequest, TokenCoordinatorOptions } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function world(without: Parameters<Origin['open']>[1] = [], given: Partial<TokenResponse> = {}) {
  const origin = new Origin();
  const requests: RefreshRequest[] = [];
  const revoked: string[] = [];
  const client = {
    latency: 500,
    refresh: async (request: RefreshRequest): Promise<TokenResponse> => {
      requests.push(request);
      const n = requests.length + 1;
      await new Promise((resolve) => setTimeout(resolve, client.latency));
      return { access_token: `access-${n}`, refresh_token: `refresh-${n}`, expires_in: 60 };
    },
    revoke: async (token: string) => void revoked.push(token),
    authorize: async () => ({}),
  };
  const options: Partial<TokenCoordinatorOptions> = { proactive: 'never', refreshTimeoutMs: 2_000 };
  const tabs = [0, 1, 2].map(() => origin.open({ refresh: client, ...options }, without));
  await pass(1_000);
  const first = {
    access_token: 'access-1',
    refresh_token: 'refresh-1',
    id_token: 'id-1',
    expires_in: 60,
    ...given,
  };
  await Promise.all([tabs[0]!.setSession(first), pass(100)]);
  return { origin, tabs, requests, revoked, client };
}

test('hands the pair back and revokes nothing', async () => {
  const { tabs, requests, revoked } = await world([], { refresh_token_expires_in: 600 });
  const [exported] = await Promise.all([tabs[1]!.exportSession(), pass(1_000)]);
  expect(exported).toEqual({
    access_token: 'access-1',
    token_type: 'Bearer',
    refresh_token: 'refresh-1',
    id_token: 'id-1',
    expires_in: 59,
    refresh_token_expires_in: 599,
  });
  expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['signed-out', 'signed-out', 'signed-out']);
  const late = tabs.map((tab) => watch(tab.getAccessToken({ forceRefresh: true })));
  await pass(5_000);
  expect(late.map((call) => call.outcome())).toEqual(late.map(() => 'ERR_SIGNED_OUT'));
  expect([requests, revoked]).toEqual([[], []]);
});

test.each([
  ['with locks', []],
  ['without locks', ['locks' as const]],
] as const)('waits for a refresh in flight in another tab, %s', async (_, without) => {
  const { tabs, requests, revoked } = await world([...without]);
  tabs[2]!.getAccessToken({ forceRefresh: true }).catch(() => {});
  await pass(100);
  const exported = watch(tabs[1]!.exportSession());
  await pass(3_000);
  expect(exported.outcome()).toMatchObject({ access_token: 'access-2', refresh_token: 'refresh-2' });
  expect(tabs.map((tab) => tab.getSnapshot().status)).toEqual(['signed-out', 'signed-out', 'signed-out']);
  expect([requests.length, revoked]).toEqual([1, []]);
});

test('waits for an answer that comes after its deadline', async () => {
  const { tabs, requests, revoked, client } = await world();
  client.latency = 3_000;
  tabs[2]!.getAccessToken({ forceRefresh: true, timeoutMs: 100 }).catch(() => {});
  await pass(2_100);
  const exported = watch(tabs[1]!.exportSession());
  await pass(3_000);
  expect(exported.outcome()).toMatchObject({ refresh_token: 'refresh-2' });
  expect([requests.length, revoked]).toEqual([1, []]);
});

test('a refresh that is asked for meanwhile is not sent', async () => {
  const { tabs, requests } = await world();
  const exported = watch(tabs[1]!.exportSession());
  const calls = tabs.map((tab) => watch(tab.getAccessToken({ forceRefresh: true })));
  await pass(3_000);
  expect(exported.outcome()).toMatchObject({ refresh_token: `refresh-${requests.length + 1}` });
  expect(calls.every((call) => call.outcome() !== 'pending')).toBe(true);
  await pass(5_000);
  expect(requests.length).toBeLessThanOrEqual(1);
});

test('nobody is signed in: nothing to hand back', async () => {
  const { tabs } = await world();
  await Promise.all([tabs[0]!.signOut(), pass(100)]);
  const exported = watch(tabs[1]!.exportSession());
  await pass(1_000);
  expect(exported.outcome()).toBeUndefined();
});

test('tokens that are bound to a key stay', async () => {
  const { tabs } = await world([], { token_type: 'DPoP' });
  const exported = watch(tabs[1]!.exportSession());
  await pass(1_000);
  expect([exported.outcome(), tabs[1]!.getSnapshot().status]).toEqual(['ERR_UNSUPPORTED', 'signed-in']);
});

test('a store that cannot be read keeps the session', async () => {
  const { tabs, origin } = await world();
  origin.storeFailures = 1;
  const exported = watch(tabs[1]!.exportSession());
  await pass(1_000);
  expect([exported.outcome(), tabs[1]!.getSnapshot().status]).toEqual(['ERR_STORAGE', 'signed-in']);
});

test('a lost session has nothing to hand back, and ends', async () => {
  const { tabs } = await world([], { refresh_token_expires_in: 10 });
  await pass(11_000);
  const exported = watch(tabs[1]!.exportSession());
  await pass(1_000);
  expect([exported.outcome(), tabs[0]!.getSnapshot().status]).toEqual([undefined, 'signed-out']);
});

test('reads again after a theft of the locks', async () => {
  const { origin, tabs, revoked } = await world();
  origin.storeMs = 100;
  const exported = watch(tabs[1]!.exportSession());
  // The second read is over, the tombstone on its way.
  await pass(250);
  origin.record = { ...origin.record!, version: 2, refreshToken: 'refresh-2' };
  await pass(2_000);
  expect(exported.outcome()).toMatchObject({ refresh_token: 'refresh-2' });
  expect([origin.record.ended, revoked]).toEqual([{ kind: 'signed-out' }, []]);
});

test('keeps the tokens that wait to be revoked', async () => {
  const { origin, tabs } = await world();
  const waiting = { token: 'old', binding: undefined, at: Date.now(), tries: 3, next: Date.now() + 60_000 };
  Object.assign(origin.record!, { revocations: [waiting] });
  await Promise.all([tabs[1]!.exportSession(), pass(1_000)]);
  expect(origin.record).toMatchObject({ ended: { kind: 'signed-out' }, revocations: [{ token: 'old' }] });
});

test('hands the tokens over although its tab closes meanwhile', async () => {
  const { origin, tabs } = await world();
  origin.storeMs = 100;
  const exported = watch(tabs[1]!.exportSession());
  await pass(250);
  await tabs[1]!.close();
  await pass(1_000);
  expect(exported.outcome()).toMatchObject({ refresh_token: 'refresh-1' });
  const late = watch(tabs[1]!.exportSession());
  const call = watch(tabs[0]!.getAccessToken({ forceRefresh: true }));
  await pass(1_000);
  expect([late.outcome(), call.outcome()]).toEqual(['ERR_CLOSED', 'ERR_SIGNED_OUT']);
});

test('a stopped tab with the lock ends the wait only', async () => {
  const { origin, tabs } = await world();
  origin.hold('refresh');
  const exported = watch(tabs[1]!.exportSession());
  await pass(4_100);
  expect([exported.outcome(), tabs[1]!.getSnapshot().status]).toEqual(['ERR_TIMEOUT', 'signed-in']);
});

test('without the refresh token nothing ends', async () => {
  const origin = new Origin();
  const refresh = async (): Promise<TokenResponse> => ({ access_token: 'b' });
  const options = { proactive: 'never', broadcast: 'access-token', refreshTimeoutMs: 2_000 } as const;
  origin.storeFailures = 3;
  const blind = origin.open({ refresh, ...options });
  await pass(50);
  const keeper = origin.open({ refresh, ...options });
  await pass(1_000);
  await Promise.all([
    keeper.setSession({ access_token: 'a', refresh_token: 'r', expires_in: 60 }),
    pass(100),
  ]);
  expect(blind.getSnapshot()).toMatchObject({ storage: 'memory', status: 'signed-in' });
  const exported = watch(blind.exportSession());
  await pass(300);
  expect([exported.outcome(), keeper.getSnapshot().status]).toEqual(['ERR_STORAGE', 'signed-in']);
});

test('leaves a record of a newer version alone', async () => {
  const { origin, tabs } = await world();
  origin.record = { ...origin.record!, schema: 2, term: 9 };
  const exported = watch(tabs[1]!.exportSession());
  await pass(1_000);
  expect([exported.outcome(), origin.record.ended]).toEqual(['ERR_UNSUPPORTED', undefined]);
});
