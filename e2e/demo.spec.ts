// The demo, used as people use it: through the real redirect, by its buttons, in several tabs.
import { AxeBuilder } from '@axe-core/playwright';
import type { BrowserContext, Page } from '@playwright/test';
import { devPages } from '../demo/server/dev-pages.js';
import { startDemoServer, type DemoServer, type PagesFactory } from '../demo/server/server.js';
import { expect, test as base } from './fixtures.js';
import { builtDemo } from './harness/built-demo.js';

const withPages = (pages: PagesFactory) =>
  base.extend<{ page: Page }, { demo: DemoServer }>({
    demo: [
      async ({}, use) => {
        const demo = await startDemoServer({ pages, accessTokenTtl: 600 });
        await use(demo);
        await demo.close();
      },
      { scope: 'worker', timeout: 0 },
    ],
    page: async ({ demo, page }, use) => {
      const complaints: string[] = [];
      page.context().on('weberror', (error) => complaints.push(error.error().message));
      demo.faults.clear();
      await page.goto(demo.url);
      await use(page);
      expect(complaints).toEqual([]);
    },
  });

const test = withPages(builtDemo);
/** As `npm run demo` serves it. */
const testServed = withPages(devPages);

test.describe.configure({ timeout: 240_000 });

test.skip(
  ({ webDriver }) => webDriver !== undefined,
  'pressing buttons takes an engine that Playwright drives',
);

async function signIn(page: Page, user: string, button = 'Sign in'): Promise<void> {
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.getByRole('button', { name: user }).click();
  await expect(page.getByTestId('subject')).toHaveText(user);
}

async function openAnotherTab(page: Page, context: BrowserContext): Promise<Page> {
  const [opened] = await Promise.all([
    context.waitForEvent('page'),
    page.getByRole('button', { name: 'Open another tab' }).click(),
  ]);
  await expect(opened.getByTestId('version')).toBeVisible();
  return opened;
}

/** From the next request on, the worker can be asked. */
async function workerInstalled(page: Page): Promise<void> {
  const state = () =>
    page.evaluate(async () => {
      const [registration] = await navigator.serviceWorker.getRegistrations();
      return registration?.active?.state;
    });
  await expect.poll(state).toBe('activated');
}

/** Refreshes until the worker did it: one that takes long to start is not waited for. The result: the version that this led to. */
async function refreshByWorker(tabs: readonly Page[], presses: Page, from = 1): Promise<number> {
  const version = from + 1;
  const known = Number(await presses.getByTestId('by-worker').textContent());
  await presses.getByRole('button', { name: 'Force a refresh' }).click();
  for (const tab of tabs) await expect(tab.getByTestId('version')).toHaveText(`${version}`);
  await expect(presses.getByTestId('server-requests')).toHaveText(`${version - 1}`);
  const byWorker = Number(await presses.getByTestId('by-worker').textContent());
  return byWorker > known ? version : refreshByWorker(tabs, presses, version);
}

testServed('sign in, tabs, refresh, API call, sign out everywhere', async ({ page, context, demo }) => {
  await signIn(page, 'Alice');
  expect(new URL(page.url()).pathname + new URL(page.url()).search, 'no code stays in the address').toBe('/');
  await expect(page.getByTestId('version')).toHaveText('1');
  await expect(page.getByTestId('role')).toContainText('Leader');
  await expect(page).toHaveTitle(/♛ v1/);
  const before = demo.log.refreshes().length;

  const second = await openAnotherTab(page, context);
  await expect(second.getByTestId('subject')).toHaveText('Alice');
  await expect(second.getByTestId('role')).toContainText('Follower');
  await expect(second.getByTestId('countdown')).toHaveText(/\d+ s left/);
  expect(demo.log.refreshes().length, 'a new tab needs no token request').toBe(before);

  await workerInstalled(page);
  const version = await refreshByWorker([page, second], second);
  await expect(page.getByTestId('role'), 'the worker is the hand, not the leader').toContainText('Leader');
  await expect(second.getByTestId('role')).toContainText('Follower');
  await expect(second.getByTestId('events')).toContainText(`Version ${version} is here`);
  await expect(page.getByTestId('server-requests')).toHaveText(`${version - 1}`);
  await expect(page.getByTestId('by-worker')).toHaveText('1');

  await page.getByRole('button', { name: 'Call the API' }).click();
  await expect(page.getByTestId('api-status')).toHaveText('200');
  await expect(page.getByTestId('api-result')).toContainText('"user": "alice"');

  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  for (const tab of [page, second]) await expect(tab.getByRole('button', { name: 'Sign in' })).toBeVisible();
});

