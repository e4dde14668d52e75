// Chromium discards no tab that a driver is attached to. So here the pages speak for themselves (before-page.ts, `followOrders`), and the
// driver is gone when the browser's own page about discards does what it was told.
import { chromium } from '@playwright/test';
import { expectPeace } from './harness/ask.js';
import { before } from './harness/before-page.js';
import { launchChromium } from './engines/native-chromium.js';
import { expect, test } from './fixtures.js';

test(
  'the leader is discarded, and has the session when reloaded',
  { tag: '@chromium' },
  async ({ server, launchOptions, playwright }) => {
    const address = (tab: string): string =>
      `${server.url}/?${new URLSearchParams({ tab, proactive: 'never', ...before('followOrders') })}`;
    const executable = launchOptions.executablePath ?? playwright.chromium.executablePath();
    const launched = await launchChromium(executable, launchOptions.args ?? [], address('first'), {
      // The page about discards is for developers.
      browser: { internal_only_uis_enabled: true },
    });
    const greetings = (tab: string) => server.greetings.filter((one) => one.tab === tab);
    const greeted = (tab: string, times: number) => expect.poll(() => greetings(tab).length).toBe(times);
    const say = (tab: string, what: string): void =>
      server.order(
        tab,
        `void (async () => {
          const said = await (${what})();
          await fetch('/__lab/greetings', { method: 'POST', body: JSON.stringify({ tab: lab.tab, said }) });
        })()`,
      );
    /** Has the browser do it to the first tab, as soon as nobody drives it. */
    const haveIt = async (link: 'Urgent Discard' | 'Load', open: readonly string[]): Promise<void> => {
      const browser = await chromium.connectOverCDP(await launched.devTools, { noDefaults: true });
      const [context] = browser.contexts();
      for (const url of open) await (await context!.newPage()).goto(url);
      const discards = context!.pages().find((page) => page.url().startsWith('chrome://discards'))!;
      const row = discards.locator('tr', { hasText: 'tab=first' });
      // Nothing comes of it as long as a driver is there: so it is tried again until the page's table shows the tab as it is to be.
      const state = link === 'Load' ? 'loaded' : 'unloaded';
      await row.getByText(`[${link}]`).evaluate(
        (element, wanted) => {
          const table = element.getRootNode() as ShadowRoot;
          const again = setInterval(() => {
            const rows = [...table.querySelectorAll('tr')];
            const first = rows.find((one) => one.textContent.includes('tab=first'))!;
            if ([...first.cells].some((cell) => cell.textContent.trim() === wanted.state))
              clearInterval(again);
            else
              [...first.querySelectorAll<HTMLElement>('*')]
                .findLast((one) => one.textContent.trim() === wanted.link)
                ?.click();
          }, 300);
        },
        { link: `[${link}]`, state },
      );
      await browser.close();
    };
    try {
      await greeted('first', 1);
      // Its lock tells the other tab that it lives.
      say(
        'first',
        `async () => { void navigator.locks.request('alive', () => new Promise(() => {})); await lab.signIn('alice'); return lab.coordinator.getSnapshot().role; }`,
      );
      await greeted('first', 2);
      expect(greetings('first')[1]?.said).toBe('leader');

      await haveIt('Urgent Discard', [address('second'), 'chrome://discards']);
      await greeted('second', 1);
      say(
        'second',
        `async () => {
          await navigator.locks.request('alive', () => {});
          const { subject } = await lab.get({ forceRefresh: true });
          const { role, version } = lab.coordinator.getSnapshot();
          return { subject, role, version };
        }`,
      );
      await greeted('second', 2);
      expect(greetings('second')[1]?.said).toEqual({ subject: 'alice', role: 'leader', version: 2 });
      expectPeace(server, 1);

      await haveIt('Load', []);
      await greeted('first', 3);
      say(
        'first',
        `async () => {
          const { subject } = await lab.get();
          const { role, version } = lab.coordinator.getSnapshot();
          return { wasDiscarded: document.wasDiscarded, subject, role, version };
        }`,
      );
      await greeted('first', 4);
      expect(greetings('first')[3]?.said).toEqual({
        wasDiscarded: true,
        subject: 'alice',
        role: 'follower',
        version: 2,
      });
      expectPeace(server, 1);
    } finally {
      await launched.stop();
    }
  },
);
