// The page of the war, built by Vite as an application would build it and served from memory; and the person who logs in when asked.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import type { PagesFactory } from '../../demo/server/server.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export type BuiltPage = ReadonlyMap<string, { type: string; body: string | Uint8Array }>;

export async function buildPage(): Promise<BuiltPage> {
  const result = (await build({
    configFile: `${repository}vite.config.ts`,
    root: `${repository}tools/war/page`,
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

export interface Logins {
  /** Log-ins so far, the first one included. */
  readonly count: () => number;
  /** Logs in if the login that was lost is still the newest; else somebody else did, and the tab will see it. */
  readonly after: (lost: number) => Promise<{ number: number; tokens?: object }>;
}

export function createLogins(signIn: () => Promise<object>): Logins {
  let number = 0;
  let last: Promise<unknown> = Promise.resolve();
  const after: Logins['after'] = async (lost) => {
    if (lost < number) return { number };
    const mine = ++number;
    return { number: mine, tokens: await signIn() };
  };
  return {
    count: () => number,
    after(lost) {
      const turn = last.then(() => after(lost));
      last = turn.catch(() => {});
      return turn;
    },
  };
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
