/** One Vite for the demo's page and the unit tests. The library itself is built by tsc: see tsconfig.build.json. */
import react from '@vitejs/plugin-react';
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { entries } from './tools/entries.js';

export default defineConfig({
  plugins: [react()],
  resolve: {
    // The demo and the tests import the package by its name, as users do, but from source.
    alias: entries.map(({ name, source }) => ({
      find: new RegExp(`^${name}$`),
      replacement: path.join(import.meta.dirname, source),
    })),
  },
  test: {
    include: ['{src,test,tools,examples}/**/*.test.{ts,tsx}'],
    // Tests that need a document say so in their first line: // @vitest-environment jsdom
    environment: 'node',
    coverage: { include: ['src/core/**/*.ts'], exclude: ['**/*.test.ts'], reporter: ['text', 'html'] },
  },
});
