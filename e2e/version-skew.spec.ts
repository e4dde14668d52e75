// During a deploy two versions of an app run side by side in one browser: neither may spend a token twice, wipe what the other one has
// written, or talk the other one into a loop. The other version is the present library with another protocol or schema number.
import {
  everyTab,
  expectInEveryTab,
  expectPeace,
  get,
  getTogether,
  signIn,
  snapshotOf,
} from './harness/ask.js';
import { buildApp } from './harness/app-pages.js';
import type { BuiltPages } from '../tools/build-pages.js';
import { expect, test as base, type Tab } from './fixtures.js';

const builds = {
  'older-protocol/': { protocol: 0 },
  'newer-protocol/': { protocol: 2 },
  'older-schema/': { schema: 0 },
  'newer-schema/': { schema: 2 },
};

const test = base.extend<object, { app: BuiltPages }>({
  app: [
    async ({}, use) => {
      const all = [await buildApp()];
      for (const [folder, build] of Object.entries(builds)) all.push(await buildApp(`/${folder}`, build));
      await use(new Map(all.flatMap((app) => [...app])));
    },
    { scope: 'worker', timeout: 0 },
  ],
});

const alice = expect.objectContaining({ subject: 'alice' });

/** Its callers give up soon: with more time they would wait for a reload. Until the tab has found out, they learn nothing else. */
async function expectUnsupported(tab: Tab): Promise<void> {
  const answers = new Set<string | undefined>();
  const ask = async () => {
    const answer = await get(tab, { forceRefresh: true, timeoutMs: 1_000 });
    answers.add('code' in answer ? answer.code : 'a token');
    return answer;
  };
  await expect.poll(ask).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  expect([...answers].filter((code) => code !== 'ERR_TIMEOUT')).toEqual(['ERR_UNSUPPORTED']);
}

for (const build of ['older-protocol/', 'newer-protocol/'] as const) {
  const tag = build === 'older-protocol/' ? '@core' : '@engines';
  test.describe(build.replace('-', ' ').replace('/', ''), () => {
    for (const first of ['the present version', 'the other version'] as const) {
      test(`${first} signs in: both versions race for one request`, { tag }, async ({ server, newTab }) => {
        const tabs = [await newTab({ proactive: 'never' }), await newTab({ proactive: 'never', build })];
        if (first === 'the other version') tabs.reverse();
        await signIn([tabs[0] as Tab]);
        expect(await everyTab(tabs, (tab) => get(tab))).toEqual([alice, alice]);

        for (let round = 1; round <= 3; round++) {
          const answers = await getTogether(server, tabs);
          expect(answers).toEqual([alice, alice]);
          expect(new Set(answers.map((answer) => 'tokenId' in answer && answer.tokenId)).size).toBe(1);
          await expectInEveryTab(tabs, { version: round + 1 });
        }
        expectPeace(server, 3);

        await tabs[0]?.evaluate(() => window.lab.coordinator.signOut());
        expect(await everyTab(tabs, (tab) => get(tab, { forceRefresh: true }))).toEqual(
          tabs.map(() => expect.objectContaining({ code: 'ERR_SIGNED_OUT' })),
        );
        expectPeace(server, 3);
      });
    }

    test.describe('ahead of expiry', { tag: build === 'older-protocol/' ? [] : '@slow' }, () => {
      test.use({ serverOptions: { accessTokenTtl: 3 } });

      test('one request per expiry, with any leader', async ({ server, newTab }) => {
        const tabs = [await newTab(), await newTab({ build }), await newTab(), await newTab({ build })];
        server.log.subscribe(() => {
          if (server.log.refreshes().length === 4) server.settings.accessTokenTtl = 3600;
        });
        await signIn([tabs[0] as Tab]);
        await everyTab(tabs, (tab) => get(tab));
        await expectInEveryTab(tabs, { status: 'signed-in', version: 5 });
        expectPeace(server, 4);
      });
    });
  });
}

