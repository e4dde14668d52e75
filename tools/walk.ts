/**
 * `npm run walk [-- --json FILE]` (after `build`): a new user's walk, timed. In an empty directory, with the packed package and
 * docs/getting-started.md alone: its commands, its files, the demo as the authorization server that the page names, the template's own build,
 * then two tabs of a real browser. It tells how long each step took the machine and how many lines the user wrote, and fails above five
 * minutes or 25 lines. A user also reads and types; that is not measured.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { ensureBrowser } from './browsers.js';
import { documentedCommands, documentedFiles } from './getting-started.js';
import { commit, writeJson } from './output.js';

const MOST_SECONDS = 300;
const MOST_LINES = 25;

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const root = process.cwd();
const scratch = mkdtempSync(path.join(tmpdir(), 'one-refresh-walk-'));
const children: ChildProcess[] = [];
const steps: Record<string, number> = {};
let last = performance.now();

function done(step: string): void {
  const now = performance.now();
  steps[step] = Number(((now - last) / 1000).toFixed(1));
  last = now;
  console.log(`${String(steps[step]).padStart(6)} s  ${step}`);
}

function run(command: string, cwd: string): string {
  const [name = '', ...args] = command.split(' ');
  return execFileSync(name, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 300_000,
    // npm asks whether it may fetch the template's program.
    env: { ...process.env, npm_config_yes: 'true' },
  });
}

/** A server of the user's, as long as the walk lasts; resolves with the first match in what it prints. */
function serve(command: string, cwd: string, pattern: RegExp): Promise<string[]> {
  const [name = '', ...args] = command.split(' ');
  // A group of its own, so that what npm has started ends as well.
  const child = spawn(name, args, {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let printed = '';
    child.on('exit', (code) => reject(new Error(`${command} ended with ${code}: ${printed}`)));
    child.stdout.on('data', (data: Buffer) => {
      printed += String(data);
      const match = pattern.exec(printed);
      if (match) resolve([...match]);
    });
  });
}

/** The lines that the user has to write: those with code in them that the template does not have. */
function ownLines(text: string, template: string): number {
  const there = new Set(template.split('\n').map(simplify));
  return text.split('\n').filter((line) => {
    const code = simplify(line);
    return code !== '' && !code.startsWith('//') && !there.has(code);
  }).length;
}

/** Without the differences of style between the page and the template. */
function simplify(line: string): string {
  return line.trim().replaceAll(/;$|\.tsx(?=['"])/g, '');
}

async function useInTwoTabs(address: string): Promise<void> {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: ensureBrowser('chromium').path, args });
  try {
    const context = await browser.newContext();
    context.setDefaultTimeout(60_000);
    const [first, second] = [await context.newPage(), await context.newPage()];
    for (const page of [first, second]) {
      await page.goto(address);
      await page.getByText('Sign in').waitFor();
    }
    await first.getByText('Sign in').click();
    await first.getByText('Alice').first().click();
    for (const page of [first, second]) await page.getByText('Sign out').waitFor();
    done('signed in in two tabs');
    await second.getByText('Sign out').click();
    for (const page of [first, second]) await page.getByText('Sign in').waitFor();
    done('signed out in both');
  } finally {
    await browser.close();
  }
}

try {
  const [{ filename }] = JSON.parse(
    run(`npm pack --json --ignore-scripts --pack-destination ${scratch}`, root),
  ) as [{ filename: string }];
  const server = /issuer '([^']+)', clientId '([^']+)'/;
  const [, issuer = '', clientId = ''] = await serve('npm run demo', root, server);
  done('not counted: the package is packed, the demo runs');

  let directory = scratch;
  for (const command of documentedCommands()) {
    if (command.startsWith('cd ')) directory = path.join(directory, command.slice(3));
    else
      run(
        command.replace('npm install one-refresh', `npm install ${path.join(scratch, filename)}`),
        directory,
      );
    done(command);
  }
  let lines = 0;
  for (const [name, text] of documentedFiles(`'${issuer}'`, clientId)) {
    const file = path.join(directory, 'src', name);
    // A file that the user replaces as a whole is their own; into main.tsx they write a few lines.
    const template = name === 'main.tsx' && existsSync(file) ? readFileSync(file, 'utf8') : '';
    lines += ownLines(text, template);
    writeFileSync(file, text);
  }
  run('npm run build', directory);
  done('the template’s own build, with its type check');
  const [, address = ''] = await serve('npm run dev', directory, /Local: +(http\S+)/);
  done('npm run dev');
  await useInTwoTabs(address);

  const {
    'not counted: the package is packed, the demo runs': _before,
    'signed out in both': _after,
    ...counted
  } = steps;
  const seconds = Object.values(counted).reduce((sum, one) => sum + one, 0);
  console.log(`${seconds.toFixed(0)} s of the machine, ${lines} lines of own code`);
  writeJson(values.json, { commit: commit(), seconds: Math.round(seconds), lines, steps });
  if (seconds > MOST_SECONDS || lines > MOST_LINES)
    throw new Error(`more than ${MOST_SECONDS} s or ${MOST_LINES} lines`);
} catch (error) {
  const { stdout = '', stderr = '' } = Object(error) as { stdout?: string; stderr?: string };
  console.error(error instanceof Error ? error.message : error, stdout, stderr);
  process.exitCode = 1;
} finally {
  for (const child of children) {
    child.removeAllListeners('exit');
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
  }
  rmSync(scratch, { recursive: true, force: true });
}
