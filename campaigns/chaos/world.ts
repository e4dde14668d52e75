// One browser, and in it one window after another: tabs of the chaos page against a server of their own.
import { readdir, readFile } from 'node:fs/promises';
import type http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type BrowserContext, type CDPSession, type Page } from 'playwright';
import { startDemoServer, type DemoServer } from '../../demo/server/server.js';
import type { TokenEndpointMiddleware } from '../../demo/server/token-endpoint.js';
import { launchChromium } from '../../e2e/engines/native-chromium.js';
import { rendererOf } from '../../e2e/harness/kill-tab.js';
import type { BuiltPages } from '../../tools/build-pages.js';
import type { Mode, Moment } from './plan.js';

export type ServerKind = 'strict' | 'grace' | 'dpop';

export interface WorldSettings {
  mode: Mode;
  server: ServerKind;
  /** Where Chromium hosts the worker: in a process of its own, or in some tab's. */
  workerProcess: 'own' | 'tab';
  refreshTimeoutMs: number;
}

/** The notes of a tab or the worker. */
export interface Note {
  by: string;
  what: string;
  at: number;
  sessionId?: string;
  version?: number;
  reason?: string;
  from?: string;
}

/** A moment of the refresh at which somebody waits. */
export interface Gate {
  /** The participant that waits there. */
  readonly arrived: Promise<string>;
  release(orders?: object): void;
  /** Where the request itself stands still: its connection is reset. */
  drop(): void;
}

export interface Tab {
  readonly id: string;
  readonly page: Page;
  readonly session: CDPSession;
  /** `elsewhere`: at another page of the origin. */
  state: 'there' | 'frozen' | 'elsewhere' | 'gone';
}

export interface Browser {
  readonly context: BrowserContext;
  readonly version: string;
  /** Processes with a service worker in them. */
  workerProcesses(): Promise<number[]>;
  close(): Promise<void>;
}

/** As its users have it: pages freeze, hide and go to the back/forward cache. */
export async function launchBrowser(executable: string): Promise<Browser> {
  const args = [
    '--disable-background-networking',
    '--disable-component-update',
    '--no-default-browser-check',
    '--no-first-run',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  ];
  const launched = await launchChromium(executable, args, 'about:blank');
  const browser = await chromium
    .connectOverCDP(await launched.devTools, { noDefaults: true, timeout: 120_000 })
    .catch(async (error: unknown) => {
      await launched.stop();
      throw error;
    });
  const [context] = browser.contexts();
  if (context === undefined) throw new Error('Chromium has no window');
  const session = await browser.newBrowserCDPSession();
  return {
    context,
    version: browser.version(),
    async workerProcesses() {
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
      const hosts = await Promise.all(renderers.map(hostsServiceWorker));
      return renderers.filter((_, n) => hosts[n]);
    },
    async close() {
      await browser.close();
      await launched.stop();
    },
  };
}

