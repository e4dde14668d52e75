// The refresh worker: whatever happens to the tab that asked, or to all of them, the answer is stored. The server forgives nothing here,
// so a lost answer would be a lost session, and one spend too many would be one, too.
import {
  everyTab,
  expectInEveryTab,
  expectOneLeader,
  expectPeace,
  get,
  getAtExpiry,
  signIn,
  snapshotOf,
} from './harness/ask.js';
import { expect, PATIENT_MS, test as base, type LabServer, type Tab } from './fixtures.js';
import { alone } from './harness/alone.js';
import { nativePartition } from './harness/native-partition.js';

const test = base.extend({ partition: alone });

// A worker takes its time to start, and a tab would rightly not wait for it.
test.use({ tabOptions: { worker: 'beside', proactive: 'never', leaderTimeoutMs: PATIENT_MS } });

/** Waits until the worker can be asked, from the next request on. */
async function installed(tab: Tab, path = '/assets/one-refresh-e2e/'): Promise<void> {
  await expect
    .poll(
      () =>
        tab.evaluate(async (path) => {
          const registrations = await navigator.serviceWorker.getRegistrations();
          const worker = registrations.find(({ scope }) => new URL(scope).pathname === path);
          return worker?.active?.state;
        }, path),
      { intervals: [20] },
    )
    .toBe('activated');
}

async function uninstall(tab: Tab): Promise<void> {
  await tab.evaluate(async () => {
    for (const worker of await navigator.serviceWorker.getRegistrations()) await worker.unregister();
  });
}

/** As a user does it, without a word to the page. */
async function reload(tab: Tab): Promise<void> {
  await tab.evaluate(() => {
    document.title = 'before';
    setTimeout(() => location.reload());
  });
  await expect.poll(() => tab.evaluate(() => document.title).catch(() => 'between')).toBe('e2e');
  await tab.ready();
}

function senders(server: LabServer): (string | undefined)[] {
  return server.log.refreshes().map((request) => request.debug['x_tab']);
}

function ask(tab: Tab): Promise<void> {
  return tab.evaluate(() => void window.lab.get({ forceRefresh: true }));
}

/** As if nothing had happened: these tabs have the new pair, and a token without another request. */
async function expectNothingHappened(server: LabServer, tabs: Tab[]): Promise<void> {
  await expectInEveryTab(tabs, { status: 'signed-in', version: 2 });
  expect(await everyTab(tabs, (tab) => get(tab))).toEqual(
    tabs.map(() => expect.objectContaining({ subject: 'alice' })),
  );
  expect(senders(server)).toEqual(['worker']);
  expect(server.log.refreshes().map((request) => request.decided?.status)).toEqual([200]);
  expectPeace(server, 1);
}

const ends: {
  how: string;
  only?: string;
  end: (tab: Tab, kill: (tab: Tab) => Promise<void>) => Promise<void>;
}[] = [
  { how: 'is closed', end: (tab) => tab.close() },
  {
    how: 'reloads',
    end: reload,
  },
  { how: 'goes elsewhere', end: (tab) => tab.evaluate(() => void (location.href = '/config.json')) },
  { how: 'is killed with SIGKILL', only: '@chromium', end: (tab, kill) => kill(tab) },
];

for (const { how, only, end } of ends) {
  for (const count of [3, 1]) {
    const isDaily = count === 1 && (how === 'is closed' || only !== undefined);
    const tag = [only ?? [], isDaily ? [] : '@slow'].flat();
    const who = count === 1 ? 'the only tab' : 'the tab that asked';
    test(
      `${who} ${how} while the answer travels: nothing is lost`,
      { tag },
      async ({ server, newTab, newTabs, kill }) => {
        const tabs = await newTabs(count);
        const [asking, ...others] = tabs as [Tab, ...Tab[]];
        await signIn(tabs);
        await installed(asking);

        const answer = server.faults.hold('after');
        await ask(asking);
        await answer.arrived;
        await end(asking, kill);
        // No event tells that a browser has done all that it does to a worker when a tab goes. If this is too short, the test sees less.
        await new Promise((resolve) => setTimeout(resolve, 500));
        answer.release();

        await expect.poll(() => server.log.refreshes()[0]?.sent).toEqual({ status: 200 });
        await expectNothingHappened(server, others);
        // The leader may have died without a word; the tab that comes last finds out.
        const later = await newTab({ leaderTimeoutMs: 500 });
        await expectNothingHappened(server, [...others, later]);
        await expectOneLeader(how === 'reloads' ? [asking, ...others, later] : [...others, later]);
      },
    );
  }
}

