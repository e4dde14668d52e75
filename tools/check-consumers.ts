/**
 * The package as users get it: packed, installed with npm into an empty project, and then
 *
 * - a Vite + React app type-checked (declarations too) and built, and a page with one `<script type="module">` and the ready-made bundle,
 *   both run in Chromium in two tabs against the demo's server: sign in, refresh once for both, call the API, sign out in both;
 * - the app that docs/getting-started.md tells to write, out of its own blocks: through the real redirect to a login that two tabs share;
 * - the conditions of docs/errors.md: Vite's development server and esbuild told to have the sentences, production builds the short messages;
 * - Node without a DOM, rendering on the server, a test in jsdom, and a session in a folder: none throws or keeps its process alive;
 * - the type tests of test-d/, against the installed declarations.
 */
import react from '@vitejs/plugin-react';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Page } from 'playwright';
import * as esbuild from 'esbuild';
import { build, createServer } from 'vite';
import { startDemoServer, type DemoServer, type PagesFactory } from '../demo/server/server.js';
import { ensureBrowser } from './browsers.js';
import { COMPILE_ON_LOAD } from './build-pages.js';
import { documentedFiles, documentedViteConfig } from './getting-started.js';

const root = process.cwd();
const scratch = mkdtempSync(path.join(tmpdir(), 'one-refresh-consumers-'));
const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  devDependencies: Record<string, string>;
};
const start = performance.now();

function run(command: string, args: string[], cwd: string, timeout = 120_000): string {
  return execFileSync(command, args, { cwd, timeout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function said(sentence: string): void {
  console.log(`${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${sentence}`);
}

function install(): void {
  const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], root);
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  cpSync('test/consumers', scratch, { recursive: true });
  cpSync('test-d', path.join(scratch, 'test-d'), { recursive: true });
  writeFileSync(path.join(scratch, 'package.json'), '{ "private": true, "type": "module" }');
  const versions = ['react', 'react-dom', '@types/react', '@types/react-dom'].map(
    (name) => `${name}@${devDependencies[name]}`,
  );
  const quiet = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', ['install', ...quiet, `./${filename}`, ...versions], scratch, 300_000);
  said('packed and installed');
}

function checkTypes(): void {
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  for (const project of ['vite-react', 'test-d']) {
    run(process.execPath, [tsc, '-p', path.join(scratch, project, 'tsconfig.package.json')], scratch);
  }
  said('the app and the type tests compile against the installed declarations');
}

function checkNode(): void {
  // The time limit is the check that nothing keeps the process alive.
  const rendered = run(process.execPath, ['node/server-rendering.mjs'], scratch, 30_000);
  if (rendered !== 'rendered\n') throw new Error(`Server rendering printed: ${rendered}`);
  const jsdom = pathToFileURL(createRequire(import.meta.url).resolve('jsdom')).href;
  const tested = run(process.execPath, ['node/jsdom.mjs', jsdom], scratch, 30_000);
  if (tested !== 'tested\n') throw new Error(`The test in jsdom printed: ${tested}`);
  const shared = run(process.execPath, ['node/sessions.mjs'], scratch, 30_000);
  if (shared !== 'access-2 access-2\n')
    throw new Error(`The processes that share a session printed: ${shared}`);
  said(
    'Node without a DOM renders, a test in jsdom runs, a session is shared, and all processes end by themselves',
  );
}

/** Which messages an app gets: see docs/errors.md. */
async function checkConditions(viteBuild: string): Promise<void> {
  const importer = path.join(scratch, 'node_modules/one-refresh/dist/core/calls.js');
  const root = path.join(scratch, 'vite-react');
  // A build sets it to 'production', for the whole process.
  process.env['NODE_ENV'] = 'development';
  const server = await createServer({
    configFile: false,
    root,
    logLevel: 'error',
    server: { middlewareMode: true },
  });
  const served = await server.environments.client.pluginContainer.resolveId('#texts', importer);
  await server.close();
  const bundled = async (conditions?: string[]): Promise<string> => {
    const stdin = {
      contents: "import { createTokenCoordinator } from 'one-refresh'; createTokenCoordinator({});",
      resolveDir: scratch,
    };
    const options = { bundle: true, write: false, format: 'esm', ...(conditions && { conditions }) } as const;
    const { outputFiles } = await esbuild.build({ stdin, ...options });
    return outputFiles[0]!.text;
  };
  const sentence = '`name` must be a non-empty string';
  const assets = readdirSync(path.join(viteBuild, 'assets')).map((file) =>
    readFileSync(path.join(viteBuild, 'assets', file), 'utf8'),
  );
  const found = {
    vite: served?.id.includes('texts.development.js'),
    esbuild: (await bundled(['development'])).includes(sentence),
    'vite in production': assets.every((text) => !text.includes(sentence)),
    'esbuild in production': !(await bundled()).includes(sentence),
  };
  if (!Object.values(found).every(Boolean)) throw new Error(`Wrong messages: ${JSON.stringify(found)}`);
  said('sentences under the condition `development`, short messages without it');
}

/** The library, and nothing that is loaded later, is in one file that is compiled while it loads. */
function checkCompileHint(built: string): void {
  const assets = path.join(built, 'assets');
  const hinted = readdirSync(assets).filter((file) =>
    readFileSync(path.join(assets, file), 'utf8').startsWith(COMPILE_ON_LOAD),
  );
  const [file = ''] = hinted;
  if (hinted.length !== 1 || !file.startsWith('one-refresh-'))
    throw new Error(`Compiled while they load: ${hinted.join(', ') || 'no file'}`);
  // `broadcast-channel` is loaded only where the browser has none.
  if (readFileSync(path.join(assets, file), 'utf8').includes('pubkey.'))
    throw new Error(`${file} holds broadcast-channel, too`);
  said('the documented Vite configuration makes one file that is compiled while it loads');
}

/** The modules of docs/getting-started.md, with the demo's server in place of the example's. */
function writeDocumentedApp(): string {
  const directory = path.join(scratch, 'documented');
  mkdirSync(path.join(directory, 'src'), { recursive: true });
  const issuer = "((await (await fetch('/config.json')).json()) as { issuer: string }).issuer";
  for (const [name, text] of documentedFiles(issuer, 'one-refresh-demo'))
    writeFileSync(path.join(directory, 'src', name), text);
  // With the configuration of docs/browser-support.md, which the app's own Vite would find.
  writeFileSync(path.join(directory, 'vite.config.ts'), documentedViteConfig());
  symlinkSync(path.join(root, 'node_modules/vite'), path.join(scratch, 'node_modules/vite'));
  writeFileSync(
    path.join(directory, 'index.html'),
    '<!doctype html><link rel="icon" href="data:," /><div id="root"></div><script type="module" src="/src/main.tsx"></script>',
  );
  return directory;
}

async function buildApp(directory: string): Promise<string> {
  const config = path.join(directory, 'vite.config.ts');
  await build({
    configFile: existsSync(config) && config,
    root: directory,
    logLevel: 'error',
    plugins: [react()],
    build: { target: 'es2022' },
  });
  return path.join(directory, 'dist');
}

type Use = (server: DemoServer, open: () => Promise<Page>) => Promise<void>;

/** Serves a directory as the demo's pages, and fails if a page reports an uncaught error or a refresh token is spent twice. */
async function runInBrowser(app: string, directory: string, use: Use): Promise<void> {
  const pages: PagesFactory = async () => ({
    async handle(req, res) {
      const { pathname } = new URL(req.url ?? '/', 'http://page');
      if (pathname === '/sign-in') {
        res.writeHead(200, { 'content-type': 'application/json' });
        res.end(JSON.stringify(await server.signIn('alice')));
        return;
      }
      const asked = path.join(directory, path.normalize(pathname));
      const file = path.extname(asked) && existsSync(asked) ? asked : path.join(directory, 'index.html');
      const type = file.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8';
      res.writeHead(200, { 'content-type': type });
      res.end(readFileSync(file));
    },
    async close() {},
  });
  const server = await startDemoServer({ pages, accessTokenTtl: 4 });
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: ensureBrowser('chromium').path, args });
  try {
    const context = await browser.newContext();
    context.setDefaultTimeout(30_000);
    const faults: string[] = [];
    await use(server, async () => {
      const page = await context.newPage();
      page.on('pageerror', (error) => faults.push(error.message));
      await page.goto(server.url);
      return page;
    });
    const refreshes = server.log.refreshes();
    const spent = new Set(refreshes.map((entry) => entry.spent));
    if (refreshes.length < 2 || spent.size !== refreshes.length)
      throw new Error(`${app}: ${refreshes.length} refreshes spent ${spent.size} refresh tokens`);
    if (faults.length > 0) throw new Error(`${app}: ${faults.join('; ')}`);
    said(
      `${app}: two tabs, ${refreshes.length} refreshes, each refresh token spent once, signed out in both`,
    );
  } finally {
    await browser.close();
    await server.close();
  }
}

