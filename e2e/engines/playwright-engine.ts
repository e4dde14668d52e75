// Chromium and Firefox, and WebKit where it is Playwright's own build.
import type { Browser, Page } from '@playwright/test';
import type { Engine, EngineTab } from './engine.js';

export function playwrightEngine(browser: Browser): Engine {
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