/** Chromium names the thread of a service worker so. */
export async function hostsServiceWorker(pid: number): Promise<boolean> {
  try {
    const tasks = await readdir(`/proc/${pid}/task`);
    const names = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/comm`, 'utf8')));
    return names.some((name) => name.startsWith('ServiceWorker'));
  } catch {
    return false;
  }
}

export class World {
  readonly tabs: Tab[] = [];
  readonly notes: Note[] = [];
  /** Uncaught errors of any tab. */
  readonly complaints: string[] = [];
  server!: DemoServer;
  duplicates = 0;
  /** Of earlier rounds: their reports are not this round's. */
  readonly pastSessions = new Set<string>();
  #browser: Browser;
  #settings: WorldSettings;
  #gate: { at: Moment; arrive: (by: string) => void; order: Promise<object> } | undefined;
  #opened = 0;

  private constructor(browser: Browser, settings: WorldSettings) {
    this.#browser = browser;
    this.#settings = settings;
  }

  static async open(browser: Browser, page: BuiltPages, settings: WorldSettings): Promise<World> {
    const world = new World(browser, settings);
    world.server = await startDemoServer({
      // One fetch is one request.
      keepAlive: false,
      accessTokenTtl: 600,
      forgiveReplayForMs: settings.server === 'grace' ? 10_000 : 0,
      rotate: settings.server !== 'dpop',
      network: world.#network(),
      pages: async () => ({
        handle: (req, res) => world.#handle(page, req, res),
        async close() {},
      }),
    });
    return world;
  }

  get settings(): WorldSettings {
    return this.#settings;
  }

  workerProcesses(): Promise<number[]> {
    return this.#browser.workerProcesses();
  }

  async openTab(): Promise<Tab> {
    const { mode, server, workerProcess, refreshTimeoutMs } = this.#settings;
    const id = `tab-${++this.#opened}`;
    const { issuer, clientId } = this.server.config;
    const query = new URLSearchParams({
      tab: id,
      issuer,
      clientId,
      refreshTimeoutMs: String(refreshTimeoutMs),
      // A busy machine starts a worker slowly, and a tab that does not wait for it can die of the refresh.
      leaderTimeoutMs: '10000',
      ...(mode === 'worker' && { worker: workerProcess }),
      ...(server === 'dpop' && { dpop: '' }),
    });
    const page = await this.#browser.context.newPage();
    page.on('pageerror', (error) => this.complaints.push(`${id}: ${error.message}`));
    const session = await this.#browser.context.newCDPSession(page);
    const tab: Tab = { id, page, session, state: 'there' };
    page.on('crash', () => (tab.state = 'gone'));
    await page.goto(`${this.server.url}/?${query}`);
    await this.ready(tab);
    this.tabs.push(tab);
    return tab;
  }

  /** Resolves when the page there can be asked. */
  async ready({ id, page }: Tab): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      const isThere = await within(
        1_000,
        page.evaluate(() => 'chaos' in window),
      ).catch(() => false);
      if (isThere) return;
      await sleep(20);
    }
    throw new Error(`${id} did not load`);
  }

  async closeTab(tab: Tab): Promise<void> {
    tab.state = 'gone';
    await tab.page.close();
  }

  /** Tabs that can be asked. */
  there(): Tab[] {
    return this.tabs.filter(({ state }) => state === 'there');
  }

  pidOf(tab: Tab): Promise<number> {
    return rendererOf(tab.page);
  }

  /** The next participant that comes to this moment waits there. */
  gate(at: Moment): Gate {
    if (at === 'on-the-wire' || at === 'server-committed') {
      const held = this.server.faults.hold(at === 'on-the-wire' ? 'before' : 'after');
      return {
        arrived: held.arrived.then(({ form }) => form.get('x_tab') ?? ''),
        release: () => held.release(),
        drop: () => held.drop(),
      };
    }
    let arrive!: (by: string) => void;
    let release!: (orders: object) => void;
    const arrived = new Promise<string>((resolve) => (arrive = resolve));
    const order = new Promise<object>((resolve) => (release = resolve));
    this.#gate = { at, arrive, order };
    return { arrived, release: (orders = {}) => release(orders), drop: () => release({}) };
  }

  /** Nobody is held up or disturbed any more. */
  calm(): void {
    this.#gate = undefined;
    this.duplicates = 0;
    this.server.faults.clear();
  }

  async close(): Promise<void> {
    // A closed tab is gone: a worker would otherwise live on in the browser.
    const [tab] = this.there();
    if (tab && this.#settings.mode === 'worker') {
      await within(
        5_000,
        tab.page.evaluate(() => window.chaos.unregisterWorker()),
      ).catch(() => {});
      await tab.session.send('ServiceWorker.enable').catch(() => {});
      await tab.session.send('ServiceWorker.stopAllWorkers').catch(() => {});
    }
    await Promise.all(this.tabs.map(({ page }) => page.close().catch(() => {})));
    await this.server.close();
  }

  /** Delivers a request twice, as a browser does that finds its connection reset, or a proxy that retries. */
  #network(): TokenEndpointMiddleware {
    return (next) => async (request) => {
      const isRefresh = request.form.get('grant_type') === 'refresh_token';
      if (!isRefresh || this.duplicates === 0) return next(request);
      this.duplicates--;
      request.trace.faults.push('delivered twice');
      const first = next(request);
      const second = next({ ...request, trace: { faults: ['delivered again'] } });
      const answers = await Promise.all([first, second]);
      return answers[0];
    };
  }

  async #handle(page: BuiltPages, req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://page');
    const json = (body: unknown): void => {
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (pathname === '/__lab/sign-in') return json(await this.server.signIn(searchParams.get('user') ?? ''));
    if (pathname === '/__lab/authorize')
      return json(await this.server.authorize(searchParams.get('user') ?? ''));
    if (pathname === '/__chaos/moment') {
      const gate = this.#gate;
      if (gate?.at !== searchParams.get('at')) return json({});
      this.#gate = undefined;
      gate.arrive(searchParams.get('by') ?? '');
      return json(await gate.order);
    }
    if (pathname === '/__chaos/notes') {
      this.notes.push({ ...(JSON.parse(await readText(req)) as Note), at: Date.now() });
      res.writeHead(204).end();
      return;
    }
    if (pathname === '/__chaos/elsewhere') {
      res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>elsewhere</title>');
      return;
    }
    const file = page.get(pathname === '/' ? '/index.html' : pathname);
    if (pathname !== '/' && searchParams.get('worker') === 'own')
      res.setHeader('cross-origin-embedder-policy', 'credentialless');
    res.writeHead(file === undefined ? 404 : 200, { 'content-type': file?.type ?? 'text/plain' });
    res.end(file?.body);
  }
}

export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const late = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(ms, undefined, { signal: late.signal }).then(() => {
        throw new Error(`No answer within ${ms} ms`);
      }),
    ]);
  } finally {
    late.abort();
    promise.catch(() => {});
  }
}

async function readText(req: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text;
}
