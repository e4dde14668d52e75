// Chromium and Firefox, and WebKit where it is Playwright's own build.
import type {
  Browser,
  BrowserContext,
  LaunchOptions,
  Page,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
} from '@playwright/test';
import type { Engine, EngineTab, TabPlace } from './engine.js';

export type Launch = Pick<PlaywrightWorkerArgs, 'playwright'> &
  Pick<PlaywrightWorkerOptions, 'browserName' | 'launchOptions' | 'channel' | 'headless'>;

/** A browser as the project's settings have it, but for what is set apart. */
export async function launchEngine(
  { playwright, browserName, launchOptions, channel, headless }: Launch,
  apart: LaunchOptions = {},
): Promise<Engine> {
  const options = { headless, ...launchOptions, ...(channel === undefined ? {} : { channel }), ...apart };
  return playwrightEngine(await playwright[browserName].launch(options));
}

function playwrightEngine(browser: Browser): Engine {
  return {
    async newPartition() {
      const context = await browser.newContext();
      return {
        newTab: (place) => newPlaywrightTab(context, place),
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}

/** Chromium hides tabs only when it was not launched by Playwright (native-chromium.ts). */
export async function newPlaywrightTab(
  context: BrowserContext,
  { hidden }: TabPlace = { hidden: false },
): Promise<EngineTab> {
  const page = await context.newPage();
  // Firefox gives each page a window of its own; a page that another one opens comes in front of it, in the same window.
  if (hidden) await page.evaluate(() => void open('about:blank', '_blank', 'noopener'));
  return playwrightTab(page);
}

function playwrightTab(page: Page): EngineTab {
  return {
    page,
    evaluate: page.evaluate.bind(page),
    close: () => page.close(),
    async goto(url) {
      await page.goto(url);
    },
  };
}
