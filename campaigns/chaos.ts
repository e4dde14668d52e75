/**
 * `npm run chaos -- --rounds N --seed S`: tabs of a real Chromium refresh at a real authorization server (oidc-provider), and in every
 * round something happens to them at a moment of the refresh that is aimed at. The server's log is the judge.
 *
 *     npm run chaos -- --rounds 100 --seed 1 [--mode page|worker] [--server strict|grace|dpop] [--faults dying|worker|all]
 *         [--worker-process own|tab] [--deadline MS] [--first N] [--seconds N] [--jobs N] [--json FILE] [--ledger docs/ledgers/chaos.jsonl]
 *
 * `--faults dying`: tabs are closed, reloaded, navigated, frozen, killed with SIGKILL; `worker`: the refresh worker is stopped, killed,
 * unregistered; `all`: those and everything else. A seed replays the same faults: `--seed S --first N --rounds 1` plays round N again.
 * `--json` writes the figures, and what came of each round, as one object. A fault that did not strike is counted as missed, and its
 * round as nothing.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBrowser } from '../tools/browsers.js';
import { buildPages } from '../tools/build-pages.js';
import { judge, type Verdict } from './chaos/judge.js';
import { BLOCK, planOf, type Mode, type Selection } from './chaos/plan.js';
import { playRound } from './chaos/round.js';
import { figuresOf, table } from './chaos/table.js';
import { launchBrowser, World, type Browser, type ServerKind, type WorldSettings } from './chaos/world.js';
import { commit, readNumber, writeJson } from '../tools/output.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string' },
    first: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '86400' },
    mode: { type: 'string', default: 'worker' },
    server: { type: 'string', default: 'strict' },
    faults: { type: 'string', default: 'all' },
    'worker-process': { type: 'string', default: 'own' },
    /** `refreshTimeoutMs`; a busy machine needs more. */
    deadline: { type: 'string', default: '2000' },
    /** Browsers side by side. */
    jobs: { type: 'string', default: '2' },
    json: { type: 'string' },
    ledger: { type: 'string' },
  },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : numberOf('seed');
const rounds = numberOf('rounds');
const first = numberOf('first');
const seconds = numberOf('seconds');
const jobs = numberOf('jobs');
const mode = oneOf<Mode>('mode', 'page', 'worker');
const server = oneOf<ServerKind>('server', 'strict', 'grace', 'dpop');
const selection = oneOf<Selection>('faults', 'dying', 'worker', 'all');
const workerProcess = oneOf<'own' | 'tab'>('worker-process', 'own', 'tab');
if (mode === 'page' && selection === 'worker') complain('--faults worker needs --mode worker');

const settings: WorldSettings = { mode, server, workerProcess, refreshTimeoutMs: numberOf('deadline') };
console.log(
  `chaos: seed ${seed}, rounds ${first} to ${first + rounds - 1}, ${mode} mode, ${server} server, faults: ${selection}` +
    (mode === 'worker' ? `, worker in ${workerProcess === 'own' ? 'a process of its own' : 'a tab'}` : ''),
);

const builtFrom = commit();
const page = await buildPages('campaigns/chaos/page', ['index.html'], { minify: false });
const executable = ensureBrowser('chromium').path;
const verdicts: Verdict[] = [];
let broken = 0;
let chromiumVersion = '';
let end = performance.now() + seconds * 1000;
// Asked to stop, a campaign ends with the rounds that are being played, and says what it has.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (end = 0));

// Whole blocks, so that a round has the same tabs whatever the number of browsers.
const blocks: number[][] = [];
for (let round = first; round < first + rounds; round++) {
  if (round === first || round % BLOCK === 0) blocks.push([]);
  blocks.at(-1)!.push(round);
}
await Promise.all(Array.from({ length: Math.min(jobs, blocks.length) }, play));

verdicts.sort((a, b) => a.round - b.round);
const figures = figuresOf(verdicts, broken);
console.log(`\n${table(verdicts, broken)}\n`);
if (figures.byPages > 0)
  console.log(`${figures.byPages} requests were sent by pages, since no worker answered in time`);
for (const [reason, count] of Object.entries(figures.lost)) console.log(`lost, ${reason}: ${count}`);
if (figures.missed > 0) console.log(`missed (not counted): ${figures.missed}`);
if (broken > 0) console.log(`not played: ${broken}`);
console.log(`seed ${seed}: ${figures.violations} rounds with a violation in ${figures.rounds}`);

writeJson(values.json, { seed, mode, server, ...figures, verdicts });
if (values.ledger !== undefined) {
  mkdirSync(path.dirname(values.ledger), { recursive: true });
  const { ledger: _, json: __, ...asked } = values;
  const line = {
    date: new Date().toISOString().slice(0, 10),
    commit: builtFrom,
    command: `npm run chaos -- ${Object.entries({ ...asked, seed })
      .map(([name, value]) => `--${name} ${value}`)
      .join(' ')}`,
    chromium: chromiumVersion,
    ...figures,
    violating: verdicts.filter(({ violations }) => violations.length > 0).map(({ round }) => round),
  };
  appendFileSync(values.ledger, `${JSON.stringify(line)}\n`);
}
// Rounds that prove nothing are no success either.
process.exitCode = figures.violations > 0 || figures.rounds === 0 || broken > verdicts.length / 10 ? 1 : 0;

/** One browser, block after block; another one after a round that could not be played. */
async function play(): Promise<void> {
  let browser: Browser | undefined;
  for (let block = blocks.shift(); block && performance.now() < end; block = blocks.shift()) {
    let world: World | undefined;
    for (const round of block) {
      if (performance.now() > end) break;
      const plan = planOf(seed, round, selection, mode);
      try {
        browser ??= await launchBrowser(executable);
        chromiumVersion = browser.version;
        world ??= await World.open(browser, page, settings);
        record(judge(await playRound(world, plan), mode, server, settings.refreshTimeoutMs));
      } catch (error) {
        broken++;
        const [why] = String(error).split('\n');
        console.log(
          `round ${round} (${plan.moment}: ${JSON.stringify(plan.strikes)}) was not played: ${why}`,
        );
        await world?.close().catch(() => {});
        await browser?.close().catch(() => {});
        world = browser = undefined;
      }
    }
    await world?.close();
  }
  await browser?.close();
}

function record(verdict: Verdict): void {
  verdicts.push(verdict);
  const { round, what, moment, tabs, violations, missed, lost, ms } = verdict;
  if (violations.length > 0)
    console.log(
      `round ${round}: ${what} ${moment && `at ${moment}`}, ${tabs} tabs: ${violations.join('; ')}`,
    );
  else if (process.env['CHAOS_VERBOSE'] !== undefined)
    console.log(`round ${round}: ${what} ${moment} ${tabs} tabs ${ms} ms ${lost ?? ''} ${missed.join('; ')}`);
  if (verdicts.length % 25 === 0) console.log(`${verdicts.length} rounds`);
}

function oneOf<T extends string>(name: keyof typeof values, ...allowed: T[]): T {
  const value = values[name] as T;
  if (!allowed.includes(value)) complain(`--${name} must be one of: ${allowed.join(', ')}`);
  return value;
}

function numberOf(name: keyof typeof values): number {
  return readNumber(name, values[name]!);
}

function complain(message: string): never {
  console.error(message);
  process.exit(2);
}
