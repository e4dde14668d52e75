/** `npm run e2e -- …`: makes sure that the browsers are there, then hands every argument on to Playwright. */
import { spawnSync } from 'node:child_process';
import { browserNames, ensureBrowser } from './browsers.js';

const args = process.argv.slice(2);
const asked = args.flatMap((arg, i) =>
  arg.startsWith('--project=') ? [arg.slice('--project='.length)] : arg === '--project' ? [args[i + 1]] : [],
);
try {
  for (const name of browserNames) {
    if (asked.length === 0 || asked.includes(name)) console.log(`${name}: ${ensureBrowser(name).path}`);
  }
  const { status } = spawnSync('npx', ['playwright', 'test', ...args], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
