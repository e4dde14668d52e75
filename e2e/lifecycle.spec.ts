// Events of pages while nobody looks: the back/forward cache, other tabs' doings meanwhile, clocks that jump, storage that is wiped,
// a main thread that hangs, a copy of the tab. In every engine; events of Chromium alone are in lifecycle-chromium.spec.ts.
import {
  everyTab,
  expectInEveryTab,
  expectPeace,
  get,
  getTogether,
  putClocksForward,
  signIn,
  snapshotOf,
  startGet,
} from './harness/ask.js';
import { before } from './harness/before-page.js';
import { expect, pageOf, PATIENT_MS, test as base, type LabServer, type Tab } from './fixtures.js';
import { nativePartition } from './harness/native-partition.js';

/** Pages stay out of the cache of a Chromium that Playwright has started. */
const test = base.extend({ partition: nativePartition });

const hour = 3_600_000;
const alice = expect.objectContaining({ subject: 'alice' });
const tokenIdOf = (answer: Awaited<ReturnType<typeof get>>) =>
  'tokenId' in answer ? answer.tokenId : answer;

const restored = (tab: Tab) => tab.evaluate(() => window.lab.returns);

test.describe('the back/forward cache', () => {
  test.use({ tabOptions: { proactive: 'never' } });

  test(
    'keeps the page, and its token after the return',
    { tag: ['@core', '@smoke'] },
    async ({ server, newTabs }) => {
      const tabs = await newTabs(2);
      const [tab] = tabs as [Tab];
      await signIn(tabs);
      const token = tokenIdOf(await get(tab, { forceRefresh: true }));
      await expectInEveryTab(tabs, { version: 2 });
      for (let round = 1; round <= 2; round++) {
        await tab.leave();
        await tab.comeBack();
        expect(await restored(tab)).toEqual(Array.from({ length: round }, () => true));
        expect(tokenIdOf(await get(tab))).toBe(token);
      }
      await get(tab, { forceRefresh: true });
      await expectInEveryTab(tabs, { version: 3 });
      expectPeace(server, 2);
    },
  );

  test('keeps the page while another tab refreshes', { tag: '@engines' }, async ({ server, newTabs }) => {
    const tabs = await newTabs(2);
    const [tab, other] = tabs as [Tab, Tab];
    await signIn(tabs);
    await tab.leave();
    const token = tokenIdOf(await get(other, { forceRefresh: true }));
    await tab.comeBack();
    expect(await restored(tab)).toEqual([true]);
    await expectInEveryTab(tabs, { version: 2 });
    expect(tokenIdOf(await get(tab))).toBe(token);
    expectPeace(server, 1);
  });

  test('keeps the page while another tab signs out', async ({ newTabs }) => {
    const tabs = await newTabs(2);
    const [tab, other] = tabs as [Tab, Tab];
    await signIn(tabs);
    await tab.leave();
    await other.evaluate(() => window.lab.coordinator.signOut());
    await tab.comeBack();
    expect(await restored(tab)).toEqual([true]);
    await expectInEveryTab(tabs, { status: 'signed-out' });
    expect(await get(tab)).toMatchObject({ code: 'ERR_SIGNED_OUT' });
  });

  test('keeps the page while another user signs in', async ({ newTabs }) => {
    const tabs = await newTabs(2);
    const [tab, other] = tabs as [Tab, Tab];
    await signIn(tabs);
    await tab.leave();
    await signIn([other], 'bob');
    await tab.comeBack();
    expect(await restored(tab)).toEqual([true]);
    await expectInEveryTab(tabs, { status: 'signed-in', subject: 'bob', version: 1 });
    expect(await get(tab)).toMatchObject({ subject: 'bob' });
  });

  test('keeps the last tab, which comes back as leader', async ({ server, newTab }) => {
    const tab = await newTab();
    await signIn([tab]);
    await tab.leave();
    await tab.comeBack();
    expect(await restored(tab)).toEqual([true]);
    await expectInEveryTab([tab], { status: 'signed-in', role: 'leader', version: 1 });
    expect(await get(tab, { forceRefresh: true })).toEqual(alice);
    expectPeace(server, 1);
  });

  test.describe('a page that goes with its request on the wire', () => {
    test.use({ serverOptions: { forgiveReplayForMs: PATIENT_MS } });

    test('another tab carries on; both end with one pair', async ({ server, newTab }) => {
      // The page goes before its own limit, however long that takes.
      const tab = await newTab({ refreshTimeoutMs: PATIENT_MS });
      const other = await newTab({ refreshTimeoutMs: 3_000 });
      const tabs = [tab, other];
      await signIn(tabs);
      const request = server.faults.hold('after');
      await tab.evaluate(() => void window.lab.get({ forceRefresh: true }));
      await request.arrived;
      await tab.leave();
      request.release();
      expect(await get(other, { forceRefresh: true, timeoutMs: PATIENT_MS })).toEqual(alice);
      await tab.comeBack();
      const { version } = await snapshotOf(other);
      await expectInEveryTab(tabs, { status: 'signed-in', version });
      // Nothing was lost, and nothing was asked of the server but once more what was lost.
      const decided = server.log.refreshes().filter((entry) => entry.replayed === undefined);
      expect(decided.map((entry) => entry.decided?.status)).toEqual(decided.map(() => 200));
      expect(new Set(decided.map((entry) => entry.spent)).size).toBe(version - 1);
    });
  });
});

