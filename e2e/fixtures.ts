// What a test gets: a server of its own, and tabs of one browser that share its storage. A tab is used through {evaluate, goto, close}
// only, so that engines which Playwright cannot drive fit in as well.
import { test as base, expect, type Page } from '@playwright/test';
import { startDemoServer, type DemoServer, type DemoServerOptions } from '../demo/server/server.js';
import type { LabEvent } from './app/main.js';
import { buildApp, servePages, type BuiltApp } from './harness/app-pages.js';
import { killTab } from './harness/kill-tab.js';

export { expect };

export interface Tab {
  readonly id: string;
  evaluate<Result, Argument>(
    run: (argument: Argument) => Result | Promise<Result>,
    argument: Argument,
  ): Promise<Result>;
  evaluate<Result>(run: () => Result | Promise<Result>): Promise<Result>;
  /** Resolves when the page there is ready to be asked. */
  goto(url: string): Promise<void>;
  close(): Promise<void>;
}

/** Options of the page's coordinator, put into its address. */
export type TabOptions = Record<string, string | number>;

export interface LabServer extends DemoServer {
  /** Events of all tabs, also of those that are gone, in the order in which they arrived here. */
  readonly events: readonly LabEvent[];
}

interface TestFixtures {
  serverOptions: Omit<DemoServerOptions, 'pages' | 'port'>;
  tabOptions: TabOptions;
  server: LabServer;
  newTab: (options?: TabOptions) => Promise<Tab>;
  newTabs: (count: number, options?: TabOptions) => Promise<Tab[]>;
  /** SIGKILL for the tab's process. */
  kill: (tab: Tab) => Promise<void>;
}

const pages = new WeakMap<Tab, Page>();

export const test = base.extend<TestFixtures, { app: BuiltApp }>({
  app: [
    // Playwright reads the names of the fixtures needed from this pattern.
    async ({}, use) => {
      await use(await buildApp());
    },
    { scope: 'worker' },
  ],
  serverOptions: [{}, { option: true }],
  tabOptions: [{}, { option: true }],

  server: async ({ app, serverOptions }, use) => {
    const events: LabEvent[] = [];
    const server: DemoServer = await startDemoServer({
      // One fetch is one request: see TokenEndpointHandlerOptions.
      keepAlive: false,
      ...serverOptions,
      pages: servePages(app, {
        signIn: (user) => server.signIn(user),
        report: (event) => events.push(event),
      }),
    });
    await use({ ...server, events });
    await server.close();
  },

  newTab: async ({ context, server, tabOptions }, use) => {
    const complaints: string[] = [];
    let opened = 0;
    await use(async (options) => {
      const id = `tab-${++opened}`;
      const page = await context.newPage();
      page.on('pageerror', (error) => complaints.push(`${id}: ${error.message}`));
      const query = new URLSearchParams({ tab: id });
      for (const [name, value] of Object.entries({ ...tabOptions, ...options }))
        query.set(name, String(value));
      const tab: Tab = {
        id,
        evaluate: page.evaluate.bind(page),
        close: () => page.close(),
        async goto(url) {
          await page.goto(url);
          await page.waitForFunction(() => 'lab' in window);
        },
      };
      pages.set(tab, page);
      await tab.goto(`${server.url}/?${query}`);
      return tab;
    });
    expect(complaints, 'errors that nobody caught, in any tab').toEqual([]);
  },

  newTabs: async ({ newTab }, use) => {
    await use((count, options) => Promise.all(Array.from({ length: count }, () => newTab(options))));
  },

  kill: async ({ browserName }, use) => {
    await use(async (tab) => {
      expect(browserName, 'how to kill a tab is known for this engine').toBe('chromium');
      const page = pages.get(tab);
      if (page === undefined) throw new Error('This tab was not opened by newTab');
      await killTab(page);
    });
  },
});
