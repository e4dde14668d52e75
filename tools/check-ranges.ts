/**
 * The packed package with the lowest and with the newest version of every runtime dependency that its ranges allow: installed into an empty
 * project each, and test/consumers/node/dependencies.mjs run against them (after `build`).
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>;
const ranges = Object.entries(dependencies);
const scratch = mkdtempSync(path.join(tmpdir(), 'one-refresh-ranges-'));

function run(command: string, args: string[], cwd: string, timeout: number): string {
  return execFileSync(command, args, { cwd, timeout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function check(which: string, versions: readonly string[], packed: string): void {
  const project = path.join(scratch, which);
  mkdirSync(project);
  writeFileSync(path.join(project, 'package.json'), '{ "private": true, "type": "module" }');
  const quiet = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund'];
  const tools = `fake-indexeddb@${devDependencies['fake-indexeddb']}`;
  run('npm', ['install', ...quiet, '--loglevel=error', packed, tools, ...versions], project, 120_000);
  cpSync('test/consumers/node/dependencies.mjs', path.join(project, 'dependencies.mjs'));
  const printed = run(process.execPath, ['dependencies.mjs'], project, 30_000);
  if (printed !== 'works\n') throw new Error(`With the ${which} versions it printed: ${printed}`);
  const installed = ranges.map(([name]) => {
    const file = path.join(project, 'node_modules', name, 'package.json');
    return `${name} ${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`;
  });
  console.log(`${which}: ${installed.join(', ')}`);
}

try {
  for (const [name, range] of ranges) {
    if (!/^\^\d+\.\d+\.\d+$/.test(range)) throw new Error(`The range of ${name} is not ^x.y.z: ${range}`);
  }
  const said = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], '.', 60_000);
  const [{ filename }] = JSON.parse(said) as [{ filename: string }];
  const packed = path.join(scratch, filename);
  const lowest = ranges.map(([name, range]) => `${name}@${range.slice(1)}`);
  check('lowest', lowest, packed);
  const newest = ranges.map(([name, range]) => `${name}@${range}`);
  check('newest', newest, packed);
} catch (error) {
  const { stdout = '', stderr = '' } = Object(error) as { stdout?: string; stderr?: string };
  console.error(error instanceof Error ? error.message : error, stdout, stderr);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
