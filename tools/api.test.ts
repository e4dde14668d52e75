import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readReference } from './api.js';

// A whole compiler starts for each.
vi.setConfig({ testTimeout: 60_000 });

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'api-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function read(source: string): { page: string; faults: string[] } {
  const file = path.join(directory, 'index.ts');
  writeFileSync(file, source);
  const { pages, faults } = readReference([
    { name: 'package/entry', source: file, output: '', forServers: false },
  ]);
  const sentences = faults.map((fault) => fault.replace(/^.*?:\d+: /, ''));
  return { page: pages.get('entry.md') ?? '', faults: sentences };
}

test('a page shows all that is public, nothing private', () => {
  const { page, faults } = read(`
    /**
     * Does it.
     * @param how - in which way
     * @throws \`ERR_IT\`
     * @example
     * it(1)
     */
    export function it(how: number): string { return secret(how); }
    /** A thing. */
    export interface Thing {
      /** Its name. */
      readonly name: string;
    }
    function secret(n: number): string { return String(n); }`);
  expect(faults).toEqual([]);
  expect(page).toContain('function it(how: number): string');
  expect(page).toContain('- Throws: `ERR_IT`');
  expect(page).toContain('```ts\nit(1)\n```');
  expect(page).toContain('- `name: string`');
  expect(page).not.toContain('secret');
});

test('a missing part of a docstring is a fault', () => {
  const { faults } = read(`
    export interface Bare { readonly name: string }
    /** Does it. */
    export function it(): void {}
    /** How. */
    export interface ItOptions {
      /** Longest wait; default 5. */
      readonly waitMs?: number;
      /** Loudly. */
      readonly loud?: boolean;
    }
    /** It. */
    export interface It {
      /** Runs. */
      readonly run: () => Promise<void>;
      /** Stops. */
      stop(): Promise<void>;
    }`);
  expect(faults.toSorted()).toEqual([
    'Bare has no docstring',
    'Bare.name has no docstring',
    'It.run does not say what it rejects with (or that it never rejects)',
    'It.stop does not say what it rejects with (or that it never rejects)',
    'ItOptions.loud does not say its default',
    'ItOptions.waitMs does not say its unit',
    'it does not say what it throws (or that it throws nothing)',
  ]);
});
