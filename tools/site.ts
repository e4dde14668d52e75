/**
 * `npm run site [-- --dev]`: the documentation as a site, from docs/, in site/.vitepress/dist. VitePress is a package of site/ alone; the first run
 * installs it. Fails on a dead link between pages, and on anything that a reader's browser would load from another host.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const site = path.join(import.meta.dirname, '../site');

function run(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, { cwd: site, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync(path.join(site, 'node_modules/vitepress'))) run('npm', 'ci');
if (process.argv.includes('--dev')) run('npx', 'vitepress', 'dev', '--host', '127.0.0.1');
else {
  run('npx', 'vitepress', 'build');
  const dist = path.join(site, '.vitepress/dist');
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(html|css)$/.test(file),
  );
  const faults = files.flatMap((file) =>
    [
      ...readFileSync(path.join(dist, file), 'utf8').matchAll(
        /<(?:script|link|img|source|iframe)\b[^>]*(?:src|href|srcset)="(https?:[^"]+)"|url\(["']?(https?:[^)"']+)/g,
      ),
    ].map(([, inHtml, inCss]) => `${file}: loads ${inHtml ?? inCss}`),
  );
  for (const fault of faults) console.error(fault);
  const pages = files.filter((file) => file.endsWith('.html')).length;
  console.log(`site: ${pages} pages in site/.vitepress/dist, ${faults.length} requests to other hosts`);
  if (pages === 0 || faults.length > 0) process.exitCode = 1;
}
