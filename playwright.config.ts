import { defineConfig } from '@playwright/test';
import { findBrowser } from './tools/browsers.js';

// The tests talk to their own servers on this machine; the browser must not talk to anybody else, nor wait for it.
const chromiumArgs = [
  '--disable-background-networking',
  '--disable-client-side-phishing-detection',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--no-default-browser-check',
  '--no-first-run',
  '--no-pings',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  // Chromium's sandbox refuses to start as root (containers, CI).
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];
const chromium = findBrowser('chromium');

export default defineConfig({
  testDir: 'e2e',
  // A race that shows once in a hundred runs is what this library is about: a retry would hide it, a busy machine would blur it.
  retries: 0,
  workers: 1,
  forbidOnly: true,
  timeout: 60_000,
  reporter: 'list',
  use: { trace: 'off' },
  projects: [
    {
      name: 'chromium',
      use: {
        browserName: 'chromium',
        launchOptions: {
          args: chromiumArgs,
          ...(chromium === undefined ? {} : { executablePath: chromium }),
        },
      },
    },
  ],
});
