/** Bundles the simulator with the core, perhaps with one guard of the core switched off, and runs it in processes of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { namesGuard, without, type Patch } from '../tools/guards.js';
import { merge, type Summary } from './world/summary.js';
import type { Job } from './worker.js';

const root = path.join(import.meta.dirname, '..');

export interface Campaign extends Omit<Job, 'output'> {
  readonly jobs: number;
  readonly patch?: Patch | undefined;
}

/** Runs the schedules of consecutive seeds, in as many processes as `jobs` says. */
export async function runCampaign({ jobs, patch, ...campaign }: Campaign): Promise<Summary> {
  const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-sim-'));
  try {
    const worker = path.join(folder, 'worker.mjs');
    await bundle(worker, patch);
    const size = Math.ceil(campaign.schedules / jobs);
    const parts = Array.from({ length: jobs }, async (_, n) => {
      const output = path.join(folder, `${n}.json`);
      const seed = campaign.seed + n * size;
      const schedules = Math.min(size, campaign.schedules - n * size);
      await run(worker, { ...campaign, seed, schedules, output });
      return JSON.parse(readFileSync(output, 'utf8')) as Summary;
    });
    return (await Promise.all(parts)).reduce(merge);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function bundle(output: string, patch: Patch | undefined): Promise<void> {
  let isUsed = false;
  const build = await rolldown({
    input: path.join(root, 'sim/worker.ts'),
    platform: 'node',
    logLevel: 'silent',
    plugins: [
      {
        name: 'patch',
        transform(code) {
          if (!patch || !namesGuard(code, patch.guard)) return null;
          isUsed = true;
          return without(code, patch);
        },
      },
    ],
  });
  // (What a coordinator loads later is in it, too.)
  await build.write({ file: output, format: 'esm', codeSplitting: false });
  await build.close();
  if (patch && !isUsed) throw new Error(`guard: ${patch.guard}: not in the simulator's bundle`);
}

/** Young objects die young; code that runs for seconds is compiled shallowly; and threads of the collector cost more than they bring. */
const FLAGS = [
  '--max-semi-space-size=64',
  '--max-inlined-bytecode-size-cumulative=200',
  '--single-threaded-gc',
];

function run(worker: string, job: Job): Promise<void> {
  const child = spawn(process.execPath, [...FLAGS, worker, JSON.stringify(job)], {
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0) return resolve();
      // Somebody ended it: that says nothing of the core.
      reject(new Error(`seeds from ${job.seed}: ${signal ?? `the job ended with ${code}`}`));
    });
  });
}
