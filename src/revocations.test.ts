import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Origin, pass, watch, type Tab } from '../test/support/tabs.js';
import type { Revocation } from './core/record.js';
import type { TokenCoordinatorOptions } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const DAY_MS = 86_400_000;
const pair = (name: string) => ({
  access_token: `access ${name}`,
  refresh_token: `refresh ${name}`,
  expires_in: 60,
});

/** Tabs of an app whose server can be `down`, or leave a revocation without an answer. */
function app(binding?: string) {
  const revoked: string[] = [];
  const server = { state: 'up' as 'up' | 'down' | 'silent' };
  const options: Pick<TokenCoordinatorOptions, 'refresh' | 'proactive'> = {
    proactive: 'never',
    refresh: {
      binding,
      refresh: async ({ refreshToken }) => pair(`${refreshToken?.replace('refresh ', '')}+`),
      async revoke(token) {
        revoked.push(token);
        if (server.state === 'down') throw new Error('unreachable');
        if (server.state === 'silent') await new Promise(() => {});
      },
    },
  };
  return { options, revoked, server };
}

async function signedIn(subject?: string) {
  const origin = new Origin();
  const { options, revoked, server } = app();
  const tab = origin.open(options);
  await pass(10);
  void tab.setSession(pair('A'), { subject });
  await pass(10);
  return { origin, tab, options, revoked, server };
}

const kept = ({ record }: Origin): readonly Revocation[] =>
  (record as { revocations?: readonly Revocation[] } | undefined)?.revocations ?? [];

/** In the tab's own task: the page may leave at once. */
function signOut(tab: Tab): void {
  void tab.signOut();
}

describe('signing out', () => {
  test('revokes in the same task', async () => {
    const { tab, revoked } = await signedIn();
    signOut(tab);
    expect(revoked).toEqual(['refresh A']);
    await pass(100);
    expect(revoked).toEqual(['refresh A']);
  });

  test('revokes spares, and what only the store has', async () => {
    const { origin, tab, revoked } = await signedIn();
    const record = origin.record!;
    const accessToken = record.accessTokens['']!;
    const spares = [{ refreshToken: 'refresh spare', audience: '', accessToken }];
    origin.record = { ...record, version: 2, refreshToken: 'refresh B', spares };
    signOut(tab);
    await pass(100);
    expect(revoked).toEqual(['refresh A', 'refresh B', 'refresh spare']);
  });

  test('revokes nothing if that is not wanted', async () => {
    const { tab, revoked } = await signedIn();
    void tab.signOut({ revoke: false });
    await pass(100);
    expect(revoked).toEqual([]);
  });
});

test('a client hears in each tab of revocations ahead', async () => {
  const origin = new Origin();
  const told: number[] = [];
  const open = (n: number): Tab =>
    origin.open({
      proactive: 'never',
      refresh: {
        refresh: async () => pair('B'),
        // Its fault is its own.
        prepareRevocation: async () => Promise.reject(new Error(`${told.push(n)}`)),
      },
    });
  const [first] = [open(1), open(2)];
  await pass(50);
  expect(told).toEqual([]);
  void first.setSession(pair('A'));
  await pass(50);
  open(3);
  await pass(50);
  void first.getAccessToken({ forceRefresh: true });
  await pass(50);
  expect(told).toEqual([1, 2, 3]);
});

describe('a sign-in over a living session', () => {
  test('revokes that of another user', async () => {
    const { tab, revoked } = await signedIn('alice');
    void tab.getAccessToken({ forceRefresh: true });
    await pass(50);
    void tab.setSession(pair('B'), { subject: 'bob' });
    await pass(50);
    expect(revoked).toEqual(['refresh A+']);
  });

  test('revokes that of nobody knows whom, which was never refreshed', async () => {
    const { tab, revoked } = await signedIn();
    void tab.setSession(pair('B'));
    await pass(50);
    expect(revoked).toEqual(['refresh A']);
  });

  test('one of the same user waits until its sign-out', async () => {
    const { tab, origin, revoked } = await signedIn('alice');
    void tab.setSession(pair('B'), { subject: 'alice' });
    await pass(50);
    expect(revoked).toEqual([]);
    expect(kept(origin)).toMatchObject([{ token: 'refresh A' }]);
    signOut(tab);
    await pass(100);
    expect(revoked.sort()).toEqual(['refresh A', 'refresh B']);
    expect(kept(origin)).toEqual([]);
  });

  test('does not revoke the refresh token that it was given', async () => {
    const { tab, revoked, origin } = await signedIn();
    void tab.setSession({ ...pair('A'), access_token: 'another' }, { subject: 'bob' });
    await pass(50);
    expect(revoked).toEqual([]);
    expect(kept(origin)).toEqual([]);
  });

  test('leaves that of another binding alone', async () => {
    const origin = new Origin();
    const [a, b] = [app('A'), app('B')];
    void origin.open(a.options).setSession(pair('A'), { subject: 'alice' });
    await pass(50);
    void origin.open(b.options).setSession(pair('B'), { subject: 'bob' });
    await pass(50);
    expect([...a.revoked, ...b.revoked]).toEqual([]);
  });
});

test('a sign-in that lost is revoked', async () => {
  const { tab, revoked } = await signedIn();
  void tab.setSession(pair('B'), { ifSignedOut: true });
  await pass(50);
  expect(revoked).toEqual(['refresh B']);
});

