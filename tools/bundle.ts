/**
 * Writes dist/one-refresh.bundle.js: the coordinator, `createFetch` and `refreshTokenGrant` with everything they need in one file, for pages
 * without a bundler. Code that an app with a bundler would load later (`import()`) is in it, too.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { COMPILE_ON_LOAD } from './build-pages.js';
import { entries } from './entries.js';

const FILE = 'dist/one-refresh.bundle.js';
const names = ['one-refresh', 'one-refresh/fetch', 'one-refresh/oauth'];
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

const build = await rolldown({
  input: 'bundle',
  platform: 'browser',
  plugins: [
    {
      name: 'entries',
      resolveId(id) {
        if (id === 'bundle') return '\0bundle';
        const entry = entries.find(({ name }) => name === id);
        return entry && path.resolve(entry.output);
      },
      load: (id) =>
        id === '\0bundle'
          ? names.map((name) => `export * from ${JSON.stringify(name)};`).join('\n')
          : undefined,
    },
  ],
});
await build.write({
  file: FILE,
  minify: true,
  codeSplitting: false,
  banner: ({ moduleIds }) =>
    `/*! one-refresh ${version}, MIT.\n\nThis file contains parts of:\n\n${notices(moduleIds)} */`,
  postBanner: COMPILE_ON_LOAD,
});

/** The license of every package of which something is in the bundle, as its authors want it passed on. */
function notices(moduleIds: readonly string[]): string {
  const packages = new Set(
    moduleIds.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []),
  );
  return [...packages]
    .map((directory) => {
      const license = readdirSync(directory).find((name) => /^licen[cs]e(\.|$)/i.test(name));
      if (license === undefined) throw new Error(`${directory} has no license to pass on`);
      const { name, version } = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as {
        name: string;
        version: string;
      };
      const text = readFileSync(path.join(directory, license), 'utf8');
      return `${name} ${version}\n\n${text.replaceAll('*/', '* /').trim()}\n`;
    })
    .sort()
    .join('\n');
}