testServed('the refresh worker’s answer outlives the tab that asked', async ({ page, context, demo }) => {
  await signIn(page, 'Alice');
  await workerInstalled(page);
  const [scope, policy, pagesPolicy] = await page.evaluate(async () => {
    const [registration] = await navigator.serviceWorker.getRegistrations();
    const policyOf = async (url: string) => (await fetch(url)).headers.get('cross-origin-embedder-policy');
    return [
      new URL(registration!.scope).pathname,
      await policyOf(registration!.active!.scriptURL),
      await policyOf('/'),
    ];
  });
  expect(scope, 'no page lives there').toBe('/src/one-refresh-demo/');
  expect(policy).toBe('credentialless');
  expect(pagesPolicy).toBeNull();

  const second = await openAnotherTab(page, context);
  const version = await refreshByWorker([page, second], second);
  const before = demo.log.refreshes().length;
  const answer = demo.faults.hold('after');
  await second.getByRole('button', { name: 'Force a refresh' }).click();
  await answer.arrived;
  await second.close();
  answer.release();
  await expect(page.getByTestId('version')).toHaveText(`${version + 1}`);
  const requests = demo.log.refreshes().slice(before);
  expect(requests.map(({ debug, sent }) => [debug['x_by'], sent])).toEqual([['worker', { status: 200 }]]);
});

test('another user in one tab is another user in all', async ({ page, context }) => {
  await signIn(page, 'Alice');
  const second = await openAnotherTab(page, context);
  await signIn(second, 'Bob', 'Switch user');
  await expect(page.getByTestId('subject')).toHaveText('Bob');
  await page.getByRole('button', { name: 'Call the API' }).click();
  await expect(page.getByTestId('api-result')).toContainText('"user": "bob"');
});

test('a lost answer: one tab asks, a sign-in heals both', async ({ page, context }) => {
  await signIn(page, 'Alice');
  const second = await openAnotherTab(page, context);
  await page.getByRole('button', { name: 'Lose the next answer' }).click();
  await expect(page.getByTestId('events')).toContainText('Trouble ahead');
  await page.getByRole('button', { name: 'Force a refresh' }).click();

  // Whichever tab the library chose: it asks, the other one knows.
  const asking = await Promise.any(
    [page, second].map(async (tab) => {
      await tab.getByTestId('reauth-prompt').waitFor();
      return tab;
    }),
  );
  const other = asking === page ? second : page;
  await expect(asking.getByTestId('reauth-prompt')).toContainText('Please sign in again, Alice');
  await expect(asking.getByTestId('reauth-prompt')).toContainText('its answer got lost');
  await expect(other.getByTestId('reauth-banner')).toBeVisible();
  await expect(other.getByTestId('reauth-prompt')).toBeHidden();

  await asking.getByRole('button', { name: 'Not now' }).click();
  await expect(asking.getByTestId('reauth-banner')).toBeVisible();
  await signIn(asking, 'Alice', 'Sign in here');
  for (const tab of [page, second]) {
    await expect(tab.getByTestId('reauth-banner')).toBeHidden();
    await expect(tab.getByTestId('version')).toHaveText('1');
  }
});

test('everything can be done with the keyboard', async ({ page }) => {
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'The token war' })).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Alice' })).toBeVisible();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('version')).toHaveText('1');

  const wanted = [
    'Switch user',
    'Open another tab',
    'Call the API',
    'Force a refresh',
    'Sign out everywhere',
  ];
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'The token war' })).toBeFocused();
  for (const name of wanted) {
    await page.keyboard.press('Tab');
    await expect(page.getByRole('button', { name })).toBeFocused();
  }
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  await expect(page.getByTestId('version')).toHaveText('2');
});

for (const width of [400, 1600]) {
  test(`nothing is cut off at ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 900 });
    await signIn(page, 'Alice');
    const { scrollWidth, clientWidth } = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return { scrollWidth, clientWidth };
    });
    expect(scrollWidth).toBe(clientWidth);
  });
}

test('axe finds nothing, in both widths and colours', async ({ page }) => {
  const look = async (): Promise<void> => {
    for (const [width, colorScheme] of [
      [1280, 'light'],
      [390, 'dark'],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
    }
  };
  await look();
  await signIn(page, 'Alice');
  await page.getByRole('button', { name: 'Two times 503' }).click();
  await expect(page.getByTestId('events')).toContainText('Trouble ahead');
  await look();
});
