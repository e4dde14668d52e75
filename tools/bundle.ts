/**
 * Writes dist/one-refresh.bundle.js: the coordinator, `createFetch` and `refreshTokenGrant` with everything they need in one file, for pages
 * without a bundler. What an app with a bundler would load later (`import()`) is in it, too.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { rolldown } from 'rolldown';
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
  banner: `/*! one-refresh ${version}, MIT. With oauth4webapi, idb-keyval, jose and broadcast-channel: see their licenses. */`,
});
