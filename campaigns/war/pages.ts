// A page built by Vite as an application would build it and served from memory; and, in the war, the person who logs in when asked.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import type { Logins } from '../../demo/server/logins.js';
import type { PagesFactory } from '../../demo/server/server.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export type BuiltPage = ReadonlyMap<string, { type: string; body: string | Uint8Array }>;

/** @param root - the page's folder in the repository */
export async function buildPage(root = 'campaigns/war/page'): Promise<BuiltPage> {
  const result = (await build({
    configFile: `${repository}vite.config.ts`,
    root: `${repository}${root}`,
    logLevel: 'error',
    build: { write: false, target: 'es2022' },
  })) as Rolldown.RolldownOutput;
  return new Map(
    result.output.map((file) => [
      `/${file.fileName}`,
      {
        type: path.extname(file.fileName) === '.html' ? 'text/html; charset=utf-8' : 'text/javascript',
        body: file.type === 'chunk' ? file.code : file.source,
      },
    ]),
  );
}

export function servePage(page: BuiltPage, logins: () => Logins): PagesFactory {
  return async () => ({
    async handle(req, res) {
      const { pathname, searchParams } = new URL(req.url ?? '/', 'http://page');
      if (req.method === 'POST' && pathname === '/__war/sign-in') {
        const answer = await logins().after(Number(searchParams.get('lost')));
        res.writeHead(200, { 'content-type': 'application/json' });
        res.end(JSON.stringify(answer));
        return;
      }
      const file = page.get(pathname === '/' ? '/index.html' : pathname);
      res.writeHead(file === undefined ? 404 : 200, { 'content-type': file?.type ?? 'text/plain' });
      res.end(file?.body);
    },
    async close() {},
  });
}
