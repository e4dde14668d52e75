// Pages built by Vite as an application would build them, to be served from memory.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type InlineConfig, type Rolldown } from 'vite';

/**
 * As a file's first line: V8 compiles all of it while it loads, on another thread, and not function by function at the first call ("explicit
 * compile hints", Chrome 136).
 */
export const COMPILE_ON_LOAD = '//# allFunctionsCalledOnLoad';

const repository = fileURLToPath(new URL('..', import.meta.url));

/** Each file by its address. */
export type BuiltPages = ReadonlyMap<string, { type: string; body: string | Uint8Array }>;

/** Builds these pages of a folder of the repository. */
export async function buildPages(
  folder: string,
  pages: readonly string[],
  {
    base = '/',
    minify = true,
    compileOnLoad = () => false,
    ...options
  }: Pick<InlineConfig, 'base' | 'mode' | 'plugins'> & {
    readonly minify?: boolean;
    /** Which modules begin a file of their own that is compiled while it loads. */
    readonly compileOnLoad?: (module: string) => boolean;
  } = {},
): Promise<BuiltPages> {
  const { output } = (await build({
    ...options,
    configFile: `${repository}vite.config.ts`,
    root: repository + folder,
    logLevel: 'error',
    base,
    build: {
      write: false,
      minify,
      target: 'es2022',
      rolldownOptions: { input: pages.map((page) => `${repository}${folder}/${page}`) },
    },
  })) as Rolldown.RolldownOutput;
  const firstLine = (module: string | null): string =>
    compileOnLoad(module ?? '') ? `${COMPILE_ON_LOAD}\n` : '';
  return new Map(
    output.map((file) => [
      base + file.fileName,
      {
        type: TYPES[path.extname(file.fileName)] ?? 'application/octet-stream',
        body: file.type === 'chunk' ? firstLine(file.facadeModuleId) + file.code : file.source,
      },
    ]),
  );
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
};
