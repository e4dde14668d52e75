// Only Chromium does this to pages, or only its driver can ask for it: freezing, throttling. (Prerendering: prerender.spec.ts.)
import {
  everyTab,
  expectInEveryTab,
  expectOneLeader,
  expectPeace,
  get,
  getTogether,
  signIn,
  startGet,
} from './harness/ask.js';
import { nativePartition } from './harness/native-partition.js';
import { expect, pageOf, PATIENT_MS, test as base, type Tab } from './fixtures.js';

const test = base.extend({ partition: nativePartition });

const alice = expect.objectContaining({ subject: 'alice' });

/** Freezes a page as the browser does with one in the background; returns how to wake it. */
async function freeze(tab: Tab): Promise<() => Promise<void>> {
  const page = pageOf(tab);
  const session = await page.context().newCDPSession(page);
  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  return async () => {
    await session.send('Page.setWebLifecycleState', { state: 'active' });
    await session.detach();
  };
}

test.describe('frozen pages', { tag: '@chromium' }, () => {
  test.use({
    serverOptions: { forgiveReplayForMs: 60_000 },
    tabOptions: { proactive: 'never', refreshTimeoutMs: PATIENT_MS },
  });

  test('the leader is frozen idle: the next need is served', async ({ server, newTabs }) => {
    const tabs = await newTabs(3);
    await signIn(tabs);
    const leader = await expectOneLeader(tabs);
    const others = tabs.filter((tab) => tab !== leader);
    const wake = await freeze(leader);
    expect(await getTogether(server, others)).toEqual(others.map(() => alice));
    await expectInEveryTab(others, { version: 2 });
    const answers = await everyTab(others, (tab) => get(tab));
    await wake();
    await expectInEveryTab(tabs, { version: 2, status: 'signed-in' });
    await expectOneLeader(tabs);
    expect('tokenId' in answers[0]! && answers[0].tokenId).toBeTruthy();
    expectPeace(server, 1);
  });

  test('a waiter is frozen, and has its token on waking', async ({ server, newTabs }) => {
    const tabs = await newTabs(3);
    const [sender, waiter, third] = tabs as [Tab, Tab, Tab];
    await signIn(tabs);
    const request = server.faults.hold('before');
    await sender.evaluate(() => void window.lab.get({ forceRefresh: true }));
    await request.arrived;
    const answer = await startGet([waiter]);
    const wake = await freeze(waiter);
    request.release();
    await expectInEveryTab([sender, third], { version: 2 });
    // Before any lock could be stolen.
    expect(await get(third, { forceRefresh: true })).toEqual(alice);
    await expectInEveryTab([sender, third], { version: 3 });
    await wake();
    expect(await answer()).toEqual([alice]);
    await expectInEveryTab(tabs, { version: 3 });
    expectPeace(server, 2);
  });

  test('the sender is frozen: another takes over, one pair', async ({ server, newTab }) => {
    // The sender is frozen before its own limit, however long that takes.
    const tabs = [await newTab(), await newTab({ refreshTimeoutMs: 3_000 })] as const;
    const [sender, other] = tabs;
    await signIn(tabs);
    const request = server.faults.hold('after');
    await sender.evaluate(() => void window.lab.get({ forceRefresh: true }));
    await request.arrived;
    const wake = await freeze(sender);
    request.release();
    expect(await get(other, { forceRefresh: true, timeoutMs: PATIENT_MS })).toEqual(alice);
    await wake();
    await expectInEveryTab(tabs, { status: 'signed-in', version: 2 });
    expect(server.log.refreshes().map((entry) => entry.replayed ?? false)).toEqual([false, true]);
    expect(await getTogether(server, tabs)).toEqual([alice, alice]);
  });

  test('the sender wakes in time: its answer counts', async ({ server, newTabs }) => {
    const tabs = await newTabs(2);
    const [sender, other] = tabs as [Tab, Tab];
    await signIn(tabs);
    const request = server.faults.hold('after');
    await sender.evaluate(() => void window.lab.get({ forceRefresh: true }));
    await request.arrived;
    const wake = await freeze(sender);
    request.release();
    const answer = await startGet([other]);
    await expect.poll(() => server.log.refreshes()[0]?.sent).toEqual({ status: 200 });
    await wake();
    expect(await answer()).toEqual([alice]);
    await expectInEveryTab(tabs, { version: 2 });
    expectPeace(server, 1);
  });
});

test.describe('hidden pages', { tag: ['@chromium', '@slow'] }, () => {
  // A follower's timer goes off 0.8 to 2 s ahead: a busy machine gets there in time, too.
  test.use({ serverOptions: { accessTokenTtl: 8 }, tabOptions: { refreshBeforeMs: 4_000 } });

  for (const proactive of ['visible', 'always'] as const) {
    test(`a hidden leader with throttled timers, proactive: '${proactive}'`, async ({ server, newTabs }) => {
      const tabs = await newTabs(3, { proactive });
      const [leader] = tabs as [Tab];
      const visible = tabs[2] as Tab;
      await pageOf(visible).bringToFront();
      const states = () => everyTab(tabs, (tab) => tab.evaluate(() => document.visibilityState));
      await expect.poll(states).toEqual(['hidden', 'hidden', 'visible']);
      server.log.subscribe(() => {
        if (server.log.refreshes().length === 3) server.settings.accessTokenTtl = 3600;
      });
      await signIn(tabs);
      await expectInEveryTab([leader], { role: 'leader', version: 1 });
      await expectInEveryTab(tabs, { version: 4 });
      expectPeace(server, 3);
      if (proactive === 'visible') {
        expect(server.log.refreshes().map((entry) => entry.debug['x_tab'])).toEqual(
          server.log.refreshes().map(() => visible.id),
        );
      }
      const shown = await visible.evaluate(() => window.lab.history.map((state) => state.shows));
      expect(shown.slice(shown.indexOf('alice')), 'never without a live token').not.toContain(undefined);
    });
  }
});
