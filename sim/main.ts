/**
 * `npm run sim`: runs schedules of the simulated world until one breaks an invariant.
 *
 *     npm run sim -- --schedules 10000 --seed 1 --profile everything --json sim.json
 *     npm run sim -- --replay 1234 --profile everything [--scenario WORDS] [--whole] [--list]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Profile } from './world/plan.js';
import { runSchedule } from './world/run.js';
import { shrink } from './world/shrink.js';
import { report } from './world/summary.js';
import { describePlan, lines, timeline } from './world/timeline.js';
import { scenarios } from './scenarios.js';
import { readNumber, writeJson } from '../tools/output.js';
import { runCampaign } from './jobs.js';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000' },
    /** Ends after so many seconds, whatever is left. */
    seconds: { type: 'string' },
    /** Of the first schedule; by default the time of day. */
    seed: { type: 'string' },
    profile: { type: 'string', default: 'everything' },
    /** Processes side by side, each with its own part of the seeds. */
    jobs: { type: 'string', default: String(availableParallelism()) },
    /** Where to write the figures. */
    json: { type: 'string' },
    /** Goes on after a violation, and counts. */
    'keep-going': { type: 'boolean', default: false },
    /** Part of a guard's name: the world that is made by hand for it (sim/scenarios.ts), and the rest from the seed. */
    scenario: { type: 'string' },
    /** Shows the schedule of this seed, shrunk to what its violation needs. */
    replay: { type: 'string' },
    /** Does not shrink it. */
    whole: { type: 'boolean', default: false },
    /** One line each instead of columns. */
    list: { type: 'boolean', default: false },
  },
});
const profile = values.profile as Profile;
const profiles: readonly Profile[] = [
  'no-faults',
  'faults',
  'everything',
  'worker',
  'hostile',
  'two-apps',
  'endings',
  'redis',
  'postgres',
  'folder',
];
if (!profiles.includes(profile)) {
  console.error(`--profile must be one of: ${profiles.join(', ')}`);
  process.exit(2);
}
const { scenario } = values;
const made = scenario === undefined ? undefined : scenarios.find(({ guard }) => guard.includes(scenario));
if (scenario !== undefined && !made) {
  console.error(`--scenario ${scenario}: none is called that`);
  process.exit(2);
}
const plan = made?.plan;
if (values.replay === undefined) await campaign();
else process.exitCode = (await replay(readNumber('replay', values.replay))) ? 1 : 0;

async function campaign(): Promise<void> {
  const jobs = readNumber('jobs', values.jobs, 1);
  const seed = readNumber('seed', values.seed ?? String(Math.floor(Date.now() / 1000)));
  const schedules = readNumber('schedules', values.schedules, 1);
  const seconds = values.seconds === undefined ? undefined : readNumber('seconds', values.seconds);
  const start = performance.now();
  const keepGoing = values['keep-going'];
  const summary = await runCampaign({ profile, seed, schedules, seconds, jobs, keepGoing, plan });
  const took = (performance.now() - start) / 1000;
  console.log(report(summary, { profile, seed, seconds: took, jobs }));
  const { stepsPerSchedule: _, expiriesPerSchedule: __, ...figures } = summary;
  writeJson(values.json, { profile, seed, seconds: took, jobs, ...figures });
  const [first] = summary.violations;
  if (!first) return;
  process.exitCode = 1;
  if (!keepGoing) await replay(first.seed);
}

/** Whether it broke an invariant. */
async function replay(seed: number): Promise<boolean> {
  const found = await runSchedule(seed, profile, { plan });
  const spared = found.violation && !values.whole ? await shrink(seed, profile, found) : new Set<string>();
  const { notes, violation, injected } = await runSchedule(seed, profile, { spared, plan, trace: true });
  console.log(`seed ${seed}, profile ${profile}\n${describePlan(found)}`);
  if (spared.size > 0)
    console.log(`shrunk to ${injected.length} of ${found.injected.length} faults and actions`);
  console.log(values.list ? lines(notes) : timeline(notes));
  console.log(violation ? `\n${violation.invariant}: ${violation.message}` : '\nno violation');
  return violation !== undefined;
}
