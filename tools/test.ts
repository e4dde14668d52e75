/**
 * `npm test`: the checks that a contributor needs, in a few minutes. `npm run verify`: everything that must hold. `npm run verify -- --rest`: only what
 * `npm test` leaves out, for CI, which runs both. Cheapest first; a run stops at the first stage that fails, and says what was run. The checks
 * that only read sources use one processor each, so two run at a time.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { verify: { type: 'boolean', default: false }, rest: { type: 'boolean', default: false } },
});
const run = values.rest ? 'rest' : values.verify ? 'verify' : 'test';

const reports = mkdtempSync(path.join(tmpdir(), 'one-refresh-test-'));
const unitReport = path.join(reports, 'unit.json');
const e2eReport = path.join(reports, 'e2e.json');

/** The command of each run that has the stage. */
type Stage = Partial<Record<'test' | 'verify' | 'rest', string>>;
/** `npm test` shows all of it. */
const first = (command: string): Stage => ({ test: command, verify: command });
/** Too long for `npm test`. */
const later = (command: string): Stage => ({ verify: command, rest: command });

const UNIT = `npm run --silent unit -- --reporter=default --reporter=json --outputFile.json=${unitReport}`;
const E2E = 'npm run --silent e2e -- --reporter=list,json';

const checks: Record<string, Stage> = {
  // The two longest first.
  types: first('npm run --silent types'),
  'format and lint': first('npm run --silent lint'),
  'core purity': first('npm run --silent core'),
  'API reference': first('npm run --silent api -- --check'),
  documentation: first('npm run --silent docs'),
  writing: first('npm run --silent writing'),
};

const stages: Record<string, Stage> = {
  'unit tests': {
    test: `${UNIT} --project unit --project production --project react-18`,
    verify: UNIT,
    rest: `${UNIT} --project databases --project long`,
  },
  stores: later('npm run --silent stores -- --rounds 6'),
  simulation: {
    test: 'npm run --silent sim:test -- --seconds 20',
    verify: 'npm run --silent sim:test',
    rest: 'npm run --silent sim:test',
  },
  processes: later('npm run --silent processes -- --expiries 5 --rounds 10 --deadline 4000'),
  // Some seconds, and the stages after it need dist/.
  build: { ...first('npm run --silent build'), rest: 'npm run --silent build' },
  package: first('npm run --silent check:package'),
  'unused code': first('npm run --silent knip'),
  size: first('tsx tools/size.ts'),
  'dependency ranges': later('npm run --silent check:ranges'),
  'as users get it': later('npm run --silent check:consumers'),
  'end-to-end tests': {
    test: `${E2E} --set smoke`,
    verify: `${E2E} --set verify`,
    rest: `${E2E} --set verify-without-smoke`,
  },
  'real servers': later('npm run --silent interop -- --source npm'),
  'documentation site': later('npm run --silent site'),
  'chaos, worker': later(
    'npm run --silent chaos -- --mode worker --faults dying --rounds 40 --seconds 35 --deadline 6000',
  ),
  'chaos, pages': later(
    'npm run --silent chaos -- --mode page --faults all --rounds 40 --seconds 35 --deadline 3000',
  ),
};

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const start = performance.now();
const summary: string[] = [];
let failedStage: string | undefined;

/** Runs a stage, unless one has failed; `aside` shows its output in one piece. */
async function runStage(name: string, command: string, aside: boolean): Promise<void> {
  if (failedStage !== undefined) return;
  const title = `\n=== ${name} ===`;
  if (!aside) console.log(title);
  const stageStart = performance.now();
  const child = spawn(command, {
    shell: true,
    stdio: ['inherit', aside ? 'pipe' : 'inherit', aside ? 'pipe' : 'inherit'],
    env: { ...process.env, PLAYWRIGHT_JSON_OUTPUT_NAME: e2eReport },
  });
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => said.push(data));
  const status = await new Promise((resolve) => child.on('close', resolve));
  const line = `${status === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(20)} ${seconds(stageStart)}`;
  if (aside) console.log(`${title}\n${Buffer.concat(said).toString()}${line}`);
  else console.log(line);
  summary.push(line);
  if (status !== 0) failedStage ??= name;
}

const commands = (of: Record<string, Stage>): [name: string, command: string][] =>
  Object.entries(of).flatMap(([name, { [run]: command }]) =>
    command === undefined ? [] : [[name, command]],
  );

const waiting = commands(checks);
const lane = async (): Promise<void> => {
  for (let next = waiting.shift(); next; next = waiting.shift()) await runStage(...next, true);
};
await Promise.all([lane(), lane()]);
for (const [name, command] of commands(stages)) await runStage(name, command, false);

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
