/**
 * `npm run pictures`: takes the lab's pictures in docs/lab anew: some rounds of every way to refresh, the last ones without coordination, wide
 * and narrow, light and dark. A change of demo/src/lab that a reader would see needs it.
 */
import { chromium } from 'playwright';
import { devPages } from '../demo/server/dev-pages.js';
import { startDemoServer } from '../demo/server/server.js';
import { modes } from '../demo/src/rivals/modes.js';
import { ensureBrowser } from './browsers.js';

const ROUNDS = 5;
const PATIENT_MS = 600_000;

const demo = await startDemoServer({ pages: devPages, accessTokenTtl: 600 });
const browser = await chromium.launch({
  executablePath: ensureBrowser('chromium').path,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
  page.setDefaultTimeout(PATIENT_MS);
  await page.goto(`${demo.url}/lab.html`);
  // A button that waits keeps the focus, so it is disabled in name only.
  const settled = () => page.locator('button:not([aria-disabled=true])', { hasText: 'Expire now' }).waitFor();
  const press = async (name: string) => {
    await page.getByRole('button', { name, exact: true }).click();
    await settled();
  };
  await settled();
  for (const name of ['Add a tab', 'Open a real tab']) await press(name);
  const prompt = page.getByRole('alert').getByText('You were signed out.');
  // The way that loses the session comes last.
  for (const { name } of [...modes].reverse()) {
    await page.getByRole('radio', { name, exact: true }).check();
    await settled();
    for (let round = 0; round < ROUNDS; round++) {
      if (await prompt.isVisible()) await press('Sign in again');
      await press('Expire now');
    }
    console.log(name);
  }
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [1600, 400]) {
      await page.setViewportSize({ width, height: 900 });
      // The requests of the last seconds are in the picture.
      if (await prompt.isVisible()) await press('Sign in again');
      while (!(await prompt.isVisible())) await press('Expire now');
      // The charts follow the width a moment later.
      await page.waitForTimeout(1_000);
      await page.screenshot({ path: `docs/lab/${colorScheme}-${width}.png`, fullPage: true });
    }
  }
} finally {
  await browser.close();
  await demo.close();
}
