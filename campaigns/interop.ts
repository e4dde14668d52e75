/**
 * `npm run interop`: real authorization servers as processes on loopback, and ten real tabs on each of them.
 *
 *     npm run interop -- [--only oidc-provider,better-auth] [--source npm|Debian] [--json FILE] [--page docs/interop.md]
 *
 * What comes from Debian is installed where the command runs as root on Debian, and skipped by name elsewhere. A server that `--only` names
 * is never skipped.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chromium, type Browser } from 'playwright';
import { close, listen } from '../test/interop/http.js';
import { freePort } from '../test/interop/servers/process.js';
import type { ClientSettings } from '../test/interop/servers/real-server.js';
import { recipes, versionOf, type Recipe } from '../test/interop/servers/recipes.js';
import { CHROMIUM_FEATURES_OFF, ensureBrowser } from '../tools/browsers.js';
import { compareDuplicates } from './interop/duplicates.js';
import { startFront } from './interop/front.js';
import { judge } from './interop/judge.js';
import { runScenario } from './interop/scenario.js';
import { duplicatesTable, page, tabsTable, type Row } from './interop/table.js';
import { openTabs, sendAs } from './interop/tabs.js';
import { writeJson } from '../tools/output.js';
import { buildPages } from '../tools/build-pages.js';

const TABS = 10;
const ACCESS_TOKEN_SECONDS = 3;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    source: { type: 'string' },
    json: { type: 'string' },
    page: { type: 'string' },
  },
});
const only = values.only?.split(',');
const unknown = only?.filter((name) => !recipes.some((recipe) => recipe.name === name)) ?? [];
if (unknown.length > 0 || !['npm', 'Debian', undefined].includes(values.source)) {
  console.error(`--only takes ${recipes.map(({ name }) => name).join(', ')}; --source takes npm or Debian`);
  process.exit(2);
}
const chosen = recipes.filter(
  ({ name, source }) => (only?.includes(name) ?? true) && source === (values.source ?? source),
);

const skipped: string[] = [];
const rows: Row[] = [];
const problems: string[] = [];
install(chosen.filter((recipe) => recipe.source === 'Debian' && versionOf(recipe) === undefined));

let settings: ClientSettings | undefined;
const built = await buildPages('campaigns/interop/page', ['index.html']);
const pages = await listen(servePage);
const pageOrigin = `http://127.0.0.1:${pages.port}`;
const browser = await chromium.launch({
  executablePath: ensureBrowser('chromium').path,
  args: [CHROMIUM_FEATURES_OFF, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
});
try {
  for (const recipe of chosen) {
    const version = versionOf(recipe);
    if (version === undefined) {
      const line = `${recipe.name} was skipped: it is not installed: ${recipe.source === 'npm' ? 'npm ci' : `apt-get install ${recipe.packages.join(' ')}`}`;
      console.log(line);
      if (only?.includes(recipe.name)) problems.push(line);
      skipped.push(line);
      continue;
    }
    const startedAt = performance.now();
    console.log(`${recipe.name} ${version} …`);
    try {
      const measured = await run(recipe, browser);
      rows.push({
        server: recipe.name,
        source: recipe.source,
        version,
        seconds: elapsed(startedAt),
        measured,
      });
      for (const problem of judge(recipe, measured)) problems.push(`${recipe.name}: ${problem}`);
    } catch (error) {
      problems.push(`${recipe.name}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    console.log(`${recipe.name}: ${elapsed(startedAt).toFixed(0)} s`);
  }
} finally {
  await browser.close();
  await close(pages.server);
}

console.log(`\n${tabsTable(rows)}\n\n${duplicatesTable(rows)}\n`);
for (const problem of problems) console.error(problem);
writeJson(values.json, { node: process.version, chromium: browser.version(), rows, skipped, problems });
if (values.page !== undefined) {
  const about = `Chromium ${browser.version()}, Node ${process.version}.`;
  writeFileSync(values.page, page(rows, skipped, about));
}
process.exitCode = problems.length > 0 ? 1 : 0;

async function run(recipe: Recipe, browser: Browser): Promise<Row['measured']> {
  const folder = mkdtempSync(path.join(tmpdir(), `one-refresh-${recipe.name}-`));
  const port = await freePort();
  const front = await startFront(port);
  const { leastSeconds = ACCESS_TOKEN_SECONDS } = recipe;
  if (leastSeconds > ACCESS_TOKEN_SECONDS) front.shorten(ACCESS_TOKEN_SECONDS);
  const place = {
    origin: front.origin,
    redirectUri: `${pageOrigin}/callback`,
    accessTokenSeconds: Math.max(leastSeconds, ACCESS_TOKEN_SECONDS),
  };
  let server: Awaited<ReturnType<Recipe['start']>> | undefined;
  const context = await browser.newContext();
  context.setDefaultTimeout(120_000);
  try {
    server = await recipe.start({ ...place, port, folder });
    settings = server.client;
    const user = sendAs(context);
    await recipe.logIn?.(user, place);
    const tabs = await openTabs(context, pageOrigin, TABS);
    const endSession = recipe.endSession && (() => recipe.endSession!(user, place));
    const figures = await runScenario(recipe, server.client, front, tabs, endSession);
    await context.close();
    // A proof of possession is the browser's; nobody else can send the same request.
    if (server.client.dpop) return figures;
    return { ...figures, duplicates: await compareDuplicates(recipe, server.client, place, front) };
  } finally {
    await context.close();
    await server?.stop();
    await front.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The app, and the settings of the server whose turn it is. */
function servePage(req: http.IncomingMessage, res: http.ServerResponse): void {
  const { pathname } = new URL(req.url ?? '/', 'http://page');
  if (pathname === '/settings.json') {
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(settings));
    return;
  }
  const file = built.get(['/', '/callback'].includes(pathname) ? '/index.html' : pathname);
  res.writeHead(file ? 200 : 404, { 'content-type': file?.type ?? 'text/plain' }).end(file?.body);
}

function install(missing: readonly Recipe[]): void {
  if (missing.length === 0 || process.getuid?.() !== 0) return;
  const packages = missing.flatMap((recipe) => recipe.packages);
  console.log(`installing ${packages.join(' ')} …`);
  const options = { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
  try {
    execFileSync('apt-get', ['update', '-q'], options);
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], options);
  } catch {
    // A server that is missing afterwards is skipped by name.
  }
}

function elapsed(since: number): number {
  return (performance.now() - since) / 1_000;
}
