// The lab page, every control of it, in a real browser; and what an accessibility checker finds.
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { startDemoServer, type DemoServer } from '../demo/server/server.js';
import { expect, test as base } from './fixtures.js';
import { builtDemo } from './harness/built-demo.js';

const test = base.extend<{ page: Page }, { demo: DemoServer }>({
  demo: [
    async ({}, use) => {
      const demo = await startDemoServer({ pages: builtDemo, accessTokenTtl: 600 });
      await use(demo);
      await demo.close();
    },
    { scope: 'worker', timeout: 0 },
  ],
  page: async ({ demo, page }, use) => {
    const complaints: string[] = [];
    page.context().on('weberror', (error) => {
      // Firefox reports a line that was cut, which is what one of the buttons is for, as an error of the page.
      const { message } = error.error();
      if (!message.includes('CORS request did not succeed')) complaints.push(message);
    });
    await page.goto(`${demo.url}/lab.html`);
    await settled(page);
    await use(page);
    expect(complaints).toEqual([]);
  },
});

test.describe.configure({ timeout: 240_000 });

test.skip(
  ({ webDriver }) => webDriver !== undefined,
  'pressing buttons takes an engine that Playwright drives',
);

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

async function settled(page: Page): Promise<void> {
  await expect(button(page, 'Expire now')).toBeEnabled();
}

async function press(page: Page, name: string): Promise<void> {
  await button(page, name).click();
  await settled(page);
}

async function choose(page: Page, mode: string): Promise<void> {
  await page.getByRole('radio', { name: mode, exact: true }).check();
  await settled(page);
  await expect(page.frameLocator('iframe').first().getByText('has a token')).toBeVisible();
}

async function scoreOf(page: Page, mode: string) {
  const cells = await page.getByTestId(`score ${mode}`).locator('td').allTextContents();
  const [conflicts, logins, perExpiry, wait, expiries] = cells;
  return { conflicts, logins, perExpiry, wait, expiries };
}

test('without coordination the tabs fight until the next sign-in', async ({ page }) => {
  const prompt = page.getByRole('alert').getByText('You were signed out.');
  for (let n = 0; n < 20 && !(await prompt.isVisible()); n++) await press(page, 'Expire now');
  await expect(prompt).toBeVisible();
  await expect(page.getByText('invalid_grant').first()).toBeVisible();

  await press(page, 'Sign in again');
  await expect(prompt).toBeHidden();
  expect((await scoreOf(page, 'no coordination')).logins).toBe('1');
  await expect(
    button(page, 'Expire now'),
    'the keyboard goes on where there is something to do',
  ).toBeFocused();
});

