/**
 * `npm run sim:test`: the simulator's part of `npm test` and `npm run verify`, in at most about the time given (--seconds, default 75).
 * Schedules that once broke an invariant, or do so when a guard is missing; worlds made by hand; schedules without faults, with everything,
 * between processes with leases, beside a refresh worker, with sessions that end as announced, and beside a hostile script; and three
 * mutants, to see that the simulator still sees.
 *
 * The same schedules each time, so that a commit passes or it does not: each change of the core shifts what they bring. `--fresh` takes
 * others, as the campaigns do, and prints their seed.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Plan, Profile } from './world/plan.js';
import { runSchedule } from './world/run.js';
import { report } from './world/summary.js';
import { regressions } from './regressions.js';
import { scenarios } from './scenarios.js';
import { runCampaign } from './jobs.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '75' },
    seed: { type: 'string', default: '1' },
    fresh: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const seed = values.fresh ? Math.floor(Date.now() / 1000) : Number(values.seed);
/** So many seeds of each world that is made by hand. */
const EACH = 20;
const root = path.join(import.meta.dirname, '..');

let failed = false;
for (const { guard, profile, seed } of regressions) await tryOne(guard, profile, seed);
console.log(`${regressions.length} schedules in which a guard once was missed`);
for (const { guard, plan } of scenarios) {
  for (let n = 0; n < EACH; n++) await tryOne(guard, 'everything', seed + n, plan);
}
console.log(`${scenarios.length} worlds made by hand, seeds ${seed} to ${seed + EACH - 1}`);

await campaign('no-faults', 0.15, 8);
await campaign('everything', 0.3, 40);
await campaign('worker', 0.15, 6);
await campaign('two-apps', 0.1, 6);
for (const profile of ['redis', 'postgres', 'folder'] as const) await campaign(profile, 0.05, 2);
await campaign('endings', 0.1, 4);
await campaign('hostile', 0.07, 3);
if (!failed) {
  const { status } = spawnSync(
    process.execPath,
    [...process.execArgv, path.join(root, 'sim/try-mutants.ts'), '--canary'],
    {
      stdio: 'inherit',
    },
  );
  failed = status !== 0;
}
process.exitCode = failed ? 1 : 0;

/** One schedule in which this guard is needed; with it nothing is to happen. */
async function tryOne(guard: string, profile: Profile, seed: number, plan?: Partial<Plan>): Promise<void> {
  const { violation } = await runSchedule(seed, profile, { plan });
  if (!violation) return;
  failed = true;
  console.log(`seed ${seed}, ${profile} (${guard}): ${violation.invariant} ${violation.message}`);
}

/** So many schedules for each second of the whole run, at most, and in this part of its time. */
async function campaign(profile: Profile, part: number, each: number): Promise<void> {
  if (failed) return;
  const start = performance.now();
  const summary = await runCampaign({
    profile,
    seed,
    schedules: Math.round(seconds * each),
    seconds: seconds * part,
    keepGoing: true,
    jobs: 1,
  });
  const took = (performance.now() - start) / 1000;
  const [head, ...rest] = report(summary, { profile, seed, seconds: took, jobs: 1 }).split('\n');
  const [first] = summary.violations;
  failed = first !== undefined;
  console.log(first ? [head, ...rest].join('\n') : [head, ...rest.slice(0, 4)].join('\n'));
  if (first) console.log(`see it: npm run sim -- --replay ${first.seed} --profile ${profile}`);
}
