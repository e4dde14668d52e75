// Intranets on plain http, private windows, blocked site data, old web views: the library's behaviour where the platform does less.
import {
  everyTab,
  expectInEveryTab,
  expectOneLeader,
  expectPeace,
  get,
  getTogether,
  getTwice,
  signIn,
  startGet,
} from './harness/ask.js';
import { before, type Change } from './harness/before-page.js';
import { expect, PATIENT_MS, test, type LabServer, type Tab, type TabOptions } from './fixtures.js';

const alice = expect.objectContaining({ subject: 'alice' });

/** All tabs want a newer token at once, several times. */
async function expectOneRequestPerRace(server: LabServer, tabs: readonly Tab[], races = 5): Promise<void> {
  const { length: earlier } = server.log.refreshes();
  for (let race = 1; race <= races; race++) {
    const answers = await getTogether(server, tabs);
    expect(answers).toEqual(tabs.map(() => alice));
    expect(new Set(answers.map((answer) => 'tokenId' in answer && answer.tokenId)).size).toBe(1);
    await expectInEveryTab(tabs, { version: earlier + race + 1 });
  }
  expectPeace(server, earlier + races);
}

for (const [what, options] of [
  ['no Web Locks', before('noLocks')],
  ['Web Locks refused', before('locksRefused')],
] satisfies [string, TabOptions][]) {
  test.describe(what, () => {
    test.use({ tabOptions: { proactive: 'never', ...options } });

    const tag = what === 'no Web Locks' ? ['@core', '@smoke'] : '@engines';
    test('the journal alone keeps it to one request', { tag }, async ({ server, newTabs }) => {
      const tabs = await newTabs(5);
      await signIn(tabs);
      await expectInEveryTab(tabs, { storage: 'indexeddb' });
      await expectOneRequestPerRace(server, tabs);
      await expectOneLeader(tabs);
    });

    test.describe('the refreshing tab goes', () => {
      test.use({ serverOptions: { forgiveReplayForMs: PATIENT_MS } });

      test('another sends again once the journal was silent', async ({ server, newTab }) => {
        const first = await newTab({ refreshTimeoutMs: PATIENT_MS });
        // Both wait for the journal's time, and each would wait as long for the other one's.
        const others = [
          await newTab({ refreshTimeoutMs: 3_000 }),
          await newTab({ refreshTimeoutMs: 3_000 }),
        ] as const;
        await signIn([first, ...others]);
        const request = server.faults.hold('after');
        await first.evaluate(() => void window.lab.get({ forceRefresh: true }));
        await request.arrived;
        await first.close();
        request.drop();

        const answers = await startGet(others, { forceRefresh: true, timeoutMs: PATIENT_MS });
        expect(await answers()).toEqual(others.map(() => alice));
        await expectInEveryTab(others, { status: 'signed-in', version: 2 });
        expect(server.log.refreshes().map((entry) => entry.replayed ?? false)).toEqual([false, true]);
      });
    });
  });
}

test.describe('an insecure origin', { tag: '@chromium' }, () => {
  test.use({ tabOptions: { host: 'app.test', proactive: 'never' } });

  test('http://app.test: one request, stored, by the journal alone', async ({ server, newTabs }) => {
    const tabs = await newTabs(5);
    const missing = await tabs[0]?.evaluate(() => ({
      secure: isSecureContext,
      locks: 'locks' in navigator,
      subtle: 'subtle' in crypto,
      randomUUID: 'randomUUID' in crypto,
    }));
    expect(missing).toEqual({ secure: false, locks: false, subtle: false, randomUUID: false });

    await signIn(tabs);
    await expectInEveryTab(tabs, { storage: 'indexeddb' });
    await expectOneRequestPerRace(server, tabs);
    await tabs[2]?.evaluate(() => window.lab.coordinator.signOut());
    await expectInEveryTab(tabs, { status: 'signed-out' });
  });
});