// Firefox does not tell its driver of a download that the page itself makes.
test('the conflict log is JSON without a token @chromium', async ({ page }) => {
  for (let n = 0; n < 20 && !(await page.getByText('invalid_grant').first().isVisible()); n++) {
    if (await button(page, 'Sign in again').isVisible()) await press(page, 'Sign in again');
    await press(page, 'Expire now');
  }
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    button(page, 'Export as JSON').click(),
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(Buffer.from(chunk as Uint8Array));
  const log = JSON.parse(Buffer.concat(chunks).toString()) as { mode: string; conflicts: object[] };
  expect(log.mode).toBe('no coordination');
  expect(log.conflicts.length).toBeGreaterThan(0);
  expect(JSON.stringify(log), 'no token in it').not.toMatch(/eyJ|(access|refresh)_token":/);
});

for (const [mode, conflicts] of [
  ['session table', '0.0 %'],
  ['version check', undefined],
  ['one-refresh', '0.0 %'],
  ['one-refresh + all', '0.0 %'],
] as const) {
  const tag = ['session table', 'version check'].includes(mode) ? '@slow' : [];
  test(`${mode}: nobody has to sign in`, { tag }, async ({ page }) => {
    await choose(page, mode);
    for (let n = 0; n < 4; n++) await press(page, 'Expire now');
    const score = await scoreOf(page, mode);
    expect(score).toMatchObject({ expiries: '4', logins: '0', wait: expect.stringMatching(/^\d+ ms$/) });
    if (conflicts !== undefined) expect(score.conflicts).toBe(conflicts);
    if (mode.startsWith('one-refresh')) {
      expect(score.perExpiry).toBe('1.000');
      await expect(page.getByRole('status')).toHaveText(
        'One token request, nobody was refused, now at version 5',
      );
      await expect(page.getByLabel(`So far, with ${mode}`).getByText('0.0 %')).toBeVisible();
    }
    await expect(
      page.getByRole('img', { name: `Medians: ${mode}: ${score.wait}` }).locator('canvas'),
    ).toBeVisible();
    await expect(page.getByRole('alert').getByRole('button')).toBeHidden();
  });
}

test('every other control does what it says', { tag: '@slow' }, async ({ page, context, demo }) => {
  await choose(page, 'one-refresh');
  const frames = page.locator('iframe');
  await expect(frames).toHaveCount(4);

  await press(page, 'Add a tab');
  await expect(frames).toHaveCount(5);
  await expect(page.getByText('5 tabs, one login')).toBeVisible();

  const [real] = await Promise.all([context.waitForEvent('page'), button(page, 'Open a real tab').click()]);
  await expect(real.getByText('has a token')).toBeVisible();
  await expect(page.getByText('6 tabs, one login')).toBeVisible();
  const picture = page.getByRole('group', { name: /a browser tab of its own$/ });
  await expect(picture.getByText(/^has a token · \d+ s$/)).toBeVisible();
  await real.close();
  await expect(picture).toBeHidden();
  await expect(page.getByText('5 tabs, one login')).toBeVisible();

  await press(page, 'Close the leader');
  await expect(page.getByText('4 tabs, one login')).toBeVisible();
  await press(page, 'Expire now');
  const peace = { conflicts: '0.0 %', logins: '0' };
  expect(await scoreOf(page, 'one-refresh')).toMatchObject({ ...peace, expiries: '1', perExpiry: '1.000' });

  for (const trouble of ['Slow answer', 'Answer 503', 'Cut the line']) await press(page, trouble);
  expect(await scoreOf(page, 'one-refresh'), 'trouble is no conflict').toMatchObject(peace);
  expect(demo.log.refreshes().some(({ faults }) => faults.includes('instead: 503'))).toBe(true);

  await press(page, 'Lose a tab mid-refresh');
  await expect(
    page.getByRole('alert').getByText('You were signed out.'),
    'a strict server forgot us',
  ).toBeVisible();
  await press(page, 'Sign in again');

  await button(page, 'Run 100 expiries').click();
  await expect(button(page, 'Expire now')).toBeDisabled();
  const stop = page.getByRole('button', { name: /^Stop after/ });
  await expect(stop).toHaveText(/([3-9]|\d\d) of 100/);
  await stop.click();
  await settled(page);
  expect(Number((await scoreOf(page, 'one-refresh')).expiries), 'it was stopped').toBeLessThan(100);
});

test('the session table saves a tab lost mid-refresh', async ({ page, demo }) => {
  await choose(page, 'one-refresh + all');
  await press(page, 'Lose a tab mid-refresh');
  expect(await scoreOf(page, 'one-refresh + all')).toMatchObject({ conflicts: '0.0 %', logins: '0' });
  await expect(page.getByText('3 tabs, one login')).toBeVisible();
  expect(demo.settings.sessionTableMs).toBeGreaterThan(0);
  await page.goto(demo.url);
  await expect.poll(() => demo.settings.sessionTableMs).toBe(0);
});

test('every tab shows version, crown and countdown', async ({ page, demo }) => {
  await choose(page, 'one-refresh');
  const frames = [0, 1, 2, 3].map((n) => page.frameLocator('iframe').nth(n));
  const crowns = async () => {
    const shown = await Promise.all(frames.map((tab) => tab.getByLabel('leader').isVisible()));
    return shown.filter(Boolean).length;
  };
  await expect.poll(crowns).toBe(1);
  for (const tab of frames) await expect(tab.getByText(/^has a token · \d{2,3} s$/)).toBeVisible();

  demo.settings.accessTokenTtl = 20;
  await press(page, 'Expire now');
  for (const tab of frames) await expect(tab.getByText(/^has a token · (1?\d|20) s$/)).toBeVisible();
  // Nobody clicks any more.
  for (const tab of frames) await expect(tab.getByText(/^v[3-9]$/)).toBeVisible();
  expect((await scoreOf(page, 'one-refresh')).perExpiry).toBe('1.000');
});

test('everything can be done with the keyboard', async ({ page }) => {
  await page.getByRole('radio', { name: 'no coordination' }).focus();
  for (const mode of ['client lock', 'lock over IndexedDB', 'session table']) {
    await page.keyboard.press('ArrowDown');
    await settled(page);
    await expect(page.getByRole('radio', { name: mode, exact: true })).toBeChecked();
  }
  await page.keyboard.press('Tab');
  await expect(button(page, 'Expire now')).toBeFocused();
  for (const expiries of ['1', '2']) {
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await scoreOf(page, 'session table')).expiries).toBe(expiries);
    await settled(page);
    await expect(button(page, 'Expire now')).toBeFocused();
  }
  const others = ['Add a tab', 'Open a real tab', 'Close a tab', 'Lose a tab mid-refresh'];
  for (const name of ['Run 100 expiries', ...others, 'Slow answer', 'Answer 503', 'Cut the line']) {
    await page.keyboard.press('Tab');
    await expect(button(page, name)).toBeFocused();
  }
});

test('axe finds nothing, in both widths and colours', async ({ page }) => {
  await press(page, 'Expire now');
  for (const [width, colorScheme] of [
    [1600, 'light'],
    [400, 'dark'],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  }
});
