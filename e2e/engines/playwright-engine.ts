// Chromium and Firefox, and WebKit where it is Playwright's own build.
import type {
  Browser,
  LaunchOptions,
  Page,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
} from '@playwright/test';
import type { Engine, EngineTab } from './engine.js';

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
        newTab: async () => playwrightTab(await context.newPage()),
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}

export function playwrightTab(page: Page): EngineTab {
  return {
    page,
    evaluate: page.evaluate.bind(page),
    close: () => page.close(),
    async goto(url) {
      await page.goto(url);
    },
  };
}
