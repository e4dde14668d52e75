/**
 * The price for an app, in bytes: each entry of the built package is bundled as a user's bundler would do it (minified, dependencies in,
 * react out) and weighed against tools/size-limits.json. There `use` names what the app imports (else: everything) and `gzip` is what it took
 * when somebody last looked: the whole of `one-refresh`, and what every other entry adds to it (and to the entry in `on`). A change that costs
 * more than 1 % of that fails, until its commit writes the new figure and says why. `aim` is what is wanted but not reached; it fails nothing.
 * Chunks that only an `import()` loads are listed apart, since most visitors never load them. The last column is the same in esbuild, whose
 * users pay that.
 */
import * as esbuild from 'esbuild';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { entries } from './entries.js';
import { writeJson } from './output.js';

interface Bytes {
  minified: number;
  gzip: number;
  brotli: number;
}
interface Bundle {
  start: Bytes;
  /** The part that loads at the start, gzipped, out of esbuild. */
  esbuild: number;
  lazy: Record<string, Bytes>;
}
type Limits = Record<string, { use?: string[]; on?: string; gzip?: number; aim?: number; withLazy?: number }>;

const limits = JSON.parse(readFileSync(new URL('size-limits.json', import.meta.url), 'utf8')) as Limits;
const unknown = Object.keys(limits).filter((name) => !entries.some((entry) => entry.name === name));
if (unknown.length)
  throw new Error(`tools/size-limits.json names no entry of package.json: ${unknown.join()}`);

async function bundle(names: string[]): Promise<Bundle> {
  const app = appOf(names);
  const build = await rolldown({
    input: 'app',
    platform: 'browser',
    external: /^react(-dom)?(\/|$)/,
    // 'use client' is for servers that render, and a chunk that two entries share is no longer lazy: both are known here.
    logLevel: 'silent',
    plugins: [
      {
        name: 'user-app',
        resolveId(id) {
          if (id === 'app') return '\0app';
          const entry = entries.find(({ name }) => name === id);
          return entry && path.resolve(entry.output);
        },
        load: (id) => (id === '\0app' ? app : undefined),
      },
    ],
  });
  const { output } = await build.generate({ minify: true, chunkFileNames: '[name].js' });
  const chunks = new Map(output.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file]] : [])));

  const atStart = new Set<string>();
  const load = (fileName: string): void => {
    const chunk = chunks.get(fileName);
    if (!chunk || atStart.has(fileName)) return;
    atStart.add(fileName);
    for (const dependency of chunk.imports) load(dependency);
  };
  for (const chunk of chunks.values()) if (chunk.isEntry) load(chunk.fileName);

  const result: Bundle = {
    start: { minified: 0, gzip: 0, brotli: 0 },
    esbuild: await gzipByEsbuild(app),
    lazy: {},
  };
  for (const [fileName, { code }] of chunks) {
    // A word of the rules of leases (src/core/leases.ts).
    if (code.includes('inherited')) over.push(`${fileName}: a page loads rules that only processes need`);
    const bytes = weigh(code);
    if (atStart.has(fileName)) result.start = add(result.start, bytes);
    else result.lazy[fileName] = bytes;
  }
  return result;
}

function appOf(names: string[]): string {
  return names
    .map((name) => `export ${exported(limits[name]?.use)} from ${JSON.stringify(name)};`)
    .join('\n');
}

async function gzipByEsbuild(app: string): Promise<number> {
  const { outputFiles, metafile } = await esbuild.build({
    stdin: { contents: app, resolveDir: '.', sourcefile: 'app.js' },
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    outdir: 'out',
    write: false,
    metafile: true,
    external: ['react', 'react-dom', 'react/*', 'react-dom/*'],
    alias: Object.fromEntries(entries.map(({ name, output }) => [name, path.resolve(output)])),
    // Or `paths` of our own tsconfig.json would choose the modules of development.
    tsconfigRaw: {},
    logLevel: 'silent',
  });
  const atStart = new Set<string>();
  const load = (file: string): void => {
    if (atStart.has(file)) return;
    atStart.add(file);
    for (const { path: dependency, kind, external } of metafile.outputs[file]!.imports)
      if (kind === 'import-statement' && !external) load(dependency);
  };
  for (const [file, { entryPoint }] of Object.entries(metafile.outputs))
    if (entryPoint === 'app.js') load(file);
  return outputFiles
    .filter(({ path: file }) => atStart.has(path.relative('.', file)))
    .reduce((sum, { text }) => sum + weigh(text).gzip, 0);
}

function exported(names: string[] | undefined): string {
  return names ? `{ ${names.join(', ')} }` : '*';
}

function weigh(code: string): Bytes {
  return {
    minified: Buffer.byteLength(code),
    gzip: gzipSync(code, { level: 9 }).length,
    brotli: brotliCompressSync(code).length,
  };
}

