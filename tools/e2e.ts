/**
 * `npm run e2e -- …`: makes sure that the browsers are there, then hands every argument on to Playwright. One is its own: `--set NAME`
 * (`--core` is short for `--set core`).
 * `smoke`, for `npm test`: each kind of promise once, in Chromium: the tests marked @smoke.
 * `core`: the tests marked @core, in all three engines; some minutes.
 * `verify`, for `npm run verify`: nearly everything in Chromium, and the tests marked @core or @engines in the other engines.
 * `verify-without-smoke`: the difference.
 */
import { spawnSync } from 'node:child_process';
import { browserNames, ensureBrowser } from './browsers.js';

const args = process.argv.slice(2).flatMap((arg) => (arg === '--core' ? ['--set', 'core'] : [arg]));
const setAt = args.indexOf('--set');
const [, set] = setAt < 0 ? [] : args.splice(setAt, 2);
if (set === 'smoke') args.push('--project', 'chromium');
const asked = args.flatMap((arg, i) =>
  arg.startsWith('--project=') ? [arg.slice('--project='.length)] : arg === '--project' ? [args[i + 1]] : [],
);
try {
  for (const name of browserNames) {
    if (asked.length === 0 || asked.includes(name)) console.log(`${name}: ${ensureBrowser(name).path}`);
  }
  const { status } = spawnSync('npx', ['playwright', 'test', ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...(set === undefined ? {} : { E2E_SET: set }) },
  });
  process.exitCode = status ?? 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