test.describe('no native BroadcastChannel', () => {
  const loaded = (tab: Tab) =>
    tab.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map((entry) => new URL(entry.name).pathname)
        .filter((path) => path.includes('fallback-channel')),
    );
  const options = before('noChannel', 'watchLocalStorage');

  test(
    'the package’s channel tells tabs, and never a token',
    { tag: '@core' },
    async ({ server, newTabs }) => {
      const tabs = await newTabs(3, { proactive: 'never', ...options });
      await signIn(tabs);
      await expectOneRequestPerRace(server, tabs, 3);
      expect(await everyTab(tabs, loaded)).toEqual(tabs.map(() => [expect.any(String)]));

      // All that was ever put where that channel keeps its messages, against what must not be in there.
      for (const tab of tabs) {
        const { posts, secrets, leaks } = await tab.evaluate(async () => {
          const record = JSON.stringify(await window.lab.readRecord());
          const secrets = [...record.matchAll(/"(?:refreshToken|token)":"([^"]+)"/g)].map(
            (match) => match[1] ?? '',
          );
          const kept = window.kept ?? [];
          const words = kept.flatMap((text) => text.match(/[\w-]{20,}/g) ?? []);
          const parts = secrets.flatMap((secret) => secret.split('.'));
          return {
            posts: kept.length,
            secrets: secrets.length,
            leaks: words.filter((word) => parts.some((part) => part.includes(word) || word.includes(part)))
              .length,
          };
        });
        expect(secrets).toBe(2);
        expect(leaks).toBe(0);
        if (tab === tabs[0]) expect(posts, 'something was posted').toBeGreaterThan(0);
      }

      await tabs[1]?.evaluate(() => window.lab.coordinator.signOut());
      await expectInEveryTab(tabs, { status: 'signed-out' });
    },
  );

  test('it is not loaded where the browser has a channel', async ({ newTabs }) => {
    const tabs = await newTabs(2);
    await signIn(tabs);
    await get(tabs[0] as Tab, { forceRefresh: true });
    await expectInEveryTab(tabs, { version: 2 });
    expect(await everyTab(tabs, loaded)).toEqual([[], []]);
  });
});

for (const [what, change] of [
  ['no IndexedDB', 'noIndexedDb'],
  ['IndexedDB blocked', 'indexedDbBlocked'],
  ['IndexedDB fails to open', 'indexedDbFails'],
  ['IndexedDB hangs', 'indexedDbHangs'],
  ['the quota is used up', 'quotaFull'],
  ['the quota is used up, seen at the commit', 'quotaFullAtCommit'],
] satisfies [string, Change][]) {
  test.describe(what, () => {
    test.use({ tabOptions: { proactive: 'never', ...before(change) } });
    const isSlow = change === 'quotaFullAtCommit' || change === 'indexedDbHangs';
    const core = {
      tag: change === 'indexedDbBlocked' ? '@core' : isSlow ? '@slow' : [],
    };

    const smoke = { tag: change === 'indexedDbBlocked' ? ['@core', '@smoke'] : core.tag };
    test(
      'memory and the channel do: one request for all tabs',
      smoke,
      async ({ server, newTab, newTabs }) => {
        const tabs = await newTabs(3);
        await signIn(tabs);
        await expectInEveryTab(tabs, { storage: 'memory' });
        await expectOneRequestPerRace(server, tabs, 3);

        const late = await newTab();
        // Told by the others, not at once: a store that can be read and takes nothing says that nobody is signed in.
        await expectInEveryTab([late], { status: 'signed-in' });
        expect(await get(late), 'a tab that comes later is told').toMatchObject({ subject: 'alice' });
        await expectInEveryTab([late], { version: 4 });
        expectPeace(server, 3);

        await tabs[0]?.evaluate(() => window.lab.coordinator.signOut());
        await expectInEveryTab([...tabs, late], { status: 'signed-out' });
      },
    );

    test('a tab with a store refreshes for one without', async ({ server, newTab }) => {
      const tabs = [await newTab({ before: '' }), await newTab()] as const;
      const [stored, storeless] = tabs;
      await signIn(tabs);
      // A store that only takes nothing is found out by the first write.
      await get(storeless, { forceRefresh: true });
      await expectInEveryTab(tabs, { version: 2 });
      // It asks the others, and goes itself where none says so in 300 ms: on a busy machine that happens.
      const refresher = async () => {
        await get(storeless, { forceRefresh: true });
        return server.log.refreshes().at(-1)?.debug['x_tab'];
      };
      await expect.poll(refresher).toBe(stored.id);
      const requests = server.log.refreshes().length;
      await expectInEveryTab([storeless], { storage: 'memory', version: requests + 1 });
      await expectInEveryTab([stored], { storage: 'indexeddb', version: requests + 1 });
      expectPeace(server, requests);
      expect(await stored.evaluate(() => window.lab.readRecord())).toMatchObject({ version: requests + 1 });
    });

    if (change === 'noIndexedDb') return;

    test('it comes back: the session is stored, nothing lost', core, async ({ server, newTab, newTabs }) => {
      const tabs = await newTabs(2);
      await signIn(tabs);
      await get(tabs[0] as Tab, { forceRefresh: true });
      await expectInEveryTab(tabs, { storage: 'memory', version: 2 });

      await everyTab(tabs, (tab) => tab.evaluate(() => void window.mend?.()));
      await get(tabs[1] as Tab, { forceRefresh: true });
      await expectInEveryTab(tabs, { storage: 'indexeddb', version: 3 });
      const told = await everyTab(tabs, (tab) =>
        tab.evaluate(
          () => window.lab.events.filter((event) => event.type === 'storage-changed').at(-1)?.reason,
        ),
      );
      expect(told).toEqual(['indexeddb', 'indexeddb']);

      await everyTab(tabs, (tab) => tab.close());
      const later = await newTab({ before: '' });
      expect(await get(later)).toMatchObject({ subject: 'alice' });
      await expectInEveryTab([later], { version: 3, storage: 'indexeddb' });
      expectPeace(server, 2);
    });
  });
}

