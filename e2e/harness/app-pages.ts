// The test page, built once per worker by Vite as an application would build it, and served from memory.
import type http from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import type { PagesFactory } from '../../demo/server/server.js';
import { buildPages, type BuiltPages } from '../../tools/build-pages.js';
import type { Greeting, LabEvent } from '../app/main.js';
import { withChanges } from './before-page.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Constants of the library that another version of it might have. */
export interface Build {
  protocol?: number;
  schema?: number;
}

/** Served at `base`. Beside the present library, one of another version can be built: as it is, but for these constants. */
export async function buildApp(base = '/', { protocol, schema }: Build = {}): Promise<BuiltPages> {
  return buildPages('e2e/app', ['index.html', 'login/index.html'], {
    base,
    minify: false,
    plugins: [
      replaceConstant('src/core/protocol.ts', 'PROTOCOL', protocol),
      replaceConstant('src/core/record.ts', 'SCHEMA', schema),
    ],
  });
}

function replaceConstant(file: string, name: string, value: number | undefined): Plugin {
  return {
    name: `replace-${name}`,
    enforce: 'pre',
    transform(code, id) {
      if (value === undefined || id !== repository + file) return undefined;
      const replaced = code.replace(new RegExp(`const ${name} = \\d+;`), `const ${name} = ${value};`);
      if (replaced === code && !code.includes(`const ${name} = ${value};`)) {
        throw new Error(`There is no constant ${name} in ${file}`);
      }
      return replaced;
    },
  };
}

export interface AppPagesOptions {
  signIn: (user: string) => Promise<unknown>;
  authorize: (user: string) => Promise<unknown>;
  report: (event: LabEvent) => void;
  /** The next command to a tab; waits until there is something. */
  nextOrder: (tab: string) => Promise<string>;
  greet: (greeting: Greeting) => void;
  /** An error that nobody caught in a tab. */
  complain: (message: string) => void;
}

export function servePages(
  app: BuiltPages,
  { signIn, authorize, report, nextOrder, greet, complain }: AppPagesOptions,
): PagesFactory {
  return async () => ({
    async handle(req, res) {
      // A sandboxed frame of this very page is another origin.
      res.setHeader('access-control-allow-origin', '*');
      const { pathname, searchParams } = new URL(req.url ?? '/', 'http://page');
      if (req.method === 'POST' && pathname === '/__lab/sign-in') {
        send(res, 'application/json', JSON.stringify(await signIn(searchParams.get('user') ?? '')));
      } else if (req.method === 'POST' && pathname === '/__lab/authorize') {
        send(res, 'application/json', JSON.stringify(await authorize(searchParams.get('user') ?? '')));
      } else if (pathname === '/__lab/redirect') {
        res.writeHead(Number(searchParams.get('status')), { location: searchParams.get('to') ?? '' }).end();
      } else if (req.method === 'POST' && pathname === '/__lab/events') {
        report(JSON.parse(await readText(req)) as LabEvent);
        res.writeHead(204).end();
      } else if (pathname === '/__lab/orders') {
        send(res, 'text/javascript', await nextOrder(searchParams.get('tab') ?? ''));
      } else if (req.method === 'POST' && pathname === '/__lab/greetings') {
        greet(JSON.parse(await readText(req)) as Greeting);
        res.writeHead(204).end();
      } else if (req.method === 'POST' && pathname === '/__lab/complaints') {
        complain(await readText(req));
        res.writeHead(204).end();
      } else if (pathname === '/__lab/elsewhere') {
        send(res, 'text/html', '<!doctype html><title>elsewhere</title>');
      } else if (pathname === '/__lab/clear') {
        res.writeHead(204, { 'clear-site-data': '"storage"' }).end();
      } else if (pathname === '/callback') {
        send(res, 'text/html; charset=utf-8', app.get('/login/index.html')!.body);
      } else if (app.has(`${pathname}index.html`)) {
        const { type, body } = app.get(`${pathname}index.html`)!;
        send(res, type, withChanges(String(body), searchParams.get('before')));
      } else if (pathname in workers) {
        send(res, 'text/javascript', workers[pathname as keyof typeof workers]);
      } else {
        const file = app.get(pathname);
        const worker = searchParams.get('worker');
        if (worker !== null) setWorkerHeaders(res, worker);
        if (file === undefined) res.writeHead(404).end();
        else {
          const body = worker === 'impatient' ? IMPATIENT + String(file.body) : file.body;
          send(res, worker === 'mistyped' ? 'text/html' : file.type, body);
        }
      }
    },
    async close() {},
  });
}

const workers = {
  /** The app's own, as many have one: it controls every page and answers all its requests. */
  '/app-worker.js': `
    addEventListener('install', () => skipWaiting());
    addEventListener('activate', (event) => event.waitUntil(clients.claim()));
    addEventListener('fetch', (event) => event.respondWith(fetch(event.request)));`,
  /** A refresh worker that nobody understands, as one of another protocol version. */
  '/silent-worker.js': `addEventListener('message', () => {});`,
};

/** As some apps have it: it does not wait until the worker before it is done. */
const IMPATIENT = `addEventListener('install', () => skipWaiting());`;

function setWorkerHeaders(res: http.ServerResponse, worker: string): void {
  // Chromium then gives it a process of its own, which no tab takes with it.
  if (worker !== 'in-a-tab') res.setHeader('cross-origin-embedder-policy', 'credentialless');
  res.setHeader('service-worker-allowed', '/');
}

export function send(res: http.ServerResponse, type: string, body: string | Uint8Array): void {
  res.writeHead(200, { 'content-type': type });
  res.end(body);
}

async function readText(req: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text;
}
