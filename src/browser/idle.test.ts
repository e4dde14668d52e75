import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Origin, pass, watch, type Tab } from '../../test/support/tabs.js';
import { lazyIdle } from './lazy-idle.js';
// Loaded before the clock stands still; the coordinator loads it by itself.
import '../export-session.js';
import { guardIdle, type Activity, type IdlePorts } from './idle.js';
import type { CoordinatorEvent } from '../core/types.js';
import { checkOptions } from '../options.js';
import type { IdleOptions, TokenCoordinator } from '../types.js';

const MINUTE = 60_000;

beforeEach(() => {
  vi.stubGlobal('document', {});
  vi.useFakeTimers({
    now: Date.UTC(2030, 0, 1),
    toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'],
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Tabs that share what an origin's `localStorage` holds. */
async function world(count: number, idle: IdleOptions = { timeoutMs: 15 * MINUTE }, lagMs = 0) {
  const origin = new Origin();
  const shared = { writes: [] as number[], busy: false };
  const written: { by: object; at: number; activity: Activity }[] = [];
  const refreshes: number[] = [];
  const refresh = async () => {
    refreshes.push(Date.now());
    return { access_token: `access-${refreshes.length + 1}`, refresh_token: 'r', expires_in: 300 };
  };
  function open() {
    const tab = origin.open({ refresh, proactive: 'always' });
    const warnings: CoordinatorEvent[] = [];
    const page = { visible: true, active: () => {}, woken: () => {}, leaving: () => {} };
    const ports: IdlePorts = {
      // Other processes see a write some time later.
      read: () => written.findLast(({ by, at }) => by === page || at + lagMs <= Date.now())?.activity,
      write: (activity) => {
        written.push({ by: page, at: Date.now(), activity });
        shared.writes.push(Date.now());
      },
      isVisible: () => page.visible,
      listen(active, woken, leaving) {
        Object.assign(page, { active, woken, leaving });
        return () => Object.assign(page, { active: () => {}, woken: () => {}, leaving: () => {} });
      },
      async alone(work) {
        if (shared.busy) return;
        shared.busy = true;
        await work().finally(() => (shared.busy = false));
      },
    };
    const guard = lazyIdle({ name: 'test', refresh, idle }, async () => ({
      guardPage: (_name, given, coordinator, notify) => guardIdle(given, coordinator, notify, ports),
    }));
    const guarded: TokenCoordinator = guard!(tab, (_, event) => void warnings.push(event));
    return { ...guarded, tab, page, warnings };
  }
  const tabs = Array.from({ length: count }, open);
  await pass(1_000);
  await Promise.all([
    tabs[0]!.setSession({ access_token: 'access-1', refresh_token: 'r', expires_in: 300 }),
    pass(100),
  ]);
  return { origin, tabs, open, shared, refreshes, begun: Date.now() };
}

type Opened = Awaited<ReturnType<typeof world>>['tabs'];
const statuses = (tabs: Opened): string[] => tabs.map((tab) => tab.getSnapshot().status);
const warned = (tabs: Opened): CoordinatorEvent[] => tabs.flatMap((tab) => tab.warnings);

describe('the idle time-out', () => {
  test('signs every tab out after no activity in any', async () => {
    const { tabs, refreshes } = await world(3);
    await pass(15 * MINUTE - 1_000);
    expect(statuses(tabs)).toEqual(['signed-in', 'signed-in', 'signed-in']);
    expect(refreshes.length).toBeGreaterThan(2);
    await pass(1_000);
    expect(statuses(tabs)).toEqual(['signed-out', 'signed-out', 'signed-out']);
  });

  test('counts what happens in any tab, to the second', async () => {
    const { tabs } = await world(3);
    await pass(10 * MINUTE);
    tabs[2]!.page.active();
    await pass(10_000);
    tabs[2]!.page.active();
    await pass(15 * MINUTE - 1_000);
    expect(statuses(tabs)[0]).toBe('signed-in');
    await pass(1_100);
    expect(statuses(tabs)).toEqual(['signed-out', 'signed-out', 'signed-out']);
  });

  test('costs one write a minute for the origin, no message', async () => {
    const { tabs, shared, origin } = await world(4);
    await pass(5_000);
    const [writes, messages] = [shared.writes.length, origin.messages.length];
    for (let n = 0; n < 10 * 60; n++) {
      for (const tab of tabs) for (let m = 0; m < 5; m++) tab.page.active();
      await pass(1_000);
    }
    const made = shared.writes.slice(writes);
    expect(made.length).toBeLessThanOrEqual(10);
    expect(Math.min(...made.slice(1).map((at, n) => at - made[n]!))).toBeGreaterThanOrEqual(MINUTE);
    const more = origin.messages.slice(messages).map(({ type }) => type);
    expect(more.every((type) => type === 'pair')).toBe(true);
  });

  test('costs the same where tabs read each other late', async () => {
    const { tabs, shared } = await world(3, { timeoutMs: 15 * MINUTE }, 100);
    await pass(5_000);
    const writes = shared.writes.length;
    for (let n = 0; n < 10 * 6; n++) {
      for (const tab of tabs) tab.page.active();
      await pass(10_000);
    }
    const made = shared.writes.slice(writes);
    expect(made.length).toBeGreaterThan(5);
    expect(Math.min(...made.slice(1).map((at, n) => at - made[n]!))).toBeGreaterThanOrEqual(MINUTE);
  });

  test.each([600, 1_050])('a tab that comes %d ms later does not write', async (laterMs) => {
    const { tabs, shared } = await world(2, { timeoutMs: 15 * MINUTE }, 800);
    await pass(2 * MINUTE);
    const writes = shared.writes.length;
    tabs[0]!.page.active();
    await pass(laterMs);
    tabs[1]!.page.active();
    await pass(10_000);
    expect(shared.writes.length - writes).toBe(1);
  });

  test('activity at the moment of the warning is written soon', async () => {
    const { tabs } = await world(2, { timeoutMs: 15 * MINUTE, warnBeforeMs: 30_000 });
    await pass(14.5 * MINUTE);
    expect(warned(tabs)).toHaveLength(1);
    // The tab that warned still holds the lock.
    tabs[1]!.page.active();
    await pass(MINUTE);
    expect(statuses(tabs)).toEqual(['signed-in', 'signed-in']);
  });

  test('activity is written although a stopped tab has the lock', async () => {
    const { tabs, shared } = await world(2);
    await pass(5 * MINUTE);
    shared.busy = true;
    tabs[1]!.page.active();
    await pass(14 * MINUTE);
    expect(statuses(tabs)).toEqual(['signed-in', 'signed-in']);
  });

  test('has a timer in visible tabs and the leader only', async () => {
    const { tabs } = await world(4);
    for (const { tab, page } of tabs) {
      page.visible = false;
      tab.lifecycle('hidden');
    }
    await pass(20 * MINUTE);
    expect(statuses(tabs)).toEqual(tabs.map(() => 'signed-out'));
    expect(warned(tabs)).toHaveLength(1);
  });
});

describe('session-ending', () => {
  test('warns in one tab, as far ahead as asked for', async () => {
    const { tabs, begun } = await world(3, { timeoutMs: 10 * MINUTE, warnBeforeMs: MINUTE });
    await pass(10 * MINUTE - 1_000);
    const [warning, ...more] = warned(tabs);
    expect(more).toEqual([]);
    expect(warning).toMatchObject({ type: 'session-ending', reason: 'idle' });
    expect(warning!.endsAt! - begun - 10 * MINUTE).toBeLessThan(200);
    expect(warning!.endsAt! - warning!.at).toBe(MINUTE);
  });

  test('comes in a visible tab, where the leader is hidden', async () => {
    const { tabs } = await world(2);
    tabs[0]!.page.visible = false;
    await pass(15 * MINUTE - 1_000);
    expect(tabs.map((tab) => tab.warnings.length)).toEqual([0, 1]);
  });

  test('comes again after activity', async () => {
    const { tabs } = await world(2);
    await pass(14 * MINUTE);
    expect(warned(tabs)).toHaveLength(1);
    tabs[1]!.page.active();
    await pass(5 * MINUTE);
    expect(statuses(tabs)).toEqual(['signed-in', 'signed-in']);
    await pass(9 * MINUTE);
    expect(warned(tabs)).toHaveLength(2);
  });
});

describe('a tab that stood still past the end', () => {
  test.each(['getAccessToken', 'getAuthorizationHeaders'] as const)(
    'hands nothing out: %s',
    async (method) => {
      const { tabs } = await world(2);
      vi.setSystemTime(Date.now() + 60 * MINUTE);
      const call = watch<unknown>(tabs[1]![method]({ url: 'https://api.test' }));
      await pass(100);
      expect(call.outcome()).toBe('ERR_SIGNED_OUT');
      expect(statuses(tabs)).toEqual(['signed-out', 'signed-out']);
    },
  );

  test('nor to a call that waited meanwhile', async () => {
    const { tabs } = await world(2);
    // (The leader: nothing else makes it look at the time.)
    const call = watch(tabs[0]!.getAccessToken({ forceRefresh: true }));
    await pass(0);
    vi.setSystemTime(Date.now() + 60 * MINUTE);
    await pass(1_000);
    expect(call.outcome()).toBe('ERR_SIGNED_OUT');
  });

  test('nor at a look', async () => {
    const { tabs } = await world(2);
    expect(tabs[1]!.peekAccessToken()).toBe('access-1');
    vi.setSystemTime(Date.now() + 60 * MINUTE);
    expect([tabs[1]!.peekAccessToken(), tabs[1]!.peekIdToken()]).toEqual([undefined, undefined]);
  });

  test('signs out when it wakes; waking is no activity', async () => {
    const { tabs, open } = await world(2);
    vi.setSystemTime(Date.now() + 60 * MINUTE);
    tabs[1]!.page.active();
    await pass(100);
    expect(statuses(tabs)).toEqual(['signed-out', 'signed-out']);
    const late = open();
    await pass(1_000);
    expect(late.getSnapshot().status).toBe('signed-out');
  });

  test('a page that opens too late finds nobody signed in', async () => {
    const { tabs, open } = await world(1);
    await tabs[0]!.close();
    tabs[0]!.tab.kill();
    await pass(20 * MINUTE);
    const late = open();
    const call = watch(late.getAccessToken());
    let status = '';
    void late.ready.then(() => (status = late.getSnapshot().status));
    await pass(1_000);
    expect([call.outcome(), status]).toEqual(['ERR_SIGNED_OUT', 'signed-out']);
  });
});

test('a sign-in after the end counts as activity', async () => {
  const { tabs } = await world(2);
  await pass(20 * MINUTE);
  await Promise.all([tabs[1]!.setSession({ access_token: 'next', expires_in: 300 }), pass(100)]);
  const call = watch(tabs[0]!.getAccessToken());
  await pass(100);
  expect(call.outcome()).toBe('next');
});

test.each(['60000', NaN, Infinity, 0, null])('a time-out of %j is refused', (timeoutMs) => {
  const options = { name: 'test', refresh: async () => ({ access_token: 'a' }), idle: { timeoutMs } };
  expect(() => checkOptions(options as never)).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIGURATION' }) as Error,
  );
});

test('where its module cannot load, no token is handed out', async () => {
  const origin = new Origin();
  const tab: Tab = origin.open({ refresh: async () => ({ access_token: 'a' }) });
  await pass(1_000);
  await Promise.all([tab.setSession({ access_token: 'access-1' }), pass(100)]);
  const options = { name: 'test', refresh: async () => ({ access_token: 'a' }), idle: { timeoutMs: 60_000 } };
  const guarded = lazyIdle(options, () => Promise.reject(new Error('404')))!(tab, () => {});
  const call = watch(guarded.getAccessToken());
  await pass(100);
  expect([call.outcome(), guarded.peekAccessToken()]).toEqual(['ERR_UNSUPPORTED', undefined]);
});

test('the last activity of a page that goes counts', async () => {
  const { tabs } = await world(2);
  await pass(10 * MINUTE);
  tabs[1]!.page.active();
  await pass(10_000);
  tabs[1]!.page.active();
  tabs[1]!.page.leaving();
  await tabs[1]!.close();
  await pass(15 * MINUTE - 1_000);
  expect(tabs[0]!.getSnapshot().status).toBe('signed-in');
  await pass(1_100);
  expect(tabs[0]!.getSnapshot().status).toBe('signed-out');
});

test('exports the session once, however long that took', async () => {
  const { tabs } = await world(2);
  const exported = watch(tabs[1]!.exportSession());
  await pass(0);
  vi.setSystemTime(Date.now() + 60 * MINUTE);
  await pass(1_000);
  expect(exported.outcome()).toMatchObject({ access_token: 'access-1' });
});

test('a worker sees no user, and has no time-out', () => {
  vi.unstubAllGlobals();
  const options = { name: 'test', refresh: async () => ({ access_token: 'a' }), idle: { timeoutMs: 60_000 } };
  expect(lazyIdle(options)).toBeUndefined();
});