test('no service worker: nobody misses it', async ({ server, newTabs }) => {
  const tabs = await newTabs(2, { proactive: 'never', ...before('noServiceWorker') });
  await signIn(tabs);
  await expectOneRequestPerRace(server, tabs, 2);
});

test('a sandboxed frame has a session of its own', { tag: '@core' }, async ({ server, newTab }) => {
  const tab = await newTab({ proactive: 'never' });
  await signIn([tab], 'bob');
  // No driver reaches into every engine's frames: it is told what to do, and tells what came of it.
  await tab.evaluate(
    (query) => {
      const frame = document.createElement('iframe');
      frame.setAttribute('sandbox', 'allow-scripts');
      frame.src = `/?${query}`;
      document.body.append(frame);
    },
    new URLSearchParams({ tab: 'frame', proactive: 'never', ...before('followOrders') }).toString(),
  );
  const greeted = () => server.greetings.filter((greeting) => greeting.tab === 'frame');
  await expect.poll(() => greeted().length).toBe(1);

  server.order(
    'frame',
    `void (async () => {
      await lab.signIn('alice');
      const { subject } = await lab.get({ forceRefresh: true });
      const { storage, version, role } = lab.coordinator.getSnapshot();
      await lab.coordinator.signOut();
      const said = { origin: self.origin, subject, storage, version, role, after: (await lab.get()).code };
      await fetch('/__lab/greetings', { method: 'POST', body: JSON.stringify({ tab: 'frame', said }) });
    })()`,
  );
  await expect.poll(() => greeted().length).toBe(2);
  expect(greeted()[1]?.said).toEqual({
    origin: 'null',
    subject: 'alice',
    storage: 'memory',
    version: 2,
    role: 'leader',
    after: 'ERR_SIGNED_OUT',
  });
  expectPeace(server, 1);
  expect(await get(tab), 'the page around it is another origin').toMatchObject({ subject: 'bob' });
});

test('everything missing: a single tab that works', { tag: '@core' }, async ({ server, newTab }) => {
  const tab = await newTab({
    proactive: 'never',
    ...before('noLocks', 'noChannel', 'noIndexedDb', 'noLocalStorage', 'noServiceWorker'),
  });
  await signIn([tab]);
  await expectInEveryTab([tab], { storage: 'memory', status: 'signed-in' });
  expect(await getTwice(tab)).toEqual([alice, alice]);
  await get(tab, { forceRefresh: true });
  await expectInEveryTab([tab], { version: 3, role: 'leader' });
  expectPeace(server, 2);
  await tab.evaluate(() => window.lab.coordinator.signOut());
  expect(await get(tab)).toMatchObject({ code: 'ERR_SIGNED_OUT' });
});

test.describe('everything missing, and the tokens go ahead of time', () => {
  test.use({ serverOptions: { accessTokenTtl: 4 } });

  test('a single tab keeps itself in tokens', async ({ server, newTab }) => {
    const tab = await newTab({
      // Half a life for each refresh.
      refreshBeforeMs: 2_000,
      ...before('noLocks', 'noChannel', 'noIndexedDb', 'noLocalStorage'),
    });
    server.log.subscribe(() => {
      if (server.log.refreshes().length === 3) server.settings.accessTokenTtl = 3600;
    });
    await signIn([tab]);
    await expectInEveryTab([tab], { version: 4 });
    expectPeace(server, 3);
    const shown = await tab.evaluate(() => window.lab.history.map((state) => state.shows));
    expect(shown.slice(shown.indexOf('alice')), 'never without a live token').not.toContain(undefined);
  });
});
