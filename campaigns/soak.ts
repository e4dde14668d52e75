/**
 * `npm run soak -- --minutes M [--seed N] [--json FILE]`: ten tabs, tokens that live one second, refreshed ahead of expiry, while tabs are
 * closed and opened at random. The result must be: one token request per version, and nothing that grows.
 *
 * A tab that is closed with its request on the wire leaves a refresh in doubt: the next tab asks again, and the server, which forgives a
 * replay, answers again. Such repetitions are counted apart; every other request must be the only one of its version.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chromium, type CDPSession, type Page } from 'playwright';
import { startDemoServer, type DemoServer } from '../demo/server/server.js';
import { buildApp, servePages } from '../e2e/harness/app-pages.js';
import { before } from '../e2e/harness/before-page.js';
import { ensureBrowser } from '../tools/browsers.js';
import { writeJson } from '../tools/output.js';
import { seededRandom } from './war/network.js';

const TABS = 10;
/** Tabs that are never closed: a leak shows in them. */
const RESIDENTS = 2;
const SAMPLES = 12;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error('--minutes must be a number above 0');
  process.exit(1);
}
const random = seededRandom(Number(values.seed));

interface Sample {
  heapKb: number;
  listeners: number;
  timers: number;
  recordBytes: number;
  storedKb: number;
}

const server: DemoServer = await startDemoServer({
  keepAlive: false,
  accessTokenTtl: 1,
  forgiveReplayForMs: 30_000,
  pages: servePages(await buildApp(), {
    signIn: (user) => server.signIn(user),
    authorize: (user) => server.authorize(user),
    report: () => {},
    nextOrder: () => new Promise(() => {}),
    greet: () => {},
    complain: (message) => faults.push(message),
  }),
});
const faults: string[] = [];
const browser = await chromium.launch({
  executablePath: ensureBrowser('chromium').path,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
const context = await browser.newContext();

let opened = 0;
async function open(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${server.url}/?tab=tab-${++opened}&${new URLSearchParams(before('countTimers'))}`);
  await page.waitForFunction(() => 'lab' in window);
  return page;
}

async function sample(page: Page, session: CDPSession): Promise<Sample> {
  // The test page's own memory is not the library's.
  await page.evaluate(() => {
    window.lab.events.length = 0;
    window.lab.history.length = 0;
    performance.clearResourceTimings();
  });
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  const metric = (name: string): number => metrics.find((one) => one.name === name)?.value ?? NaN;
  const inPage = await page.evaluate(async () => ({
    timers: window.timers?.size ?? NaN,
    recordBytes: JSON.stringify(await window.lab.readRecord()).length,
    storedKb: Math.round(((await navigator.storage.estimate()).usage ?? NaN) / 1024),
  }));
  return {
    heapKb: Math.round(metric('JSHeapUsedSize') / 1024),
    listeners: metric('JSEventListeners'),
    ...inPage,
  };
}

const tabs: Page[] = [];
for (let i = 0; i < TABS; i++) tabs.push(await open());
const residents = await Promise.all(
  tabs.slice(0, RESIDENTS).map(async (page) => {
    const session = await context.newCDPSession(page);
    await session.send('Performance.enable');
    await session.send('HeapProfiler.enable');
    return { page, session };
  }),
);
await tabs[0]?.evaluate(() => window.lab.signIn('alice'));

const samples: Sample[][] = [];
const startedAt = Date.now();
const end = startedAt + minutes * 60_000;
let nextSample = startedAt + Math.min(30_000, (end - startedAt) / SAMPLES);
while (Date.now() < end) {
  await sleep(500 + random() * 2_500);
  const index = RESIDENTS + Math.floor(random() * (TABS - RESIDENTS));
  await tabs[index]?.close();
  tabs[index] = await open();
  if (Date.now() < nextSample) continue;
  nextSample = Date.now() + (end - startedAt) / SAMPLES;
  samples.push(await Promise.all(residents.map(({ page, session }) => sample(page, session))));
  const at = `${((Date.now() - startedAt) / 60_000).toFixed(1)} min`;
  console.log(`${at}: ${server.log.refreshes().length} requests, ${JSON.stringify(samples.at(-1))}`);
}

// The last pair lives long, so that the count stands still when it is read.
server.settings.accessTokenTtl = 3600;
await sleep(3_000);
const ends = await Promise.all(tabs.map((page) => page.evaluate(() => window.lab.coordinator.getSnapshot())));
const requests = server.log.refreshes();
const repetitions = requests.filter((entry) => entry.replayed === true).length;
// A request that was cut off before the server decided is one that its repetition makes up for as well.
const undecided = requests.filter((entry) => entry.decided === undefined && entry.replayed !== true).length;
const refused = requests.filter((entry) => (entry.decided?.status ?? 200) !== 200).length;
const version = Math.max(...ends.map((snapshot) => snapshot.version));
const versions = version - 1;
const requestsPerVersion = (requests.length - repetitions - undecided) / versions;

const mean = (part: Sample[][], key: keyof Sample): number => {
  const all = part.flat().map((one) => one[key]);
  return all.reduce((sum, value) => sum + value, 0) / all.length;
};
const third = Math.ceil(samples.length / 3);
const [early, late] = [samples.slice(0, third), samples.slice(-third)];
/** How much more there may be at the end than at the start: noise of the garbage collector and of database files, not growth. */
const slack: Record<keyof Sample, (before: number) => number> = {
  heapKb: (kb) => kb * 0.15 + 300,
  listeners: () => 2,
  timers: () => 1,
  recordBytes: (bytes) => bytes * 0.5,
  storedKb: (kb) => kb + 4_096,
};
const growth = Object.entries(slack).map(([key, allowed]) => {
  const name = key as keyof Sample;
  const [from, to] = [mean(early, name), mean(late, name)];
  return { name, from, to, grows: !(to <= from + allowed(from)) };
});

const problems = [
  ...(versions > 0 && requestsPerVersion === 1
    ? []
    : [`${requestsPerVersion.toFixed(3)} requests per version`]),
  ...(refused === 0 ? [] : [`${refused} requests were refused`]),
  ...(ends.every((snapshot) => snapshot.status === 'signed-in' && snapshot.version === version)
    ? []
    : ['not every tab ended with the same version']),
  ...growth.filter(({ grows }) => grows).map(({ name, from, to }) => `${name} grew from ${from} to ${to}`),
  ...faults.map((fault) => `uncaught: ${fault}`),
];
const report = {
  minutes,
  seed: Number(values.seed),
  tabsOpened: opened,
  versions,
  requests: requests.length,
  repetitionsOfLostAnswers: repetitions,
  cutOffBeforeTheServer: undecided,
  requestsPerVersion,
  growth,
  problems,
};
console.log(JSON.stringify(report, null, 2));
writeJson(values.json, report);
await browser.close();
await server.close();
process.exitCode = problems.length > 0 ? 1 : 0;
