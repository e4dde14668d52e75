// One way of coming by a token, in real tabs of a real Chromium, until so many tokens have expired.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright';
import { createLogins, type Logins } from '../../demo/server/logins.js';
import { startDemoServer, type DemoServer } from '../../demo/server/server.js';
import { figuresOf, type Figures } from './figures.js';
import type { Mode } from '../../demo/src/rivals/modes.js';
import { network, seededRandom } from './network.js';
import type { BuiltPages } from '../../tools/build-pages.js';
import { servePage } from './pages.js';

export interface WarSettings {
  tabs: number;
  expiries: number;
  /** Life of an access token. */
  lifeMs: number;
  /** Mean time between two calls of one tab. */
  thinkMs: number;
  /** The network's way, each direction. */
  minMs: number;
  maxMs: number;
  /** Share of answers lost. */
  loss: number;
  /** The tabs' clocks differ by up to so much from the server's, in both directions. */
  clockMs: number;
  seed: number;
}

export async function campaign(
  browser: Browser,
  page: BuiltPages,
  mode: Mode,
  settings: WarSettings,
  progress: (expiries: number) => void,
): Promise<Figures> {
  const random = seededRandom(settings.seed);
  const signIn = (): Promise<object> => server.signIn('alice');
  const logins: Logins = createLogins(signIn);
  const server: DemoServer = await startDemoServer({
    pages: servePage(page, () => logins),
    // One fetch is one request.
    keepAlive: false,
    accessTokenTtl: 3600,
    sessionTableMs: mode.sessionTable ? 10_000 : 0,
    versionCheck: mode.versionCheck,
    network: network({ ...settings, random }),
  });
  const context = await browser.newContext();
  try {
    const tabs = await Promise.all(
      Array.from({ length: settings.tabs }, async (_, n) => {
        const tab = await context.newPage();
        await tab.addInitScript(
          (offset) => {
            const { now } = Date;
            Date.now = () => now() + offset;
          },
          Math.round((2 * random() - 1) * settings.clockMs),
        );
        const query = new URLSearchParams({
          settings: JSON.stringify({
            tab: `tab-${n + 1}`,
            mode,
            tokenEndpoint: `${server.config.issuer}/token`,
            clientId: server.config.clientId,
            thinkMs: settings.thinkMs,
          }),
        });
        await tab.goto(`${server.url}/?${query}`);
        await tab.evaluate(() => window.war.ready);
        return tab;
      }),
    );
    await tabs[0]?.evaluate(() => window.war.signIn());
    const startedAt = performance.now();
    await Promise.all(tabs.map((tab) => tab.evaluate(() => window.war.fight())));

    const expiries = () => figuresOf(server.log.entries, [], logins.count() - 1).expiries;
    while (expiries() < settings.expiries) {
      if (!browser.isConnected()) throw new Error('The browser has gone');
      await sleep(100);
      progress(expiries());
    }
    const reports = await Promise.all(tabs.map((tab) => tab.evaluate(() => window.war.stop())));
    const seconds = (performance.now() - startedAt) / 1000;
    return { ...figuresOf(server.log.entries, reports, logins.count() - 1), seconds };
  } finally {
    await context.close();
    await server.close();
  }
}
