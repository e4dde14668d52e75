/**
 * `npm run guard:mutants`: switches guards off, one at a time, and expects a test to fail without each. For the boundaries that is a test in
 * Chromium, for all others one of Vitest. The simulator has its own mutants: `npm run sim:mutants`.
 *
 *     npm run guard:mutants -- [--only WORDS]
 *
 * It changes the source files in place and puts them back, so nothing else may work on this checkout meanwhile.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fileOf, readSources, without } from './guards.js';
import { unitMutants } from './unit-mutants.js';

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const sources = readSources('src');
const chosen = unitMutants.filter(({ guard }) => guard.includes(values.only));
let survivors = 0;
for (const mutant of chosen) {
  const { guard, tests = 'idempotent-rotation', boundary } = mutant;
  const file = fileOf(guard, sources);
  const source = sources.get(file)!;
  const suite = tests.includes('/') ? tests : `src/server/${tests}.test.ts`;
  const run = boundary
    ? ['tsx', 'tools/e2e.ts', 'e2e/boundaries.spec.ts', '--project=chromium', '--grep', boundary]
    : ['vitest', 'run', suite, '--bail', '1', '--testTimeout', '15000'];
  try {
    writeFileSync(file, without(source, mutant));
    const { status } = spawnSync('npx', run, { stdio: 'ignore', timeout: 180_000 });
    // Vitest and Playwright end with 1 if a test has failed. Everything else shows nothing.
    if (status !== 1) survivors++;
    console.log(`${status === 1 ? 'killed  ' : 'SURVIVED'} ${guard}`);
  } finally {
    writeFileSync(file, source);
  }
}
console.log(`${chosen.length - survivors} of ${chosen.length} mutants killed`);
process.exitCode = survivors > 0 || chosen.length === 0 ? 1 : 0;
