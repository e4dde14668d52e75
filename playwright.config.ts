import { defineConfig } from '@playwright/test';
import { CHROMIUM_FEATURES_OFF, findBrowser } from './tools/browsers.js';

// The tests talk to their own servers on this machine; the browser must not talk to anybody else, nor wait for it.
const chromiumArgs = [
  CHROMIUM_FEATURES_OFF,
  '--disable-background-networking',
  '--disable-client-side-phishing-detection',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--no-default-browser-check',
  '--no-first-run',
  '--no-pings',
  // One name stands for this machine without being a secure context, as an intranet's name does.
  '--host-resolver-rules=MAP app.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  // Chromium's sandbox refuses to start as root (containers, CI).
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];
const firefoxPrefs = {
  // A proxy that is not there, for everybody but this machine.
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'network.proxy.no_proxies_on': 'localhost, 127.0.0.1',
  'privacy.reduceTimerPrecision': false,
  // A process for every tab, as on a machine with room for it.
  'dom.ipc.processPrelaunch.enabled': false,
  'dom.ipc.processCount.webIsolated': 60,
};

// `npm run e2e -- --set …`: see tools/e2e.ts.
const set = process.env['E2E_SET'];
if (set !== undefined && !['smoke', 'core', 'verify', 'verify-without-smoke'].includes(set))
  throw new Error(`there is no set of tests named ${set}`);

const chromium = findBrowser('chromium');
const firefox = findBrowser('firefox');
const webkit = findBrowser('webkit');

export default defineConfig<object, { webDriver: string | undefined }>({
  testDir: 'e2e',
  // A race that shows once in a hundred runs is what this library is about: a retry would hide it.
  retries: 0,
  // Two browsers beside each other: mostly the tests wait. Each takes the next test, whatever its file, so both end at the same time.
  workers: 2,
  fullyParallel: true,
  forbidOnly: true,
  timeout: 120_000,
  // A wait has no limit of its own, only its test's: on a busy machine everything comes, later. A number that has to be kept stands in
  // an assertion, and counts what the library waits for, not the browser.
  expect: { timeout: 0 },
  // So a fault that most tests meet would take an hour to be told.
  maxFailures: set === undefined ? 0 : 10,
  reporter: 'list',
  use: { trace: 'off' },
  // Tests marked @chromium or @firefox are about what that engine alone does (or its driver), those marked @page need a page of
  // Playwright's, those marked @settings a browser that can be set as a user would; the others run in all three engines.
  projects: [
    {
      name: 'firefox',
      workers: 1,
      ...inOtherEngines(set),
      grepInvert: /@chromium/,
      use: {
        browserName: 'firefox',
        // An installed Firefox speaks WebDriver BiDi; Playwright's own build has a protocol of its own.
        ...(firefox === undefined || firefox.own ? {} : { channel: 'moz-firefox' }),
        launchOptions: {
          firefoxUserPrefs: firefoxPrefs,
          ...(firefox === undefined ? {} : { executablePath: firefox.path }),
        },
      },
    },
    {
      name: 'webkit',
      workers: 1,
      ...inOtherEngines(set),
      grepInvert:
        webkit === undefined || webkit.own
          ? /@chromium|@firefox|@settings/
          : /@chromium|@firefox|@settings|@page/,
      use: {
        browserName: 'webkit',
        ...(webkit === undefined || webkit.own ? {} : { webDriver: webkit.path }),
      },
    },
    {
      // The most tests, so last: when the other engines are through, both places are its own.
      name: 'chromium',
      ...(set === 'smoke' || set === 'core' ? { grep: new RegExp(`@${set}`) } : {}),
      grepInvert: notInChromium(set),
      use: {
        browserName: 'chromium',
        launchOptions: {
          args: chromiumArgs,
          ...(chromium === undefined ? {} : { executablePath: chromium.path }),
        },
      },
    },
  ],
});

function inOtherEngines(set: string | undefined): { grep?: RegExp } {
  if (set === undefined) return {};
  return { grep: set === 'core' ? /@core/ : /@core|@engines/ };
}

function notInChromium(set: string | undefined): RegExp {
  if (set === undefined) return /@firefox/;
  return set === 'verify-without-smoke' ? /@firefox|@slow|@smoke/ : /@firefox|@slow/;
}
