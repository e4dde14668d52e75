/**
 * Looks into the tarball that `npm pack` would make: only what users need, every entry complete, and nothing that tells of the
 * machine it was built on or looks like somebody's token.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { COMPILE_ON_LOAD } from './build-pages.js';
import { entries } from './entries.js';

const [tarball] = JSON.parse(
  execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }),
) as { files: { path: string }[]; size: number }[];
const files = tarball?.files.map((file) => file.path) ?? [];

const expected = /^(dist\/.+\.(js|d\.ts|js\.map)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;
const secret =
  /eyJ[\w-]{16,}\.eyJ[\w-]{16,}|-----BEGIN [A-Z ]*KEY-----|(access|refresh|id)_token["'`]?\s*[:=]\s*["'`][\w.~+/-]{16,}/;

const faults: string[] = [];
for (const file of files) {
  if (!expected.test(file) || /(\.test\.|fixture|__tests__)/.test(file))
    faults.push(`${file} must not be published`);
  const text = readFileSync(file, 'utf8');
  if (secret.test(text)) faults.push(`${file} holds something that looks like a token or a key`);
  if (text.includes(process.cwd() + '/') || text.includes(homedir() + '/'))
    faults.push(`${file} names a path of this machine`);
}
const needed = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'];
for (const { output } of entries) needed.push(output, output.replace(/\.js$/, '.d.ts'), `${output}.map`);
for (const file of needed) if (!files.includes(file)) faults.push(`${file} is missing`);

const bundle = readFileSync('dist/one-refresh.bundle.js', 'utf8');
if (!bundle.startsWith(COMPILE_ON_LOAD)) faults.push('the bundle is not compiled while it loads');
for (const name of ['oauth4webapi', 'idb-keyval', 'broadcast-channel']) {
  if (!new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\\n\\n[^]{100}`, 'm').test(bundle))
    faults.push(`the bundle passes on no license of ${name}`);
}

for (const fault of faults) console.error(fault);
console.log(`npm pack: ${files.length} files, ${tarball?.size ?? 0} bytes, ${faults.length} faults`);
process.exitCode = faults.length ? 1 : 0;
