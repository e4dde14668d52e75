/** The common part of commands with figures. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Writes one JSON object, where `--json` says so, and the folder that it is in. */
export function writeJson(file: string | undefined, value: object): void {
  if (file === undefined) return;
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** The commit that is checked out, with a plus if the code is not quite that one; `unknown` without a repository. */
export function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
    return (
      git('rev-parse', '--short', 'HEAD') +
      (git('status', '--porcelain', '--', 'src', 'demo', 'tools') ? '+' : '')
    );
  } catch {
    return 'unknown';
  }
}

/** A number given on the command line. Says so and ends the process if it is none, or below `least`. */
export function readNumber(name: string, value: string, least = 0): number {
  const number = Number(value);
  if (number >= least) return number;
  console.error(`--${name} must be a number of at least ${least}`);
  process.exit(2);
}