test.describe('at expiry', () => {
  test.use({ serverOptions: { accessTokenTtl: 6 } });

  test('many tabs ask at once: one request, by the worker', async ({ server, newTabs }) => {
    const tabs = await newTabs(5);
    // Whom a tab does not see it does not ask, and each process of a browser learns of it by itself.
    await everyTab(tabs, (tab) => installed(tab));
    await signIn(tabs);
    const answers = await getAtExpiry(server, tabs, 3);
    expect(new Set(answers.map((answer) => 'tokenId' in answer && answer.tokenId)).size).toBe(1);
    await expectInEveryTab(tabs, { version: 2, refreshStatus: 'idle' });
    expect(senders(server)).toEqual(['worker']);
    expectPeace(server, 1);
    await expectOneLeader(tabs);
  });
});

test('a tab refreshes by itself while no worker is there', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  const [tab, other] = tabs as [Tab, Tab];
  await signIn(tabs);
  await installed(tab);
  await uninstall(other);
  // A worker that is not there is not waited for.
  expect(await get(tab, { forceRefresh: true })).toMatchObject({ subject: 'alice' });

  await reload(other);
  await installed(tab);
  expect(await get(tab, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  await expectInEveryTab(tabs, { version: 3 });

  await uninstall(tab);
  expect(await get(other, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  expect(senders(server)).toEqual([tab.id, 'worker', other.id]);
  expectPeace(server, 3);
});

test('the worker is unregistered in mid-flight: nothing is spent twice', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  const [tab, other] = tabs as [Tab, Tab];
  await signIn(tabs);
  await installed(tab);
  const answer = server.faults.hold('after');
  await ask(tab);
  await answer.arrived;
  await uninstall(other);
  answer.release();
  await expectInEveryTab(tabs, { status: 'signed-in', version: 2 });
  expect(await get(other, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  expect(senders(server)).toEqual(['worker', other.id]);
  expectPeace(server, 2);
});

test('another script takes over in mid-flight: nothing spent twice', async ({ server, newTab, newTabs }) => {
  const tabs = await newTabs(2);
  const [tab] = tabs as [Tab, Tab];
  await signIn(tabs);
  await installed(tab);
  const answer = server.faults.hold('after');
  await ask(tab);
  await answer.arrived;
  // After a deploy.
  const later = await newTab({ worker: 'impatient' });
  const newest = () =>
    tab.evaluate(async () => {
      const registrations = await navigator.serviceWorker.getRegistrations();
      const scripts = registrations.flatMap(({ waiting, active }) => [waiting, active]);
      return scripts.find((one) => one?.scriptURL.includes('impatient'))?.state;
    });
  // One thing after the other: the check for updates that the second tab's visit set off may come first, and Chromium, just started,
  // sometimes lets six seconds go by before it asks for the script.
  await expect.poll(newest).toMatch(/installed|activat/);
  answer.release();
  await expectInEveryTab([...tabs, later], { status: 'signed-in', version: 2 });
  await expect.poll(newest).toBe('activated');
  expect(await get(later, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  await expectInEveryTab([...tabs, later], { status: 'signed-in', version: 3 });
  expect(senders(server)).toEqual(['worker', 'worker']);
  expectPeace(server, 2);
});

test.describe('without the header, in the process of some tab', { tag: '@chromium' }, () => {
  test.use({ tabOptions: { worker: 'in-a-tab', proactive: 'never', leaderTimeoutMs: 10_000 } });

  for (const { how, end } of ends.filter(({ only }) => only === undefined)) {
    test(`the tab that asked ${how}: nothing is lost`, async ({ server, newTabs, kill }) => {
      const tabs = await newTabs(3);
      const [asking, ...others] = tabs as [Tab, ...Tab[]];
      await signIn(tabs);
      await installed(asking);
      const answer = server.faults.hold('after');
      await ask(asking);
      await answer.arrived;
      await end(asking, kill);
      answer.release();
      await expectNothingHappened(server, others);
    });
  }

  test.describe('and a server that forgives', () => {
    test.use({ serverOptions: { forgiveReplayForMs: 10_000 } });

    test('all tabs but one are killed: it has the pair', async ({ server, newTabs, kill }) => {
      const tabs = await newTabs(3);
      const [asking, another, last] = tabs as [Tab, Tab, Tab];
      await signIn(tabs);
      await installed(asking);
      const answer = server.faults.hold('after');
      await ask(asking);
      await answer.arrived;
      for (const tab of [asking, another]) {
        await kill(tab);
        await tab.close();
      }
      answer.release();
      expect(await get(last, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
      await expectInEveryTab([last], { status: 'signed-in' });
      const pairs = server.log.refreshes().filter(({ decided }) => decided?.status === 200);
      expect(new Set(pairs.map(({ spent }) => spent)).size, 'no refresh token was spent twice').toBe(
        pairs.length,
      );
    });
  });
});

test('a mute worker is waited for leaderTimeoutMs at most', async ({ server, newTab }) => {
  const tab = await newTab({ worker: 'silent', leaderTimeoutMs: 400, refreshTimeoutMs: PATIENT_MS });
  await signIn([tab]);
  await installed(tab, '/one-refresh-e2e/');
  const answer = await get(tab, { forceRefresh: true });
  expect(answer).toMatchObject({ subject: 'alice' });
  // Every other time limit of the tab's is longer than this test may take.
  expect(answer.ms).toBeGreaterThanOrEqual(400);
  expect(senders(server)).toEqual([tab.id]);
  expectPeace(server, 1);
});

test("it lives beside the app's own service worker", async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  const [tab] = tabs as [Tab, Tab];
  await tab.evaluate(async () => {
    await navigator.serviceWorker.register('/app-worker.js');
    await navigator.serviceWorker.ready;
  });
  const controller = () =>
    tab.evaluate(() => {
      const { controller } = navigator.serviceWorker;
      return controller && new URL(controller.scriptURL).pathname;
    });
  await expect.poll(controller).toBe('/app-worker.js');
  await signIn(tabs);
  await installed(tab);
  expect(await get(tab, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  expect(senders(server)).toEqual(['worker']);
  expectPeace(server, 1);
  expect(await controller()).toBe('/app-worker.js');
});

test('it can be the service worker of the app', async ({ server, newTabs }) => {
  const tabs = await newTabs(2, { worker: 'of-the-app' });
  const [tab] = tabs as [Tab, Tab];
  await signIn(tabs);
  await installed(tab, '/');
  const answer = server.faults.hold('after');
  await ask(tab);
  await answer.arrived;
  await tab.close();
  answer.release();
  await expectNothingHappened(server, tabs.slice(1));
});

test('a failure is everybody’s; a sign-out ends the work', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  const [tab, other] = tabs as [Tab, Tab];
  await signIn(tabs);
  await installed(tab);
  server.faults.add({ instead: { status: 503, headers: { 'retry-after': '3600' } } });
  await ask(tab);
  await expectInEveryTab(tabs, { status: 'signed-in', refreshStatus: 'paused', version: 1 });
  expect(senders(server)).toEqual(['worker']);

  await signIn(tabs, 'bob');
  const answer = server.faults.hold('after');
  await ask(tab);
  await answer.arrived;
  await other.evaluate(() => window.lab.coordinator.signOut());
  answer.release();
  await expectInEveryTab(tabs, { status: 'signed-out' });
  // The answer's refresh token lives on in nobody's hands.
  const issued = server.log.refreshes()[1]?.decided?.issued;
  await expect.poll(() => server.log.revocations().map((request) => request.spent)).toContain(issued);
  expect((await snapshotOf(tab)).status).toBe('signed-out');
});

test('it signs with the key that all tabs share (DPoP)', async ({ server, newTabs }) => {
  const tabs = await newTabs(2, { dpop: '' });
  const [tab, other] = tabs as [Tab, Tab];
  await signIn(tabs);
  await installed(tab);
  expect(await get(tab, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  expect(senders(server)).toEqual(['worker']);
  await expectInEveryTab(tabs, { status: 'signed-in', version: 2 });
  expect(await other.evaluate(() => window.lab.callApi())).toEqual({ status: 200, user: 'alice' });
});

/** Pages stay out of the cache of a Chromium that Playwright has started. */
const asUsersHaveIt = test.extend({ partition: nativePartition });

asUsersHaveIt('a page that has asked stays in the back/forward cache', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  const [tab, other] = tabs as [Tab, Tab];
  await signIn(tabs);
  await installed(tab);
  expect(await get(tab, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  await expectInEveryTab(tabs, { version: 2 });
  await tab.leave();
  expect(await get(other, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  await tab.comeBack();
  expect(await tab.evaluate(() => window.lab.returns)).toEqual([true]);
  await expectInEveryTab(tabs, { version: 3 });
  expect(senders(server)).toEqual(['worker', 'worker']);
  expectPeace(server, 2);
});