/** The apps of test/consumers: buttons and places that are known by their ids. */
const useById: Use = async (_server, open) => {
  const shows = (page: Page, id: string, text: string): Promise<unknown> =>
    page.waitForFunction(
      ([wanted, value]) => document.getElementById(wanted ?? '')?.textContent === value,
      [id, text],
    );
  const first = await open();
  await shows(first, 'status', 'signed-out');
  await first.click('#sign-in');
  await shows(first, 'status', 'signed-in');
  const second = await open();
  await shows(second, 'status', 'signed-in');
  for (const page of [first, second]) {
    await shows(page, 'version', '3');
    await page.click('#ask');
    await page.waitForFunction(() => document.getElementById('name')?.textContent !== '');
  }
  await second.click('#sign-out');
  for (const page of [first, second]) await shows(page, 'status', 'signed-out');
};

/** As the reader of docs/getting-started.md would, on the authorization server's own page. */
const useDocumentedApp: Use = async (server, open) => {
  const first = await open();
  await first.getByText('Sign in').click();
  await first.getByText('Alice').first().click();
  await first.getByText('Sign out').waitFor();
  const second = await open();
  await second.getByText('Sign out').waitFor();
  while (server.log.refreshes().filter(({ sent }) => sent !== undefined).length < 2)
    await new Promise((resolve) => setTimeout(resolve, 100));
  await second.getByText('Sign out').click();
  for (const page of [first, second]) await page.getByText('Sign in').waitFor();
  // The provider's session has ended, too: it asks who is there.
  await first.getByText('Sign in').click();
  await first.getByText('Who is there?').waitFor();
};

try {
  install();
  checkTypes();
  checkNode();
  const built = await buildApp(path.join(scratch, 'vite-react'));
  const documented = await buildApp(writeDocumentedApp());
  const bundle = path.join(scratch, 'node_modules/one-refresh/dist/one-refresh.bundle.js');
  cpSync(bundle, path.join(scratch, 'plain/one-refresh.bundle.js'));
  said('the apps are built');
  checkCompileHint(documented);
  await checkConditions(built);
  await runInBrowser('Vite + React', built, useById);
  await runInBrowser('plain page', path.join(scratch, 'plain'), useById);
  await runInBrowser('getting started', documented, useDocumentedApp);
} catch (error) {
  const { stdout = '', stderr = '' } = Object(error) as { stdout?: string; stderr?: string };
  console.error(error instanceof Error ? error.message : error, stdout, stderr);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
