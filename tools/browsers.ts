/**
 * Finds the browsers that the end-to-end tests drive, and gets them where they are missing: an installed one first, then Playwright's
 * own download (with a time limit, since it may be blocked), then, as root, the system's packages. A browser that cannot be had is an
 * error with the command to run, never a skipped test.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright';

interface Browser {
  /** Where Playwright's own build would be. */
  own: string;
  /** Overrides every search. */
  env: string;
  /** Names on PATH and full paths, best first. */
  installed: string[];
  /** Debian package. */
  package?: string;
}

/** One line per engine; its launch options are a project in playwright.config.ts. */
const browsers = {
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
    package: 'chromium',
  },
} satisfies Partial<Record<'chromium' | 'firefox' | 'webkit', Browser>>;

export type BrowserName = keyof typeof browsers;
export const browserNames = Object.keys(browsers) as BrowserName[];

/** The executable to launch, or `undefined` where there is none. */
export function findBrowser(name: BrowserName): string | undefined {
  const { env, installed, own }: Browser = browsers[name];
  const given = process.env[env];
  if (given) {
    if (existsSync(given)) return given;
    throw new Error(`${env} names a file that does not exist: ${given}`);
  }
  const directories = (process.env['PATH'] ?? '').split(path.delimiter);
  return [
    ...installed.flatMap((file) =>
      path.isAbsolute(file) ? [file] : directories.map((directory) => path.join(directory, file)),
    ),
    own,
  ].find((file) => existsSync(file));
}

/** Finds the browser or installs it; throws with the command to run where neither works. */
export function ensureBrowser(name: BrowserName): string {
  const { env, package: systemPackage }: Browser = browsers[name];
  const attempts: [command: string[], timeLimitMs: number][] = [
    [[process.execPath, 'node_modules/playwright/cli.js', 'install', name], 120_000],
  ];
  if (systemPackage !== undefined && process.getuid?.() === 0) {
    attempts.push([['apt-get', 'update'], 120_000], [['apt-get', 'install', '-y', systemPackage], 600_000]);
  }

  let found = findBrowser(name);
  for (const [[file = '', ...args], timeout] of attempts) {
    if (found) break;
    console.log(`${name} is not installed; trying: ${path.basename(file)} ${args.join(' ')}`);
    // An installer's word is not needed: what counts is whether the browser is there afterwards.
    spawnSync(file, args, { stdio: 'inherit', timeout, killSignal: 'SIGKILL' });
    found = findBrowser(name);
  }
  if (found) return found;
  const byHand = systemPackage === undefined ? '' : `, or: sudo apt-get install -y ${systemPackage}`;
  throw new Error(
    `No ${name} found. Run: npx playwright install --with-deps ${name}${byHand}. Or set ${env} to an executable.`,
  );
}
