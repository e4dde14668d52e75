// The monitor, in real tabs: whichever tab it lives in, it counts the whole origin, each thing once.
import type { Monitor } from 'one-refresh/monitor';
import { alone } from './harness/alone.js';
import { everyTab, expectInEveryTab, get, getInTurn, getTogether, signIn } from './harness/ask.js';
import { expect, PATIENT_MS, test, type Tab } from './fixtures.js';

declare global {
  interface Window {
    monitors: Monitor[];
    alerts: number[];
  }
}

test.use({ tabOptions: { proactive: 'never' } });

const force = { forceRefresh: true };
const metricsOf = (tab: Tab, n = 0) => tab.evaluate((n) => window.monitors[n]!.getMetrics(), n);

async function watch(tab: Tab, count = 1): Promise<void> {
  await tab.evaluate((count) => {
    window.alerts = [];
    window.monitors = Array.from({ length: count }, () =>
      window.lab.createMonitor(window.lab.coordinator, {
        conflictRateThreshold: 0.2,
        onAlert: ({ conflictRate }) => window.alerts.push(conflictRate),
      }),
    );
  }, count);
}

test(
  'each tab’s monitor counts every refresh of all once',
  { tag: ['@core', '@smoke'] },
  async ({ server, newTabs }) => {
    const tabs = await newTabs(4);
    await Promise.all(tabs.map((tab, n) => watch(tab, n === 0 ? 2 : 1)));
    await signIn(tabs);
    await getInTurn(tabs);
    await getTogether(server, tabs);
    await expectInEveryTab(tabs, { refreshStatus: 'idle' });

    const attempts = server.log.refreshes().length;
    expect(attempts).toBe(5);
    const all = { attempts, successes: attempts, conflicts: 0, conflictRate: 0, sessionsLost: 0 };
    for (const tab of tabs) await expect.poll(() => metricsOf(tab)).toMatchObject(all);
    expect(await metricsOf(tabs[0]!, 1), 'a second monitor in a tab').toMatchObject(all);

    const { latency, failovers } = await metricsOf(tabs[0]!);
    expect(latency.p50).toBeGreaterThan(0);
    expect(latency.p95).toBeGreaterThanOrEqual(latency.p50!);
    expect(latency.p99).toBeGreaterThanOrEqual(latency.p95!);
    // The tab that refreshes leads, and they took turns.
    expect(failovers).toBeGreaterThanOrEqual(3);
    for (const tab of tabs) expect((await metricsOf(tab)).failovers).toBe(failovers);
  },
);

test('a doubt, its recovery and a loss are told everywhere', async ({ server, newTabs }) => {
  const tabs = await newTabs(3);
  const [asking, other, third] = tabs as [Tab, Tab, Tab];
  await everyTab(tabs, (tab) => watch(tab));
  await signIn(tabs);

  // Nothing was spent; nobody but the server knows that.
  server.faults.add({ instead: { status: 502 } });
  await get(asking, force);
  for (const tab of tabs) {
    await expect
      .poll(() => metricsOf(tab))
      .toMatchObject({ attempts: 2, failures: 1, inDoubt: 1, inDoubtRecoveries: 1, conflicts: 0 });
  }
  expect(server.log.refreshes()).toHaveLength(2);
  expect(await other.evaluate(() => window.alerts)).toEqual([]);

  // Rotated, and nobody heard of it: a strict server ends the session at the next attempt.
  server.faults.add({ afterwards: { status: 502 } });
  await get(asking, force);
  await expectInEveryTab(tabs, { status: 'reauth-required' });
  for (const tab of tabs) {
    await expect
      .poll(() => metricsOf(tab))
      .toMatchObject({ attempts: 4, conflicts: 1, conflictRate: 0.25, inDoubt: 2, sessionsLost: 1 });
    expect(await tab.evaluate(() => window.alerts)).toEqual([0.25]);
  }

  expect(server.log.refreshes()).toHaveLength(4);

  const log = await third.evaluate(() => window.monitors[0]!.exportLog());
  const count = (type: string) => log.filter((entry) => (entry as { type: string }).type === type).length;
  expect({ doubts: count('in-doubt'), conflicts: count('conflict'), lost: count('session-lost') }).toEqual({
    doubts: 2,
    conflicts: 1,
    lost: 1,
  });
  const names = await third.evaluate(() => {
    const { sessionId, version } = window.lab.coordinator.getSnapshot();
    return { sessionId: sessionId ?? '', version };
  });
  expect(JSON.stringify(log), 'no token, and no whole name of a session').not.toMatch(/eyJ|token/);
  expect(JSON.stringify(log)).not.toContain(names.sessionId);

  await third.evaluate(() => window.monitors[0]!.close());
  await watch(third);
  expect(await third.evaluate(() => window.monitors[0]!.exportLog()), 'in IndexedDB').toEqual(log);
});

test.extend({ partition: alone })(
  'what the refresh worker does is counted as well',
  async ({ server, newTabs }) => {
    const tabs = await newTabs(2, { worker: 'beside', leaderTimeoutMs: PATIENT_MS });
    await everyTab(tabs, (tab) => watch(tab));
    await signIn(tabs);
    await tabs[0]!.evaluate(async () => {
      const installed = async () => {
        const [registration] = await navigator.serviceWorker.getRegistrations();
        return registration?.active?.state === 'activated';
      };
      while (!(await installed())) await new Promise((resolve) => setTimeout(resolve, 20));
    });
    await getInTurn(tabs);
    expect(server.log.refreshes().map(({ debug }) => debug['x_tab'])).toEqual(['worker', 'worker']);
    for (const tab of tabs) {
      await expect.poll(() => metricsOf(tab)).toMatchObject({ attempts: 2, successes: 2, conflicts: 0 });
    }
  },
);
