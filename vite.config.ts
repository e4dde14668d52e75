/** One Vite for the demo's page and the unit tests. The library itself is built by tsc: see tsconfig.build.json. */
import react from '@vitejs/plugin-react';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { entries, internals } from './tools/entries.js';

// These start a Redis and a PostgreSQL of their own, which not every contributor has: `npm test` leaves them to `npm run verify`.
const withDatabases = ['test/node/**/*.test.ts', 'test/server/database-*.test.ts'];
// These wait for real time, start many processes, or compile what `npm test` compiles in a stage of its own: `npm run verify` runs them as well.
const long = [
  'src/oauth/answers-on-the-wire.test.ts',
  'examples/node/command-line-tool.test.ts',
  'tools/{api,check-core,check-docs}.test.ts',
];

// To start a thread for each file takes less than two thirds of the processor time of a process.
const pool = 'threads';

/** By Vite's mode. */
const CONDITIONS: Readonly<Record<string, Parameters<typeof internals>[0]>> = {
  production: 'default',
  test: 'node',
};

const alias = (modules: { name: string; source: string }[]): { find: RegExp; replacement: string }[] =>
  modules.map(({ name, source }) => ({
    find: new RegExp(`^${name}$`),
    replacement: path.join(import.meta.dirname, source),
  }));

export default defineConfig(({ mode }) => ({
  plugins: [react()],
  resolve: {
    // The demo and the tests import the package by its name, as users do, but from source.
    alias: alias([...entries, ...internals(CONDITIONS[mode] ?? 'development')]),
  },
  test: {
    // Tests that need a document say so in their first line: // @vitest-environment jsdom
    environment: 'node',
    // As patient as test/support/patiently.ts.
    expect: { poll: { timeout: 60_000 } },
    // Vitest leaves one processor free, which is half of a machine with two.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    coverage: {
      include: ['src/core/**/*.ts'],
      exclude: ['**/*.test.ts'],
      reporter: [['text', { skipFull: true }], 'html'],
      thresholds: { branches: 100 },
    },
    projects: [
      {
        extends: true,
        // Where time matters it is simulated; a busy machine only takes longer.
        test: {
          name: 'unit',
          include: ['{src,sim,test,tools,campaigns,examples}/**/*.test.{ts,tsx}'],
          exclude: ['**/node_modules/**', 'test/production/**', ...withDatabases, ...long],
          testTimeout: 60_000,
          pool,
        },
      },
      {
        // An app in production has messages of one line, and no watch for misuse.
        extends: true,
        resolve: { alias: alias(internals('default')) },
        test: { name: 'production', include: ['test/production/*.test.ts'] },
      },
      { extends: true, test: { name: 'databases', include: withDatabases, testTimeout: 60_000 } },
      { extends: true, test: { name: 'long', include: long, testTimeout: 60_000 } },
      {
        // The simulator's reach, where that is measured: half a minute of schedules.
        extends: true,
        test: {
          name: 'simulation',
          include: process.argv.includes('--coverage') ? ['sim/coverage.ts'] : [],
          testTimeout: 600_000,
        },
      },
      {
        // All that renders, once more on React 18.
        extends: true,
        resolve: {
          alias: {
            react: path.join(import.meta.dirname, 'test/react-18/node_modules/react'),
            'react-dom': path.join(import.meta.dirname, 'test/react-18/node_modules/react-dom'),
            // As ES modules, which Vite can give another React than the one beside them.
            '@testing-library/react': '@testing-library/react/dist/@testing-library/react.esm.js',
          },
        },
        test: {
          name: 'react-18',
          env: { REACT_MAJOR: '18' },
          pool,
          include: ['src/react/**/*.test.{ts,tsx}', 'examples/*.test.tsx'],
          server: { deps: { inline: ['@testing-library/react'] } },
        },
      },
    ],
  },
}));