test.describe('a newer record', () => {
  test.use({ tabOptions: { proactive: 'never' } });

  test('is used, and written by the newer version only', { tag: '@core' }, async ({ server, newTab }) => {
    const newer = await newTab({ build: 'newer-schema/' });
    const present = await newTab();
    await signIn([newer]);
    expect(await get(present)).toEqual(alice);
    const before = await newer.evaluate(() => window.lab.readRecord());
    expect(before).toMatchObject({ schema: 2, version: 1 });

    await expectUnsupported(present);
    expect(await newer.evaluate(() => window.lab.readRecord())).toEqual(before);
    expectPeace(server, 0);

    expect(await get(newer, { forceRefresh: true })).toEqual(alice);
    await expectInEveryTab([newer, present], { status: 'signed-in', version: 2 });
    expect(await get(present)).toEqual(alice);
    expect(await newer.evaluate(() => window.lab.readRecord())).toMatchObject({ schema: 2, version: 2 });
    expectPeace(server, 1);
  });

  test('has no leader of the older version', async ({ server, newTab }) => {
    const newer = await newTab({ build: 'newer-schema/' });
    const present = await newTab({ leaderTimeoutMs: 200 });
    await signIn([newer]);
    expect(await get(present)).toEqual(alice);
    await newer.close();
    // A question at the same leader that is no more; its effect comes before the next answer.
    const waking = await newTab({ leaderTimeoutMs: 200 });
    await expectUnsupported(waking);
    const record = await present.evaluate(() => window.lab.readRecord());
    expect(record).toMatchObject({ schema: 2, version: 1 });
    const roles = (await everyTab([present, waking], snapshotOf)).map((snapshot) => snapshot.role);
    expect(roles).toEqual(['follower', 'follower']);

    const again = await newTab({ build: 'newer-schema/' });
    expect(await get(again, { forceRefresh: true })).toEqual(alice);
    await expectInEveryTab([present, waking, again], { status: 'signed-in', version: 2 });
    expectPeace(server, 1);
  });

  test('an older tab that wants to refresh does not loop', async ({ server, newTab }) => {
    server.settings.accessTokenTtl = 2;
    const newer = await newTab({ proactive: 'never', build: 'newer-schema/' });
    const present = await newTab({ proactive: 'always', refreshTimeoutMs: 10_000 });
    await signIn([newer]);
    await expect.poll(() => get(present, { timeoutMs: 100 })).toMatchObject({ code: 'ERR_UNSUPPORTED' });
    const before = await newer.evaluate(() => window.lab.readRecord());
    const steps = await present.evaluate(() => window.lab.history.length);
    await expectInEveryTab([present], { status: 'signed-in', refreshStatus: 'paused' });
    await expect.poll(() => get(present, { timeoutMs: 100 })).toMatchObject({ code: 'ERR_UNSUPPORTED' });
    expect((await present.evaluate(() => window.lab.history.length)) - steps).toBeLessThanOrEqual(1);
    expect(await newer.evaluate(() => window.lab.readRecord())).toEqual(before);

    server.settings.accessTokenTtl = 3600;
    expect(await get(newer)).toEqual(alice);
    await expectInEveryTab([newer, present], { version: 2 });
    expect(await get(present)).toEqual(alice);
    expectPeace(server, 1);
  });
});

test('an older record is taken over, then only read', { tag: '@core' }, async ({ server, newTab }) => {
  const older = await newTab({ proactive: 'never', build: 'older-schema/' });
  const present = await newTab({ proactive: 'never' });
  await signIn([older]);
  expect(await get(older, { forceRefresh: true })).toEqual(alice);
  await expectInEveryTab([older, present], { version: 2 });
  expect(await older.evaluate(() => window.lab.readRecord())).toMatchObject({ schema: 0 });

  expect(await get(present, { forceRefresh: true })).toEqual(alice);
  await expectInEveryTab([older, present], { version: 3 });
  expect(await older.evaluate(() => window.lab.readRecord())).toMatchObject({ schema: 1, version: 3 });

  expect(await get(older)).toEqual(alice);
  await expectUnsupported(older);
  expectPeace(server, 2);
});

test(
  'messages that nobody knows change nothing and are not answered',
  { tag: '@core' },
  async ({ server, newTabs }) => {
    const tabs = await newTabs(2, { proactive: 'never' });
    const [tab] = tabs as [Tab];
    await signIn(tabs);
    const before = await everyTab(tabs, snapshotOf);
    const heard = await tab.evaluate(async () => {
      const channel = new BroadcastChannel('one-refresh:e2e');
      const heard: unknown[] = [];
      channel.addEventListener('message', ({ data }) => heard.push(data));
      const { sessionId } = window.lab.coordinator.getSnapshot();
      const position = { sessionId, version: 1, term: 99, from: 'x' };
      const strange: unknown[] = [
        null,
        'pair',
        42,
        [],
        {},
        { ...position, type: 'pair' },
        { ...position, type: 'pair', protocol: 99, record: { sessionId, version: 77, refreshToken: 'x' } },
        { ...position, type: 'pair', protocol: 1, record: null },
        { ...position, type: 'pair', protocol: 1, record: { sessionId, version: 'many' } },
        { ...position, type: 'signed-out', protocol: 0 },
        { ...position, type: 'leader-resigned', protocol: 2 },
        { ...position, type: 'hello', protocol: 1, term: Number.NaN },
        { ...position, type: 'of a later day', protocol: 1, version: 0, term: 0 },
      ];
      for (const message of strange) channel.postMessage(message);
      // Later messages are read after them.
      const refreshed = new Promise((resolve) => channel.addEventListener('message', resolve));
      await window.lab.get({ forceRefresh: true });
      await refreshed;
      channel.close();
      return heard.map((message) => (message as { type: string }).type);
    });
    await expectInEveryTab(tabs, { status: 'signed-in', version: 2 });
    expect(before.map((snapshot) => snapshot.version)).toEqual([1, 1]);
    expect(heard.filter((type) => type !== 'pair')).toEqual([]);
    expect(heard.length, 'one broadcast: the refresh').toBe(1);
    expectPeace(server, 1);
  },
);