test.describe('the wall clock jumps', () => {
  test.use({ tabOptions: { proactive: 'never', ...before('clock') } });

  test('forward: one refresh, and its token works', { tag: '@core' }, async ({ server, newTabs }) => {
    const tabs = await newTabs(3);
    await signIn(tabs);
    await putClocksForward(tabs, 24 * hour);
    const request = server.faults.hold('before');
    const answered = await startGet(tabs, {});
    request.release();
    const answers = await answered();
    expect(answers).toEqual(tabs.map(() => alice));
    await expectInEveryTab(tabs, { version: 2 });
    expect((await everyTab(tabs, (tab) => get(tab))).map(tokenIdOf)).toEqual(answers.map(tokenIdOf));
    expectPeace(server, 1);
  });

  test('back: no refresh', async ({ server, newTabs }) => {
    const tabs = await newTabs(3);
    await signIn(tabs);
    await putClocksForward(tabs, -hour);
    expect(await everyTab(tabs, (tab) => get(tab))).toEqual(tabs.map(() => alice));
    await expectInEveryTab(tabs, { status: 'signed-in', version: 1 });
    expectPeace(server, 0);
  });

  test('in one tab only, an hour ahead: others stay', async ({ server, newTabs }) => {
    const tabs = await newTabs(3);
    const [tab] = tabs as [Tab];
    await signIn(tabs);
    await putClocksForward([tab], hour);
    expect(await everyTab(tabs, (each) => get(each))).toEqual(tabs.map(() => alice));
    // The token it has just received counts from now, whatever its clock says; the others have it as well.
    for (let i = 0; i < 3; i++)
      expect(await everyTab(tabs, (each) => get(each))).toEqual(tabs.map(() => alice));
    await expectInEveryTab(tabs, { version: 2 });
    expectPeace(server, 1);
  });
});

test.describe('storage is wiped under living tabs', () => {
  test.use({ tabOptions: { proactive: 'never' } });

  test(
    'IndexedDB deleted: the tabs store the session again',
    { tag: '@core' },
    async ({ server, newTab, newTabs }) => {
      const tabs = await newTabs(2);
      await signIn(tabs);
      await tabs[0]?.evaluate(
        () =>
          new Promise<void>((resolve, reject) => {
            const request = indexedDB.deleteDatabase('one-refresh');
            request.addEventListener('success', () => resolve());
            request.addEventListener('error', () => reject(request.error ?? new Error('Not deleted')));
          }),
      );
      expect(await get(tabs[1] as Tab, { forceRefresh: true })).toEqual(alice);
      await expectInEveryTab(tabs, { status: 'signed-in', storage: 'indexeddb', version: 2 });
      await expect.poll(() => tabs[0]?.evaluate(() => window.lab.readRecord())).toMatchObject({ version: 2 });
      const later = await newTab();
      expect(await get(later)).toEqual(alice);
      expectPeace(server, 1);
    },
  );

  test('Clear-Site-Data: no token is spent twice', async ({ server, newTabs }) => {
    const tabs = await newTabs(2);
    await signIn(tabs);
    await tabs[0]?.evaluate(async () => void (await fetch('/__lab/clear')));
    expect(await getTogether(server, tabs)).toEqual(tabs.map(() => alice));
    const { version } = await snapshotOf(tabs[0] as Tab);
    await expectInEveryTab(tabs, { status: 'signed-in', version });
    expectPeace(server, version - 1);
    await signIn(tabs, 'bob');
    expect(await everyTab(tabs, (tab) => get(tab))).toEqual(
      tabs.map(() => expect.objectContaining({ subject: 'bob' })),
    );
  });
});

/** Its main thread is busy for so long, as soon as the request has arrived at the server: no driver could tell it that in time. */
async function hangAfterSending(server: LabServer, tab: Tab, ms: number): Promise<void> {
  const isHung = () => server.greetings.some((greeting) => greeting.said === 'hung');
  server.order(
    tab.id,
    // The last word before the silence.
    `navigator.sendBeacon('/__lab/greetings', JSON.stringify({ tab: lab.tab, prerendering: false, said: 'hung' }));
    setTimeout(() => {
      for (const end = performance.now() + ${ms}; performance.now() < end; );
    });`,
  );
  await expect.poll(isHung, { intervals: [20] }).toBe(true);
}

