/** One job of a campaign: bundled by sim-jobs.ts, run by plain Node, its result is a file of JSON. */
import { writeFileSync } from 'node:fs';
import type { Plan, Profile } from './world/plan.js';
import { runSchedule } from './world/run.js';
import { addUp, emptySummary } from './world/summary.js';

/** A job's one argument. */
export interface Job {
  readonly profile: Profile;
  readonly seed: number;
  readonly schedules: number;
  /** Ends after so many seconds, whatever is left. */
  readonly seconds: number | undefined;
  /** Goes on after a violation. */
  readonly keepGoing: boolean;
  /** The parts of every plan that are made by hand. */
  readonly plan?: Partial<Plan> | undefined;
  readonly output: string;
}

// Errors are made by the thousand, and nobody reads their stacks.
Error.stackTraceLimit = 0;
const job = JSON.parse(process.argv[2]!) as Job;
const summary = emptySummary();
const end = job.seconds === undefined ? Infinity : performance.now() + job.seconds * 1000;
let seed = job.seed;
process.on('unhandledRejection', (error) => {
  console.error(`seed ${seed}: a promise was rejected and nobody cared:`, error);
  process.exit(1);
});
for (; seed < job.seed + job.schedules && performance.now() < end; seed++) {
  addUp(summary, await runSchedule(seed, job.profile, { plan: job.plan }));
  if (summary.violations.length > 0 && !job.keepGoing) break;
}
const { user, system } = process.cpuUsage();
summary.cpuSeconds = (user + system) / 1e6;
writeFileSync(job.output, JSON.stringify(summary));