function add(a: Bytes, b: Bytes, sign = 1): Bytes {
  return {
    minified: a.minified + sign * b.minified,
    gzip: a.gzip + sign * b.gzip,
    brotli: a.brotli + sign * b.brotli,
  };
}

/** README.md states each size in steps of 500 bytes, rounded up. */
function readmeFaults(report: Record<string, Bundle>, together: Record<string, Bundle>): string[] {
  const readme = readFileSync('README.md', 'utf8');
  const rounded = ({ start }: Bundle): string => `${Math.ceil(start.gzip / 500) / 2} kB`;
  const faults = Object.entries(report).flatMap(([name, bytes]) => {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` `));
    const said = row?.split('|').at(-2)?.trim();
    const wanted = rounded(bytes);
    return said === wanted ? [] : [`README.md says ${said ?? 'nothing'} for ${name}; it is ${wanted}`];
  });
  const line = readme.split('\n').find((text) => text.startsWith('- **Bytes**: '));
  const said = line?.match(/[\d.]+ kB/g)?.join(', ');
  const wanted = Object.values(together).map(rounded).join(', ');
  if (said !== wanted)
    faults.push(`README.md says "Bytes: ${said}"; ${Object.keys(together).join(' and ')} are ${wanted}`);
  const [usual = ''] = wanted.split(', ');
  if (!readFileSync('docs/index.md', 'utf8').includes(`[${usual} gzip for the usual set]`))
    faults.push(`docs/index.md has another size than ${usual} for the usual set`);
  return faults;
}

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const [main, ...subpaths] = entries.filter(({ forServers }) => !forServers).map(({ name }) => name);
if (!main) throw new Error('package.json declares no exports');

const over: string[] = [];
/** A change may cost this much without a word. */
const UNSAID = 1.01;

const report: Record<string, Bundle & { ceiling?: number; aim?: number }> = { [main]: await bundle([main]) };
const base = report[main] as Bundle;
for (const name of subpaths) {
  const on = limits[name]?.on;
  const { start, lazy, esbuild: inEsbuild } = await bundle(on ? [main, on, name] : [main, name]);
  const below = on ? await bundle([main, on]) : base;
  const added = Object.entries(lazy).filter(([file]) => !(file in below.lazy));
  report[name] = {
    start: add(start, below.start, -1),
    esbuild: inEsbuild - below.esbuild,
    lazy: Object.fromEntries(added),
  };
}

const row = (label: string, { minified, gzip, brotli }: Bytes, ...others: (number | undefined)[]): void =>
  console.log(
    [
      label.padEnd(44),
      ...[minified, gzip, brotli].map((n) => String(n).padStart(9)),
      ...others.map((n) => String(n ?? '').padStart(9)),
    ]
      .join('')
      .trimEnd(),
  );
console.log(
  'bytes'.padEnd(44) +
    ['minified', 'gzip', 'brotli', 'ceiling', 'aim', 'esbuild'].map((s) => s.padStart(9)).join(''),
);
const missed: string[] = [];
for (const [name, entry] of Object.entries(report)) {
  const { gzip: known, aim, withLazy } = limits[name] ?? {};
  const ceiling = known && Math.floor(known * UNSAID);
  if (ceiling !== undefined) entry.ceiling = ceiling;
  if (aim !== undefined) entry.aim = aim;
  row(name === main ? name : `+ ${name}`, entry.start, ceiling, aim, entry.esbuild);
  for (const [file, bytes] of Object.entries(entry.lazy)) row(`    lazy: ${file}`, bytes);
  if (ceiling !== undefined && entry.start.gzip > ceiling)
    over.push(`${name}: ${entry.start.gzip} gzip > ${ceiling}`);
  // Code that an option loads later counts as well, where it is known that it will: DPoP.
  const whole = Object.values(entry.lazy).reduce((sum, { gzip }) => sum + gzip, entry.start.gzip);
  if (withLazy !== undefined && whole > withLazy * UNSAID)
    over.push(`${name} with its lazy chunks: ${whole} gzip > ${withLazy}`);
  if (aim !== undefined && entry.start.gzip > aim)
    missed.push(`${name}: ${entry.start.gzip} gzip, aim ${aim}`);
}
const together = {
  'the usual set': await bundle([
    main,
    ...['fetch', 'oauth', 'login', 'react'].map((name) => `${main}/${name}`),
  ]),
  "a worker's script": await bundle([`${main}/worker`, `${main}/oauth`]),
};
for (const [label, { start, esbuild: inEsbuild }] of Object.entries(together))
  row(`together: ${label}`, start, undefined, undefined, inEsbuild);
writeJson(values.json, report);
if (missed.length) console.log(`the aim is not reached: ${missed.join('; ')}`);
if (over.length) console.error(`over the ceiling: ${over.join('; ')}`);
const wrong = readmeFaults(report, together);
for (const fault of wrong) console.error(fault);
process.exitCode = over.length || wrong.length ? 1 : 0;