test('a sign-in that lost to a refreshed session waits', async () => {
  const { tab, revoked } = await signedIn();
  void tab.getAccessToken({ forceRefresh: true });
  await pass(50);
  void tab.setSession(pair('A'), { ifSignedOut: true });
  await pass(50);
  expect(revoked).toEqual([]);
  expect(tab.peekAccessToken()).toBe('access A+');
});

describe('a revocation that did not work', () => {
  test('is tried again by the next tab, and then forgotten', async () => {
    const { origin, tab, options, revoked, server } = await signedIn();
    server.state = 'down';
    signOut(tab);
    await pass(100);
    await tab.close();
    expect(origin.record).toMatchObject({ ended: { kind: 'signed-out' } });
    expect(kept(origin)).toMatchObject([{ token: 'refresh A', tries: 1 }]);
    server.state = 'up';
    await pass(2_000);
    origin.open(options);
    await pass(100);
    expect(revoked).toEqual(['refresh A', 'refresh A']);
    expect(kept(origin)).toEqual([]);
  });

  test('is tried again where the page went before the answer', async () => {
    const { origin, tab, options, revoked, server } = await signedIn();
    server.state = 'silent';
    signOut(tab);
    await pass(2);
    tab.kill();
    server.state = 'up';
    await pass(2_000);
    origin.open(options);
    await pass(100);
    expect(revoked).toEqual(['refresh A', 'refresh A']);
    expect(kept(origin)).toEqual([]);
  });

  test('is tried again in the same tab at a wake-up', async () => {
    const { origin, tab, revoked, server } = await signedIn();
    server.state = 'down';
    signOut(tab);
    await pass(2_000);
    server.state = 'up';
    tab.lifecycle('online');
    await pass(100);
    expect(revoked).toEqual(['refresh A', 'refresh A']);
    expect(kept(origin)).toEqual([]);
  });

  test('is tried eight times within a day', async () => {
    const { origin, tab, revoked, server } = await signedIn();
    server.state = 'down';
    signOut(tab);
    for (let minutes = 0; minutes < 23 * 60; minutes += 10) {
      await pass(600_000);
      tab.lifecycle('online');
    }
    expect(revoked).toHaveLength(8);
    expect(kept(origin)).toEqual([]);
  });

  test('is kept for no more than a day', async () => {
    const { origin, tab, options, revoked, server } = await signedIn();
    server.state = 'down';
    signOut(tab);
    await pass(100);
    await tab.close();
    expect(kept(origin)).toHaveLength(1);
    await pass(DAY_MS);
    server.state = 'up';
    origin.open(options);
    await pass(100);
    expect(revoked).toHaveLength(1);
    expect(kept(origin)).toEqual([]);
  });

  test('is kept through the next session', async () => {
    const { origin, tab, revoked, server } = await signedIn();
    server.state = 'down';
    signOut(tab);
    await pass(100);
    void tab.setSession(pair('B'));
    await pass(100);
    expect(kept(origin)).toMatchObject([{ token: 'refresh A' }]);
    server.state = 'up';
    await pass(2_000);
    void tab.getAccessToken({ forceRefresh: true });
    await pass(100);
    expect(revoked).toEqual(['refresh A', 'refresh A']);
    expect(kept(origin)).toEqual([]);
    expect(tab.peekAccessToken()).toBe('access B+');
  });

  test('is left to its own binding', async () => {
    const origin = new Origin();
    const [a, b] = [app('A'), app('B')];
    const tab = origin.open(a.options);
    void tab.setSession(pair('A'));
    await pass(50);
    a.server.state = 'down';
    signOut(tab);
    await pass(100);
    await tab.close();
    const other = origin.open(b.options);
    await pass(2_000);
    void other.setSession(pair('B'));
    await pass(100);
    expect(b.revoked).toEqual([]);
    expect(kept(origin)).toMatchObject([{ token: 'refresh A', binding: 'A' }]);
  });
});

describe('entries of others', () => {
  const planted = (token: unknown) => ({ token, at: Date.now(), tries: 0, next: 0 });

  test('revokes no token that is in use', async () => {
    const { origin, tab, revoked } = await signedIn();
    origin.record = { ...origin.record!, revocations: [planted('refresh A')] } as never;
    tab.lifecycle('online');
    await pass(100);
    expect(revoked).toEqual([]);
    const call = watch(tab.getAccessToken({ forceRefresh: true }));
    await pass(100);
    expect(call.outcome()).toBe('access A+');
  });

  test.each([
    ['no list', 'x'],
    ['no objects', [null, 5, []]],
    ['no tokens', [planted(5), planted(undefined)]],
    [
      'no numbers',
      [
        { ...planted('x'), tries: NaN },
        { ...planted('x'), at: 'y' },
      ],
    ],
    ['too many', Array.from({ length: 100_000 }, (_, n) => planted(`x ${n}`))],
  ])('is read with care: %s', async (_, revocations) => {
    const { origin, tab, revoked } = await signedIn();
    origin.record = { ...origin.record!, revocations } as never;
    tab.lifecycle('online');
    await pass(100);
    void tab.getAccessToken({ forceRefresh: true });
    await pass(100);
    expect(tab.peekAccessToken()).toBe('access A+');
    expect(kept(origin).length).toBeLessThanOrEqual(16);
    expect(revoked.length).toBeLessThanOrEqual(16);
  });
});
