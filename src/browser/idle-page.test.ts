// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Origin, pass } from '../../test/support/tabs.js';
import type { CoordinatorEvent } from '../core/types.js';
import { guardPage } from './idle-page.js';

const KEY = 'one-refresh:shop:idle';

beforeEach(() => {
  localStorage.clear();
  vi.useFakeTimers({
    now: Date.UTC(2030, 0, 1),
    toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

async function page() {
  const tab = new Origin().open({ refresh: async () => ({ access_token: 'b' }), proactive: 'never' });
  await Promise.all([tab.setSession({ access_token: 'a', expires_in: 3_600 }), pass(100)]);
  const told: CoordinatorEvent[] = [];
  const idle = { timeoutMs: 600_000, warnBeforeMs: 60_000 };
  const guarding = guardPage('shop', idle, tab, (_, event) => void told.push(event));
  await pass(10);
  return { tab: await guarding, told };
}

function writtenAt(): number {
  return (JSON.parse(localStorage.getItem(KEY) ?? '{}') as { at: number }).at;
}

test.each(['pointerdown', 'pointermove', 'keydown', 'wheel', 'scroll', 'touchmove'])(
  '%s is activity, and keeps the session',
  async (type) => {
    const { tab, told } = await page();
    await pass(300_000);
    const now = Date.now();
    dispatchEvent(new Event(type));
    await pass(1_000);
    expect(writtenAt()).toBe(now);
    await pass(529_000);
    expect([tab.getSnapshot().status, told]).toEqual(['signed-in', []]);
    await pass(15_000);
    expect(told).toMatchObject([{ type: 'session-ending', reason: 'idle' }]);
    await pass(60_000);
    expect(tab.getSnapshot().status).toBe('signed-out');
    await tab.close();
  },
);

test("reads another tab's activity, and writes before the page goes", async () => {
  const { tab } = await page();
  await pass(300_000);
  localStorage.setItem(KEY, JSON.stringify({ at: Date.now(), written: Date.now() }));
  dispatchEvent(new Event('keydown'));
  await pass(10_000);
  dispatchEvent(new Event('keydown'));
  expect(writtenAt()).toBe(Date.now() - 10_000);
  dispatchEvent(new Event('pagehide'));
  expect(writtenAt()).toBe(Date.now());
  await pass(599_000);
  expect(tab.getSnapshot().status).toBe('signed-in');
  await tab.close();
});

test.each(['not JSON', 'null', '{"at":"x"}'])('ignores %s in localStorage', async (text) => {
  localStorage.setItem(KEY, text);
  const { tab } = await page();
  expect(tab.getSnapshot().status).toBe('signed-in');
  expect(writtenAt()).toBeLessThanOrEqual(Date.now());
  await tab.close();
});

test('a leaving page that cannot read goes quietly', async () => {
  const kept = new Map<string, string>();
  let canRead = true;
  const getItem = vi.fn<(key: string) => string | null>((key) => {
    if (!canRead) throw new Error('NS_ERROR_FAILURE');
    return kept.get(key) ?? null;
  });
  vi.stubGlobal('localStorage', { getItem, setItem: (key: string, text: string) => kept.set(key, text) });
  const { tab } = await page();
  const failed = vi.fn<(event: Event) => void>((event) => event.preventDefault());
  addEventListener('error', failed);
  getItem.mockClear();
  canRead = false;
  expect(() => dispatchEvent(new Event('pagehide'))).not.toThrow();
  expect(failed).not.toHaveBeenCalled();
  expect(getItem).toHaveBeenCalled();
  removeEventListener('error', failed);
  await tab.close();
  vi.unstubAllGlobals();
});
