// Chromium prerenders nothing in a tab that a driver is attached to, so here the page speaks for itself: it fetches its orders from the
// server and does what they say.
import { expectPeace } from './harness/ask.js';
import { before } from './harness/before-page.js';
import { launchChromium } from './engines/native-chromium.js';
import { expect, test } from './fixtures.js';

test.use({ serverOptions: { accessTokenTtl: 2 } });

test(
  'a prerendered page spends nothing before it is activated',
  { tag: '@chromium' },
  async ({ server, launchOptions, playwright }) => {
    const address = (tab: string, proactive: string): string =>
      `${server.url}/?${new URLSearchParams({ tab, proactive, ...before('followOrders') })}`;
    const greeting = (tab: string) => () => server.greetings.find((one) => one.tab === tab);
    const executable = launchOptions.executablePath ?? playwright.chromium.executablePath();
    const chromium = await launchChromium(executable, launchOptions.args ?? [], address('first', 'never'));
    try {
      await expect.poll(greeting('first')).toMatchObject({ prerendering: false });
      const next = address('prerendered', 'always');
      server.order(
        'first',
        `void lab.signIn('alice').then(() => {
      const rules = document.createElement('script');
      rules.type = 'speculationrules';
      rules.textContent = JSON.stringify({ prerender: [{ urls: [${JSON.stringify(next)}], eagerness: 'immediate' }] });
      document.head.append(rules);
    })`,
      );
      await expect.poll(greeting('prerendered')).toMatchObject({ prerendering: true });
      // Expired, and past any timer that was armed for it.
      const over = Date.now() + 4_000;
      await expect.poll(() => Date.now()).toBeGreaterThan(over);
      expect(server.log.refreshes()).toEqual([]);

      server.settings.accessTokenTtl = 3600;
      server.order('first', `location.href = ${JSON.stringify(next)}`);
      const succeeded = () => server.events.filter((event) => event.type === 'refresh-succeeded');
      await expect.poll(succeeded).toHaveLength(1);
      expect(succeeded()[0]).toMatchObject({ tab: 'prerendered', version: 2 });
      expect(
        server.greetings.map((one) => one.tab),
        'the page shown is the one that was prerendered',
      ).toEqual(['first', 'prerendered']);
      expectPeace(server, 1);
    } finally {
      await chromium.stop();
    }
  },
);
