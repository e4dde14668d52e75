// Real tabs of a real Chromium, each with a process of its own, and with a profile on disk: in the contexts that drivers make, as in private
// windows, IndexedDB lives in memory, where a strict commit costs nothing.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type BrowserContext, type Page as PlaywrightPage } from 'playwright';
import { ensureBrowser } from '../../tools/browsers.js';
import type { TokenResponse } from '../contestants/contestant.js';
import type { Counts } from '../page/counters.js';
import type { Asked } from '../page/main.js';
import { epochNow, type Server } from './server.js';

export interface Chromium {
  readonly context: BrowserContext;
  readonly version: string;
  /** Of all its processes since they began, milliseconds. */
  cpuMs(): Promise<number>;
  close(): Promise<void>;
}

export async function launch(): Promise<Chromium> {
  const profile = mkdtempSync(path.join(tmpdir(), 'one-refresh-bench-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: ensureBrowser('chromium').path,
    args: [
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      '--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  });
  // Fifty tabs on a machine that does other things as well.
  context.setDefaultTimeout(300_000);
  const browser = context.browser()!;
  return {
    context,
    version: browser.version(),
    async cpuMs() {
      const session = await browser.newBrowserCDPSession();
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      await session.detach();
      return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime * 1000, 0);
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

export interface TabOptions {
  /** Its clock can be moved on. */
  clock?: boolean;
  /** It counts what it does. */
  count?: boolean;
}

/** Tabs that share an origin of their own, and one way to a token. */
export class Tabs {
  private static sets = 0;
  readonly all: PlaywrightPage[] = [];
  private opened = 0;

  readonly contestant: string;
  readonly server: Server;
  private readonly context: BrowserContext;
  private readonly origin: string;
  private readonly options: TabOptions;

  private constructor(contestant: string, server: Server, context: BrowserContext, options: TabOptions) {
    this.contestant = contestant;
    this.server = server;
    this.context = context;
    this.origin = `http://set-${++Tabs.sets}.localhost:${server.port}`;
    this.options = options;
  }

  static async open(
    { context }: Chromium,
    server: Server,
    contestant: string,
    count: number,
    options: TabOptions = {},
  ): Promise<Tabs> {
    const tabs = new Tabs(contestant, server, context, options);
    const first = await tabs.openEmpty();
    await first.evaluate(() => window.bench.create());
    await first.evaluate((tokens) => window.bench.signIn(tokens), tabs.tokens());
    while (tabs.all.length < count) {
      const missing = Math.min(10, count - tabs.all.length);
      await Promise.all(Array.from({ length: missing }, () => tabs.openOne()));
    }
    return tabs;
  }

  /** A tab with the code in it, of which nothing has been used. */
  async openEmpty(): Promise<PlaywrightPage> {
    const page = await this.context.newPage();
    const query = new URLSearchParams({ contestant: this.contestant, tab: String(++this.opened) });
    if (this.options.clock) query.set('ahead', String(this.server.aheadMs));
    if (this.options.count) query.set('count', '');
    await page.goto(`${this.origin}/?${query}`);
    await page.evaluate(() => window.bench.loaded);
    this.all.push(page);
    return page;
  }

  /** A tab whose app runs. */
  async openOne(): Promise<PlaywrightPage> {
    const page = await this.openEmpty();
    await page.evaluate(() => window.bench.create());
    return page;
  }

  /** Time passes: by default as much as lets every token expire. */
  async expire(byMs = AN_HOUR): Promise<void> {
    this.server.aheadMs += byMs;
    const { aheadMs } = this.server;
    await Promise.all(this.all.map((tab) => tab.evaluate((ms) => window.bench.setAhead(ms), aheadMs)));
  }

  /** All ask at the same instant. */
  askAll(tabs = this.all): Promise<Asked[]> {
    // So far ahead that every tab has heard of it.
    const at = epochNow() + 50 + 5 * tabs.length;
    return Promise.all(tabs.map((tab) => tab.evaluate((instant) => window.bench.ask(instant), at)));
  }

  /** After a lost session: the user has signed in, and every tab has the new tokens. */
  async signInAll(): Promise<void> {
    const tokens = this.tokens();
    for (const tab of this.all) await tab.evaluate((given) => window.bench.signIn(given), tokens);
  }

  /** The work of all of them so far. */
  async counts(): Promise<Counts> {
    const each = await Promise.all(this.all.map((tab) => tab.evaluate(() => window.bench.counts)));
    return each.reduce((sum, counts) => {
      for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name];
      return sum;
    });
  }

  /** A tab that was closed already stays closed. */
  async close(): Promise<void> {
    await Promise.all(this.all.map((tab) => tab.close()));
  }

  private tokens(): TokenResponse {
    return this.server.signIn(this.origin);
  }
}

const AN_HOUR = 3600_000;