test.describe('the refreshing tab hangs', () => {
  /** The tab that hangs does so before its own limit, however busy the machine is. */
  const hanging = { proactive: 'never', refreshTimeoutMs: PATIENT_MS, ...before('followOrders') };

  test('another tab takes over; when it wakes, both agree', async ({ server, newTab }) => {
    server.settings.forgiveReplayForMs = PATIENT_MS;
    const tab = await newTab(hanging);
    const other = await newTab({ proactive: 'never', refreshTimeoutMs: 3_000 });
    await signIn([tab, other]);
    const request = server.faults.hold('after');
    await tab.evaluate(() => void window.lab.get({ forceRefresh: true }));
    await request.arrived;
    const answer = await startGet([other], { forceRefresh: true, timeoutMs: PATIENT_MS });
    const hangsAt = Date.now();
    await hangAfterSending(server, tab, 15_000);
    request.release();
    expect(await answer()).toEqual([alice]);
    // By its own word: on its way out of a browser one of whose tabs hangs a request may lose seconds.
    for (const type of ['takeover', 'refresh-started']) {
      const event = () => server.events.find((one) => one.type === type && one.tab === other.id);
      await expect.poll(event).toBeDefined();
      expect(event()!.at - hangsAt, `${type}: it did not wait for the other one to wake`).toBeLessThan(
        15_000,
      );
    }
    await expectInEveryTab([tab, other], { status: 'signed-in', version: 2 });
    expect(new Set(server.log.refreshes().map((entry) => entry.spent)).size).toBe(1);
    expect(server.log.refreshes().map((entry) => entry.replayed ?? false)).toEqual([false, true]);
  });

  test(
    'a hidden tab with default limits is served in time',
    { tag: '@engines' },
    async ({ server, newTab }) => {
      const T = 5_000;
      const R = Math.min(T, 5_000);
      const tab = await newTab({ ...hanging, ...before('followOrders', 'clock') });
      const hidden = await newTab({ refreshTimeoutMs: T, ...before('clock') }, { hidden: true });
      expect(await hidden.evaluate(() => document.visibilityState)).toBe('hidden');
      await signIn([tab, hidden]);
      await putClocksForward([tab, hidden], hour);

      const request = server.faults.hold('before');
      await tab.evaluate(() => void window.lab.get());
      await request.arrived;
      await hangAfterSending(server, tab, 2 * (T + R));
      const answer = await get(hidden);
      expect(answer).toEqual(alice);
      expect(answer.ms).toBeLessThan(T + R + 5_000);
      request.drop();

      await expectInEveryTab([tab, hidden], { status: 'signed-in', version: 2 });
      const told = (type: string) => server.events.filter((event) => event.type === type);
      expect(told('takeover').map((event) => event.tab)).toEqual([hidden.id]);
      expect([...told('reauth-required'), ...told('signed-out')]).toEqual([]);
      const requests = server.log.refreshes();
      expect(requests.map((entry) => entry.debug['x_tab'])).toEqual([tab.id, hidden.id]);
      expect(requests.map((entry) => entry.decided?.status)).toEqual([undefined, 200]);
    },
  );
});

test('a duplicated tab is a participant of its own', { tag: '@page' }, async ({ server, newTab }) => {
  const tab = await newTab({ proactive: 'never' });
  await signIn([tab]);
  const page = pageOf(tab);
  const [copy] = await Promise.all([
    page.context().waitForEvent('page'),
    tab.evaluate(() => void window.open(location.href)),
  ]);
  // Asked anew each time: `waitForFunction` begins in the blank document that a new window starts with, and in Firefox may never notice
  // the page that follows (4 of about 150 windows, whose page was there and drew its frames).
  await expect(async () => expect(await copy.evaluate(() => 'lab' in window)).toBe(true)).toPass({
    intervals: [50],
  });
  const answers = await Promise.all([
    get(tab, { forceRefresh: true }),
    copy.evaluate(() => window.lab.get({ forceRefresh: true })),
  ]);
  expect(answers).toEqual([alice, alice]);
  const roles = () =>
    Promise.all([
      tab.evaluate(() => window.lab.coordinator.getSnapshot().role),
      copy.evaluate(() => window.lab.coordinator.getSnapshot().role),
    ]);
  await expect.poll(async () => (await roles()).sort()).toEqual(['follower', 'leader']);
  const requests = server.log.refreshes();
  // One, or, if the driver asked the second page after the first had its answer, one each.
  expectPeace(server, requests.length);
  expect(requests.length).toBeLessThanOrEqual(2);
});
