/**
 * `npm run sim`: runs schedules of the simulated world until one breaks an invariant.
 *
 *     npm run sim -- --schedules 10000 --seed 1 --profile everything --jobs 2 --json sim.json
 *     npm run sim -- --replay 1234 --profile everything [--whole]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Profile } from '../src/testing/simulator/plan.js';
import { shrink } from '../src/testing/simulator/shrink.js';
import { runSchedule } from '../src/testing/simulator/run.js';
import { addUp, emptySummary, merge, report, type Summary } from '../src/testing/simulator/summary.js';
import { describePlan, lines, timeline } from '../src/testing/simulator/timeline.js';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    profile: { type: 'string', default: 'everything' },
    jobs: { type: 'string', default: '1' },
    json: { type: 'string' },
    replay: { type: 'string' },
    whole: { type: 'boolean', default: false },
    /** One line each instead of columns. */
    list: { type: 'boolean', default: false },
    /** Goes on after a violation, and counts. */
    'keep-going': { type: 'boolean', default: false },
    part: { type: 'boolean', default: false },
  },
});
const profile = values.profile as Profile;
if (!['no-faults', 'faults', 'everything'].includes(profile)) {
  console.error('--profile must be no-faults, faults or everything');
  process.exit(2);
}
// Errors are made by the thousand, and nobody reads their stacks.
Error.stackTraceLimit = values.replay === undefined ? 0 : 10;

let running = 0;
process.on('unhandledRejection', (error) => {
  console.error(`seed ${running}: a promise was rejected and nobody cared`, error);
  process.exit(1);
});

if (values.replay !== undefined) await replay(Number(values.replay));
else await campaign();

async function replay(seed: number): Promise<void> {
  running = seed;
  const found = await runSchedule(seed, profile);
  const spared = found.violation && !values.whole ? await shrink(seed, profile, found) : new Set<string>();
  const { notes, violation, injected } = await runSchedule(seed, profile, { spared, trace: true });
  console.log(`seed ${seed}, profile ${profile}\n${describePlan(found)}`);
  if (spared.size > 0)
    console.log(`shrunk to ${injected.length} of ${found.injected.length} faults and actions`);
  console.log(values.list ? lines(notes) : timeline(notes));
  console.log(violation ? `\n${violation.invariant}: ${violation.message}` : '\nno violation');
  process.exitCode = violation ? 1 : 0;
}

async function campaign(): Promise<void> {
  const jobs = Number(values.jobs);
  const schedules = Number(values.schedules);
  const seed = Number(values.seed ?? Math.floor(Date.now() / 1000) % 1e9);
  const start = performance.now();
  const summary = jobs > 1 ? await share(jobs, seed, schedules) : await work(seed, schedules);
  const seconds = (performance.now() - start) / 1000;
  if (values.part) {
    writeFileSync(values.json!, JSON.stringify(summary));
    return;
  }
  console.log(report(summary, { profile, seed, seconds, jobs }));
  if (values.json)
    writeFileSync(values.json, JSON.stringify({ profile, seed, seconds, jobs, ...summary }, null, 2));
  process.exitCode = summary.violations.length > 0 ? 1 : 0;
  const [first] = summary.violations;
  if (first && !values['keep-going']) await replay(first.seed);
}

async function work(seed: number, schedules: number): Promise<Summary> {
  const summary = emptySummary();
  const end = values.seconds === undefined ? Infinity : performance.now() + Number(values.seconds) * 1000;
  for (running = seed; running < seed + schedules && performance.now() < end; running++) {
    addUp(summary, await runSchedule(running, profile));
    if (summary.violations.length > 0 && !values['keep-going']) break;
  }
  return summary;
}

/** One process per job, each with its own range of seeds. */
async function share(jobs: number, seed: number, schedules: number): Promise<Summary> {
  const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-sim-'));
  const size = Math.ceil(schedules / jobs);
  const parts = Array.from({ length: jobs }, (_, n) => path.join(folder, `${n}.json`));
  await Promise.all(
    parts.map((file, n) => {
      const args = ['--part', '--json', file, '--profile', profile, '--seed', String(seed + n * size)];
      args.push('--schedules', String(Math.min(size, schedules - n * size)));
      if (values.seconds !== undefined) args.push('--seconds', values.seconds);
      if (values['keep-going']) args.push('--keep-going');
      const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
        stdio: 'inherit',
      });
      return new Promise((resolve, reject) => {
        child.on('exit', (code) =>
          code === 0 ? resolve(code) : reject(new Error(`job ${n} ended with ${code}`)),
        );
      });
    }),
  );
  const summary = parts.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Summary).reduce(merge);
  rmSync(folder, { recursive: true });
  return summary;
}
