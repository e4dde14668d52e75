/**
 * `npm run e2e -- …`: makes sure that the browsers are there, then hands every argument on to Playwright. One is its own: `--core` runs
 * what `npm test` has time for, nearly everything in Chromium and the tests marked @core in the other engines.
 */
import { spawnSync } from 'node:child_process';
import { browserNames, ensureBrowser } from './browsers.js';

const args = process.argv.slice(2).filter((arg) => arg !== '--core');
const core = args.length < process.argv.length - 2;
const asked = args.flatMap((arg, i) =>
  arg.startsWith('--project=') ? [arg.slice('--project='.length)] : arg === '--project' ? [args[i + 1]] : [],
);
try {
  for (const name of browserNames) {
    if (asked.length === 0 || asked.includes(name)) console.log(`${name}: ${ensureBrowser(name).path}`);
  }
  const { status } = spawnSync('npx', ['playwright', 'test', ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...(core ? { E2E_CORE: '1' } : {}) },
  });
  process.exitCode = status ?? 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
