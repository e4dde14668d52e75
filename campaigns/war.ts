/**
 * `npm run war`: the same tabs, the same network, the same strict authorization server, and seven ways to come by a fresh token.
 *
 *     npm run war -- --tabs 10 --expiries 200 [--rivals 100] [--mode one-refresh] [--json war.json] [--svg docs/war.svg] [--ledger docs/ledgers/war.jsonl]
 *
 * Every tab asks for a token at random moments and refreshes when its own clock says that the one it has is over. The authorization server
 * (oidc-provider) revokes the grant when a refresh token is replayed, so that a lost race means a login. Durations are scaled down, in
 * proportion: a token lives for a part of a second rather than for minutes, and the network takes its usual tens of milliseconds, which
 * makes collisions much more frequent than in the field. The rates compare the ways; they predict no site's.
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { CHROMIUM_FEATURES_OFF, ensureBrowser } from '../tools/browsers.js';
import { commit, writeJson } from '../tools/output.js';
import { measureAddedLatency } from './war/added-latency.js';
import { campaign, type WarSettings } from './war/campaign.js';
import { modes } from '../demo/src/rivals/modes.js';
import { buildPages } from '../tools/build-pages.js';
import { picture } from './war/picture.js';
import { table, type Result } from './war/table.js';

const { values } = parseArgs({
  options: {
    tabs: { type: 'string', default: '10' },
    expiries: { type: 'string', default: '200' },
    /** For the ways that are not one-refresh; default: as many. Rates of some ten percent need fewer than a rate of zero. */
    rivals: { type: 'string' },
    /** One of the seven; again for another one. Default: all. */
    mode: { type: 'string', multiple: true },
    life: { type: 'string', default: '400' },
    think: { type: 'string', default: '800' },
    delay: { type: 'string', default: '5-35' },
    loss: { type: 'string', default: '0' },
    clock: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    svg: { type: 'string' },
    ledger: { type: 'string' },
  },
});
const [minMs = 0, maxMs = minMs] = values.delay.split('-').map(Number);
const settings: WarSettings & { rivals: number } = {
  tabs: Number(values.tabs),
  expiries: Number(values.expiries),
  rivals: Number(values.rivals ?? values.expiries),
  lifeMs: Number(values.life),
  thinkMs: Number(values.think),
  minMs,
  maxMs,
  loss: Number(values.loss),
  clockMs: Number(values.clock),
  seed: Number(values.seed),
};
const unknown = values.mode?.filter((name) => !modes.some((mode) => mode.name === name)) ?? [];
const wrong = Object.entries(settings).filter(([, value]) => !(value >= 0));
if (
  unknown.length > 0 ||
  wrong.length > 0 ||
  settings.tabs < 1 ||
  settings.expiries < 1 ||
  settings.rivals < 1
) {
  if (unknown.length > 0) console.error(`--mode must be one of: ${modes.map(({ name }) => name).join(', ')}`);
  else
    console.error(
      '--tabs, --expiries and --rivals must be at least 1, and all durations and shares numbers of at least 0',
    );
  process.exit(2);
}
const chosen = modes.filter(({ name }) => values.mode?.includes(name) ?? true);

const about =
  `${settings.tabs} tabs; a token lives ${settings.lifeMs} ms, each tab asks about every ${settings.thinkMs} ms; ` +
  `network ${minMs}–${maxMs} ms each way; clocks up to ±${settings.clockMs} ms` +
  (settings.loss > 0 ? `; ${settings.loss * 100} % of the answers lost` : '');
console.log(about);

const page = await buildPages('campaigns/war/page', ['index.html']);
const browser = await chromium.launch({
  executablePath: ensureBrowser('chromium').path,
  args: [
    CHROMIUM_FEATURES_OFF,
    '--disable-background-networking',
    '--disable-component-update',
    '--no-first-run',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  ],
});
const results: Result[] = [];
try {
  for (const mode of chosen) {
    const expiries = mode.client === 'library' ? settings.expiries : settings.rivals;
    const show = (done: number) => {
      if (process.stdout.isTTY) process.stdout.write(`\r${mode.name}: ${done} of ${expiries}  `);
    };
    const figures = await campaign(browser, page, mode, { ...settings, expiries }, show);
    results.push({ mode: mode.name, ...figures });
    if (process.stdout.isTTY) process.stdout.write(`\r${' '.repeat(60)}\r`);
    else console.log(`${mode.name}: done after ${results.at(-1)?.seconds?.toFixed(0)} s`);
  }
} finally {
  await browser.close();
}
const latency = await measureAddedLatency();

console.log(`\n${table(results)}\n`);
console.log(
  'p50 and p95: time to a token, of the calls that found none that was live and got one without logging in.\n' +
    `A refresh at the token endpoint takes ${latency.without.toFixed(1)} ms here (median, one after another, no network); ` +
    `the session table adds ${latency.sessionTable.toFixed(1)} ms, the version check ${latency.versionCheck.toFixed(1)} ms, ` +
    `both ${latency.both.toFixed(1)} ms.`,
);

const run = {
  date: new Date().toISOString().slice(0, 10),
  commit: commit(),
  command: `npm run war -- ${process.argv.slice(2).join(' ')}`.trim(),
  machine: { processors: cpus().length, node: process.version, chromium: browser.version() },
  settings,
  addedLatencyMs: latency,
  results,
};
writeJson(values.json, run);
if (values.svg !== undefined) write(values.svg, picture(results, `npm run war · ${about}`));
if (values.ledger !== undefined) {
  mkdirSync(path.dirname(values.ledger), { recursive: true });
  appendFileSync(values.ledger, `${JSON.stringify(run)}\n`);
}

// The library's own word: no conflict, no forced login, and without lost answers one request per expiry.
const broken = results.filter(
  ({ mode, conflicts, forcedLogins, requests, expiries }) =>
    mode.startsWith('one-refresh') &&
    settings.loss === 0 &&
    (conflicts > 0 || forcedLogins > 0 || requests !== expiries),
);
for (const { mode } of broken) console.error(`${mode} did not keep its word`);
process.exitCode = broken.length > 0 ? 1 : 0;

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  writeFileSync(file, text);
}
