/** `npm test`: everything that must hold, cheapest first; stops at the first stage that fails and says what was run. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const reports = mkdtempSync(path.join(tmpdir(), 'one-refresh-test-'));
const unitReport = path.join(reports, 'unit.json');
const e2eReport = path.join(reports, 'e2e.json');

const stages: [name: string, command: string][] = [
  ['format and lint', 'npm run --silent lint'],
  ['types', 'npm run --silent types'],
  ['core purity', 'npm run --silent core'],
  ['API reference', 'npm run --silent api -- --check'],
  ['documentation', 'npm run --silent docs'],
  [
    'unit tests',
    `npm run --silent unit -- --reporter=default --reporter=json --outputFile.json=${unitReport}`,
  ],
  ['stores', 'npm run --silent stores -- --rounds 14'],
  ['simulation', 'npm run --silent sim:test'],
  ['processes', 'npm run --silent processes -- --expiries 5 --rounds 10 --deadline 4000'],
  ['build', 'npm run --silent build'],
  ['package', 'npm run --silent check:package'],
  ['dependency ranges', 'npm run --silent check:ranges'],
  ['unused code', 'npm run --silent knip'],
  ['size', 'npm run --silent size'],
  ['as users get it', 'npm run --silent check:consumers'],
  ['end-to-end tests', 'npm run --silent e2e -- --core --reporter=list,json'],
  [
    'chaos, worker',
    'npm run --silent chaos -- --mode worker --faults dying --rounds 40 --seconds 35 --deadline 6000',
  ],
  [
    'chaos, pages',
    'npm run --silent chaos -- --mode page --faults all --rounds 40 --seconds 35 --deadline 3000',
  ],
];

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const start = performance.now();
const summary: string[] = [];
let failedStage: string | undefined;

for (const [name, command] of stages) {
  console.log(`\n=== ${name} ===`);
  const stageStart = performance.now();
  const { status } = spawnSync(command, {
    shell: true,
    stdio: 'inherit',
    env: { ...process.env, PLAYWRIGHT_JSON_OUTPUT_NAME: e2eReport },
  });
  const line = `${status === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(20)} ${seconds(stageStart)}`;
  console.log(line);
  summary.push(line);
  if (status !== 0) {
    failedStage = name;
    break;
  }
}

const read = (file: string): Record<string, unknown> =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
const unit = read(unitReport) as {
  numPassedTests?: number;
  numFailedTests?: number;
  numPendingTests?: number;
};
const e2e = (read(e2eReport)['stats'] ?? {}) as { expected?: number; unexpected?: number; skipped?: number };
const passed = (unit.numPassedTests ?? 0) + (e2e.expected ?? 0);
const skipped = (unit.numPendingTests ?? 0) + (e2e.skipped ?? 0);
// A stage that fails without naming a test (a lint error, a test file that does not load) counts as one failure.
const failed = Math.max(
  (unit.numFailedTests ?? 0) + (e2e.unexpected ?? 0),
  failedStage === undefined ? 0 : 1,
);
rmSync(reports, { recursive: true });

console.log(`\n=== summary (${seconds(start)}) ===\n${summary.join('\n')}`);
if (failedStage !== undefined) console.log(`stopped at: ${failedStage}`);
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
