// Chromium as its users have it. Playwright's own launch keeps every page focused, visible, awake and out of the back/forward cache;
// started by hand and connected to without its defaults, the browser freezes, hides, throttles and caches pages for real.
import { chromium } from '@playwright/test';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ADDRESS_BAR_PAGES } from '../../tools/browsers.js';
import type { Partition } from './engine.js';
import { newPlaywrightTab } from './playwright-engine.js';
import { start } from './process.js';

interface Launched {
  /** Where its DevTools listen. */
  readonly devTools: Promise<string>;
  stop(): Promise<void>;
}

/** Settings that a user may have made: of the whole browser, and of the profile. */
export interface ChromiumSettings {
  browser?: object;
  profile?: object;
}

export async function launchChromium(
  executable: string,
  args: readonly string[],
  url: string,
  settings: ChromiumSettings = {},
): Promise<Launched> {
  const profile = await mkdtemp(path.join(tmpdir(), 'one-refresh-chromium-'));
  await mkdir(path.join(profile, 'Default'));
  await writeFile(path.join(profile, 'Local State'), JSON.stringify(settings.browser ?? {}));
  await writeFile(path.join(profile, 'Default', 'Preferences'), JSON.stringify(settings.profile ?? {}));
  const { child, stop } = start(
    executable,
    [
      ...args,
      // In place of Playwright's list, which may be in `args`: its users have all the rest.
      `--disable-features=${ADDRESS_BAR_PAGES.join()}`,
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      '--password-store=basic',
      '--disable-extensions',
      '--disable-search-engine-choice-screen',
      url,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const devTools = new Promise<string>((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (data: Buffer) => {
      said += data.toString();
      const found = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`Chromium did not start: ${said}`)));
  });
  return {
    devTools,
    async stop() {
      await stop();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

export async function startNativeChromium(
  executable: string,
  args: readonly string[],
  settings?: ChromiumSettings,
): Promise<Partition> {
  const launched = await launchChromium(executable, args, 'about:blank', settings);
  const browser = await chromium.connectOverCDP(await launched.devTools, { noDefaults: true });
  const [context] = browser.contexts();
  if (context === undefined) throw new Error('Chromium has no window');
  return {
    newTab: (place) => newPlaywrightTab(context, place),
    async close() {
      await browser.close();
      await launched.stop();
    },
  };
}
