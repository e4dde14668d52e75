// Real tabs of a real Chromium, each with a process of its own.
import { chromium, type Browser, type BrowserContext, type Page as PlaywrightPage } from 'playwright';
import { ensureBrowser } from '../../tools/browsers.js';
import type { Counts } from '../page/counters.js';
import type { Asked } from '../page/main.js';
import { epochNow, type Server } from './server.js';

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: ensureBrowser('chromium').path,
    args: [
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  });
}

export interface TabOptions {
  /** Its clock can be moved on. */
  clock?: boolean;
  /** It counts what it does. */
  count?: boolean;
}

/** Tabs that share their storage, and one way to a token. */
export class Tabs {
  readonly all: PlaywrightPage[] = [];
  private opened = 0;

  readonly contestant: string;
  readonly server: Server;
  readonly context: BrowserContext;
  private readonly options: TabOptions;

  private constructor(contestant: string, server: Server, context: BrowserContext, options: TabOptions) {
    this.contestant = contestant;
    this.server = server;
    this.context = context;
    this.options = options;
  }

  static async open(
    browser: Browser,
    server: Server,
    contestant: string,
    count: number,
    options: TabOptions = {},
  ): Promise<Tabs> {
    const tabs = new Tabs(contestant, server, await browser.newContext(), options);
    // Fifty tabs on a machine that does other things as well.
    tabs.context.setDefaultTimeout(300_000);
    const first = await tabs.openEmpty();
    await first.evaluate(() => window.bench.create());
    await first.evaluate((tokens) => window.bench.signIn(tokens), server.signIn());
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
    await page.goto(`${this.server.origin}/?${query}`);
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
    const tokens = this.server.signIn();
    for (const tab of this.all) await tab.evaluate((given) => window.bench.signIn(given), tokens);
  }

  /** What all of them did so far. */
  async counts(): Promise<Counts> {
    const each = await Promise.all(this.all.map((tab) => tab.evaluate(() => window.bench.counts)));
    return each.reduce((sum, counts) => {
      for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name];
      return sum;
    });
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}

const AN_HOUR = 3600_000;
