// The page of the benchmarks, built by Vite as an application would build it, minified, and served from memory.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export type Page = ReadonlyMap<string, { type: string; body: string | Uint8Array }>;

export async function buildPage(): Promise<Page> {
  const result = (await build({
    configFile: `${repository}vite.config.ts`,
    root: `${repository}bench/page`,
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
