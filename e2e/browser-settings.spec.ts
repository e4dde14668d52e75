// Settings that a user has made in the browser itself, not changes by a script: private windows, and site data that is blocked for every site.
import {
  everyTab,
  expectInEveryTab,
  expectOneLeader,
  expectPeace,
  get,
  getTogether,
  getTwice,
  signIn,
} from './harness/ask.js';
import { ownBrowser } from './harness/own-browser.js';
import { expect, test as base, type Tab } from './fixtures.js';

const alice = expect.objectContaining({ subject: 'alice' });

base.describe('a private window', () => {
  // A context of Playwright's Chromium is an incognito one as it is, a session of WebKitGTK's driver an ephemeral one.
  const test = base.extend({
    partition: ownBrowser({ firefox: { 'browser.privatebrowsing.autostart': true } }),
  });

  test(
    'one request for all tabs, and storage that stays',
    { tag: '@core' },
    async ({ server, newTab, newTabs }) => {
      const tabs = await newTabs(3, { proactive: 'never' });
      await signIn(tabs);
      await expectInEveryTab(tabs, { storage: 'indexeddb' });
      for (let race = 1; race <= 3; race++) {
        const answers = await getTogether(server, tabs);
        expect(answers).toEqual(tabs.map(() => alice));
        await expectInEveryTab(tabs, { version: race + 1 });
      }
      await expectOneLeader(tabs);
      const late = await newTab({ proactive: 'never' });
      expect(await get(late)).toEqual(alice);
      expectPeace(server, 3);
    },
  );
});

base.describe('site data is blocked', { tag: '@settings' }, () => {
  const test = base.extend({
    partition: ownBrowser({
      chromium: { profile: { profile: { default_content_setting_values: { cookies: 2 } } } },
      firefox: { 'network.cookie.cookieBehavior': 2 },
    }),
  });
  test.use({ tabOptions: { proactive: 'never' } });

  /** The features that the browser leaves to the page. */
  const left = (tab: Tab) =>
    tab.evaluate(async () => {
      const works = async (use: () => unknown): Promise<boolean> => {
        try {
          await use();
          return true;
        } catch {
          return false;
        }
      };
      return {
        locks: await works(() => navigator.locks.request('probe', () => {})),
        channel: await works(() => new BroadcastChannel('probe').close()),
        stores: await works(
          () =>
            new Promise((resolve, reject) => {
              const request = indexedDB.open('probe');
              request.addEventListener('success', resolve);
              request.addEventListener('error', reject);
            }),
        ),
      };
    });

  test('a tab works, from memory, and says so', async ({ server, newTab }) => {
    const tab = await newTab();
    expect(await left(tab)).toMatchObject({ locks: false, stores: false });
    await signIn([tab]);
    await expectInEveryTab([tab], { storage: 'memory' });
    expect(await getTwice(tab)).toEqual([alice, alice]);
    await expectInEveryTab([tab], { version: 2, role: 'leader', storage: 'memory' });
    expectPeace(server, 1);
    await tab.evaluate(() => window.lab.coordinator.signOut());
    expect(await get(tab)).toMatchObject({ code: 'ERR_SIGNED_OUT' });
  });

  test('tabs share the session where a channel is left', async ({ server, newTabs }) => {
    const tabs = await newTabs(2);
    const [tab, other] = tabs as [Tab, Tab];
    if ((await left(tab)).channel) {
      await signIn(tabs);
      expect(await get(other, { forceRefresh: true })).toEqual(alice);
      await expectInEveryTab(tabs, { version: 2, storage: 'memory' });
    } else {
      await everyTab(tabs, (each) => signIn([each]));
      expect(await get(other, { forceRefresh: true })).toEqual(alice);
      await expectInEveryTab([tab], { version: 1, storage: 'memory' });
      await expectInEveryTab([other], { version: 2, storage: 'memory' });
    }
    expectPeace(server, 1);
  });
});
