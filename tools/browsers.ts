/**
 * Finds the browsers that the end-to-end tests drive, and gets them where they are missing: an installed one first, then Playwright's
 * own download (with a time limit, since it may be blocked), then, as root, the system's packages. A browser that cannot be had is an
 * error with the command to run, never a skipped test.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { chromium, firefox, webkit } from 'playwright';

interface Browser {
  /** Where Playwright's own build would be. */
  own: string;
  /** Overrides every search. */
  env: string;
  /** Names on PATH and full paths, best first. */
  installed: string[];
  /** The needs of an installed one: whether it is there. */
  usable?: () => boolean;
  /** Debian packages. */
  packages: string[];
}

/** One line per engine; its launch options are a project in playwright.config.ts. */
const browsers: Record<'chromium' | 'firefox' | 'webkit', Browser> = {
  chromium: {
    own: chromium.executablePath(),
    env: 'CHROMIUM_PATH',
    installed: [
      'chromium',
      'chromium-browser',
      'google-chrome-stable',
      'google-chrome',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
    packages: ['chromium'],
  },
  firefox: {
    own: firefox.executablePath(),
    env: 'FIREFOX_PATH',
    installed: ['firefox-esr', 'firefox', '/Applications/Firefox.app/Contents/MacOS/firefox'],
    packages: ['firefox-esr'],
  },
  webkit: {
    own: webkit.executablePath(),
    env: 'WEBKIT_DRIVER_PATH',
    // Not a browser but its driver, which knows the browser it starts; that one needs a display.
    installed: ['WebKitWebDriver'],
    usable: () => Boolean(process.env['DISPLAY']) || onPath('Xvfb') !== undefined,
    packages: ['webkit2gtk-driver', 'xvfb', 'xauth'],
  },
};

/**
 * Two pages that Chromium's address bar loads into every window: together they take as much processor time as seven tabs of the tests.
 */
export const ADDRESS_BAR_PAGES = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'];

/** For a Chromium that Playwright launches. Of several lists the last one counts, so Playwright's own is in it, as far as it matters here. */
export const CHROMIUM_FEATURES_OFF = `--disable-features=${[
  'AimEnabled',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'BlockOriginHeaderModificationOnRedirect',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'NetworkTimeServiceQuerying',
  'OptimizationHints',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'Translate',
  ...ADDRESS_BAR_PAGES,
].join()}`;

export type BrowserName = keyof typeof browsers;
export const browserNames = Object.keys(browsers) as BrowserName[];

export interface FoundBrowser {
  /** The executable to launch; for an installed WebKit, its WebDriver. */
  path: string;
  /** Playwright's own build, which is driven in Playwright's own way. */
  own: boolean;
}

/** What to launch, or `undefined` where there is none. */
export function findBrowser(name: BrowserName): FoundBrowser | undefined {
  const { env, installed, own, usable = () => true } = browsers[name];
  const given = process.env[env];
  if (given) {
    if (existsSync(given)) return { path: given, own: given === own };
    throw new Error(`${env} names a file that does not exist: ${given}`);
  }
  const found = installed.map(onPath).find((file) => file !== undefined);
  if (found !== undefined && usable()) return { path: found, own: false };
  return existsSync(own) ? { path: own, own: true } : undefined;
}

/** The first executable of this name, or the file of this absolute path. */
function onPath(file: string): string | undefined {
  const directories = path.isAbsolute(file) ? [''] : (process.env['PATH'] ?? '').split(path.delimiter);
  return directories.map((directory) => path.join(directory, file)).find((full) => existsSync(full));
}

/** Finds the browser or installs it; throws with the command to run where neither works. */
export function ensureBrowser(name: BrowserName): FoundBrowser {
  const { env, packages } = browsers[name];
  const attempts: [command: string[], timeLimitMs: number][] = [
    [[process.execPath, 'node_modules/playwright/cli.js', 'install', name], 120_000],
  ];
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  if (process.getuid?.() === 0) attempts.push([['apt-get', 'update'], 120_000], [install, 600_000]);

  let found = findBrowser(name);
  for (const [[file = '', ...args], timeout] of attempts) {
    if (found) break;
    console.log(`${name} is not installed; trying: ${path.basename(file)} ${args.join(' ')}`);
    // An installer's word is not needed: the browser has to be there afterwards.
    spawnSync(file, args, {
      stdio: 'inherit',
      timeout,
      killSignal: 'SIGKILL',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    found = findBrowser(name);
  }
  if (found) return found;
  throw new Error(
    `No ${name} found. Run: npx playwright install --with-deps ${name}, or: sudo ${install.join(' ')}. ` +
      `Or set ${env} to an executable.`,
  );
}
