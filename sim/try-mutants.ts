/**
 * `npm run sim:mutants`: switches the guards of the core off, one at a time, and expects the simulator to find each one missing.
 *
 *     npm run sim:mutants -- [--only WORDS] [--canary] [--seed S] [--jobs 2] [--json FILE]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Plan } from './world/plan.js';
import { canary, mutants, type Mutant } from './mutants.js';
import { file, regressions, type Regression } from './regressions.js';
import { scenarios } from './scenarios.js';
import { runSchedule } from './world/run.js';
import { readNumber, writeJson } from '../tools/output.js';
import { runCampaign } from './jobs.js';

const { values } = parseArgs({
  options: {
    /** Part of a guard's name. */
    only: { type: 'string' },
    /** The three that `npm test` tries. */
    canary: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    json: { type: 'string' },
    /** Writes each schedule that killed one to sim/regressions.json at once: with all guards in place it must pass. */
    keep: { type: 'boolean', default: false },
  },
});
const chosen = mutants.filter(
  ({ guard }) => (!values.canary || canary.includes(guard)) && guard.includes(values.only ?? ''),
);

interface Verdict {
  readonly guard: string;
  readonly within: number;
  /** The schedule that killed it; absent if no violation was found. */
  readonly seed: number | undefined;
  /** In the world that is made by hand for it. */
  readonly made: boolean;
  readonly violation: string | undefined;
}

type Violation = Awaited<ReturnType<typeof runCampaign>>['violations'][number];

if (chosen.length === 0) {
  console.error(`--only ${values.only}: no guard is called that`);
  process.exit(2);
}
const seed = readNumber('seed', values.seed);
let known = regressions;
const queue = [...chosen];
const verdicts: Verdict[] = [];
await Promise.all(Array.from({ length: readNumber('jobs', values.jobs, 1) }, work));
const survivors = verdicts.filter(({ seed }) => seed === undefined);
console.log(`${verdicts.length - survivors.length} of ${verdicts.length} mutants killed`);
writeJson(values.json, { seed, verdicts });
process.exitCode = survivors.length > 0 ? 1 : 0;

async function work(): Promise<void> {
  for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
    const verdict = await judge(mutant);
    verdicts.push(verdict);
    const { seed, made, violation, guard } = verdict;
    if (values.keep && seed !== undefined && !made)
      keep({ guard, profile: mutant.profile ?? 'everything', seed });
    const found = seed === undefined ? 'SURVIVED' : `killed by ${made ? 'scenario' : 'schedule'} ${seed}`;
    console.log(`${found.padEnd(28)} ${guard}${violation ? `\n${' '.repeat(29)}${violation}` : ''}`);
  }
}

function keep(one: Regression): void {
  if (known.some(({ guard, seed }) => guard === one.guard && seed === one.seed)) return;
  known = [...known, one].sort((a, b) => a.seed - b.seed);
  writeFileSync(file, `${JSON.stringify(known, null, 2)}\n`);
}

async function judge(mutant: Mutant): Promise<Verdict> {
  const { guard, within, profile = 'everything' } = mutant;
  const search = async (
    from: number,
    schedules: number,
    plan?: Partial<Plan>,
  ): Promise<Violation | undefined> => {
    for (let next = from; next < from + schedules;) {
      const rest = { seed: next, schedules: from + schedules - next, plan };
      const campaign = { profile, seconds: undefined, keepGoing: false, jobs: 1, patch: mutant, ...rest };
      const [first] = (await runCampaign(campaign)).violations;
      // A fault of the core itself kills no mutant.
      if (!first || !(await runSchedule(first.seed, profile, { plan })).violation) return first;
      next = first.seed + 1;
    }
    return undefined;
  };
  try {
    let first: Violation | undefined;
    // Schedules that are known to show what happens without this guard are tried first.
    for (const one of known) if (one.guard === guard) first ??= await search(one.seed, 1);
    const scenario = first ? undefined : scenarios.find((one) => one.guard === guard);
    if (scenario) first = await search(1, scenario.within, scenario.plan);
    const made = first !== undefined && scenario !== undefined;
    first ??= await search(seed, within);
    const violation = first && `${first.invariant}: ${first.message}`;
    return { guard, within: made ? scenario.within : within, seed: first?.seed, made, violation };
  } catch (error) {
    // A core that throws where nobody catches is found out, too; a patch that does not fit is a fault of the list.
    if (!(error as Error).message.includes('the job ended')) throw error;
    return { guard, within, seed, made: false, violation: 'an exception that nobody caught' };
  }
}
