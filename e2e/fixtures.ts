// A test gets: a server of its own, and tabs of one browser that share its storage. A tab is used through {evaluate, goto, close}
// only, so that engines which Playwright cannot drive fit in as well.
import { writeFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { test as base, expect, type Page } from '@playwright/test';
import { startDemoServer, type DemoServer, type DemoServerOptions } from '../demo/server/server.js';
import type { Greeting, LabEvent } from './app/main.js';
import type { Engine, EngineTab, Partition, TabPlace } from './engines/engine.js';
import { launchEngine } from './engines/playwright-engine.js';
import { webKitGtkEngine } from './engines/webkitgtk-engine.js';
import { buildApp, servePages } from './harness/app-pages.js';
import type { BuiltPages } from '../tools/build-pages.js';
import { aimAtTab } from './harness/kill-tab.js';

export { expect };

export interface Tab extends Pick<EngineTab, 'evaluate' | 'close'> {
  readonly id: string;
  /** Resolves when the page there is ready to be asked. */
  goto(url: string): Promise<void>;
  /** Resolves when the page is ready to be asked, after a navigation that it began itself. */
  ready(): Promise<void>;
  /** To another page of the origin, one that knows nothing of the library. */
  leave(): Promise<void>;
  /** Back from there, perhaps out of the back/forward cache; resolves when the page is ready to be asked. */
  comeBack(): Promise<void>;
}

/**
 * Options of the page's coordinator, put into its address. Three are the test page's own: `host`, the name under which it is opened,
 * `build`, the folder of another build of it, and `before`, what is changed before it loads (before-page.ts).
 */
export type TabOptions = Record<string, string | number>;

export interface LabServer extends DemoServer {
  /** Events of all tabs, also of those that are gone, in the order in which they arrived here. */
  readonly events: readonly LabEvent[];
  /** Of every page that was loaded, once it could be asked. */
  readonly greetings: readonly Greeting[];
  /** Runs a script in a tab that no driver is attached to and that waits for its orders (before-page.ts). */
  order(tab: string, script: string): void;
  /** Questions that a tab took seconds to answer; a browser that stands still looks like this. */
  readonly slowAnswers: SlowAnswer[];
}

/**
 * A time limit of the library's that no test waits for: longer than a test may take. So what happens all the same did not wait for it,
 * however slow the machine is.
 */
export const PATIENT_MS = 600_000;

interface SlowAnswer {
  tab: string;
  question: string;
  /** When it was asked, epoch milliseconds. */
  at: number;
  ms: number;
}

const SLOW_MS = 2_000;

interface TestFixtures {
  serverOptions: Omit<DemoServerOptions, 'pages' | 'port'>;
  tabOptions: TabOptions;
  /** Errors that nobody caught, in any tab; a test ends with none. */
  complaints: string[];
  server: LabServer;
  partition: Partition;
  newTab: (options?: TabOptions, place?: TabPlace) => Promise<Tab>;
  newTabs: (count: number, options?: TabOptions) => Promise<Tab[]>;
  /** SIGKILL for the tab's process. */
  kill: (tab: Tab) => Promise<void>;
  /** The same later, in no time: finding the process takes a while. */
  aim: (tab: Tab) => Promise<() => Promise<void>>;
}

interface WorkerFixtures {
  app: BuiltPages;
  /** The WebDriver of an engine that Playwright does not drive. */
  webDriver: string | undefined;
  engine: Engine;
}

const pages = new WeakMap<Tab, Page>();

/** The page behind a tab, for what Playwright's engines alone can do. */
export function pageOf(tab: Tab): Page {
  const page = pages.get(tab);
  if (page === undefined) throw new Error('This tab is not driven by Playwright');
  return page;
}

/** The same tab, whose slow answers are written down. */
function watched(tab: EngineTab, id: string, slow: SlowAnswer[]): EngineTab {
  return {
    ...tab,
    async evaluate<Result, Argument>(
      ask: (argument: Argument) => Result | Promise<Result>,
      argument?: Argument,
    ): Promise<Result> {
      const at = Date.now();
      try {
        return await tab.evaluate(ask, argument as Argument);
      } finally {
        const ms = Date.now() - at;
        if (ms > SLOW_MS) slow.push({ tab: id, question: String(ask).slice(0, 100), at, ms });
      }
    },
  };
}

/** A tab of the test page out of an empty one. */
async function openTab(
  empty: EngineTab,
  origin: string,
  id: string,
  { host = '127.0.0.1', build = '', ...options }: TabOptions,
): Promise<Tab> {
  const address = origin.replace('127.0.0.1', String(host));
  const query = new URLSearchParams({ tab: id });
  for (const [name, value] of Object.entries(options)) query.set(name, String(value));
  // A page that is about to go may take the question with it.
  const isReady = () =>
    Promise.race([empty.evaluate(() => 'lab' in window).catch(() => false), sleep(3_000, false)]);
  const ready = () => expect.poll(isReady, { intervals: [20] }).toBe(true);
  const tab: Tab = {
    id,
    evaluate: empty.evaluate,
    close: empty.close,
    ready,
    async goto(url) {
      await empty.goto(url);
      await ready();
    },
    leave: () => empty.goto(`${address}/__lab/elsewhere`),
    async comeBack() {
      // The page that goes back may be gone before it could answer.
      if (empty.back) await empty.back();
      else void empty.evaluate(() => void setTimeout(() => history.back(), 0)).catch(() => {});
      await ready();
    },
  };
  if (empty.page) pages.set(tab, empty.page);
  await tab.goto(`${address}/${build}?${query}`);
  return tab;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  app: [
    // Playwright reads the names of the fixtures needed from this pattern.
    async ({}, use) => {
      await use(await buildApp());
    },
    { scope: 'worker', timeout: 0 },
  ],
  webDriver: [undefined, { option: true, scope: 'worker' }],
  engine: [
    async ({ webDriver, playwright, browserName, launchOptions, channel, headless }, use) => {
      const engine =
        webDriver === undefined
          ? await launchEngine({ playwright, browserName, launchOptions, channel, headless })
          : await webKitGtkEngine(webDriver);
      await use(engine);
      await engine.close();
    },
    { scope: 'worker', timeout: 0 },
  ],
  serverOptions: [{}, { option: true }],
  tabOptions: [{}, { option: true }],

  complaints: async ({}, use) => {
    const complaints: string[] = [];
    await use(complaints);
    expect(complaints, 'errors that nobody caught, in any tab').toEqual([]);
  },

  server: async ({ app, serverOptions, complaints }, use, testInfo) => {
    const events: LabEvent[] = [];
    const greetings: Greeting[] = [];
    const slowAnswers: SlowAnswer[] = [];
    const loop = monitorEventLoopDelay();
    loop.enable();
    const followers = new Map<string, (order: string) => void>();
    const server: DemoServer = await startDemoServer({
      // One fetch is one request: see TokenEndpointHandlerOptions.
      keepAlive: false,
      // A test that is about an expiry says so; the others take as long as the machine does.
      accessTokenTtl: 3600,
      // Pages that look like another site, or like none: see missing-parts.spec.ts.
      alsoAllowOrigin: () => true,
      ...serverOptions,
      pages: servePages(app, {
        signIn: (user) => server.signIn(user),
        authorize: (user) => server.authorize(user),
        report: (event) => events.push(event),
        nextOrder: (tab) => new Promise((resolve) => followers.set(tab, resolve)),
        greet: (greeting) => greetings.push(greeting),
        complain: (message) => complaints.push(message),
      }),
    });
    await use({
      ...server,
      events,
      greetings,
      slowAnswers,
      order: (tab, script) => followers.get(tab)?.(script),
    });
    if (testInfo.status !== testInfo.expectedStatus) {
      // A race that shows once in a hundred runs leaves its traces here; and whether this process, or the browser, stood still.
      const stood = { eventLoopDelayMs: loop.max / 1e6, slowAnswers };
      const evidence = { ...stood, requests: server.log.entries, events };
      await writeFile(testInfo.outputPath('evidence.json'), JSON.stringify(evidence, null, 2));
    }
    loop.disable();
    await server.close();
  },

  partition: async ({ engine }, use) => {
    const partition = await engine.newPartition();
    await use(partition);
    await partition.close();
  },

  newTab: async ({ partition, server, tabOptions }, use) => {
    let opened = 0;
    await use(async (options, place) => {
      const id = `tab-${++opened}`;
      const empty = watched(await partition.newTab(place), id, server.slowAnswers);
      return openTab(empty, server.url, id, { ...tabOptions, ...options });
    });
  },

  newTabs: async ({ newTab }, use) => {
    await use((count, options) => Promise.all(Array.from({ length: count }, () => newTab(options))));
  },

  kill: async ({}, use) => {
    await use(async (tab) => (await aimAtTab(pageOf(tab)))());
  },

  aim: async ({}, use) => {
    await use((tab) => aimAtTab(pageOf(tab)));
  },
});
