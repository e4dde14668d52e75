import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkCore } from './check-core.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'core-'));
  mkdirSync(path.join(root, 'core'));
  writeFileSync(path.join(root, 'outside.ts'), 'export const outside = 1;');
  writeFileSync(path.join(root, 'core/inside.ts'), 'export const inside = 1;');
});
afterEach(() => rmSync(root, { recursive: true }));

function check(code: string): string[] {
  writeFileSync(path.join(root, 'core/file.ts'), code);
  return checkCore(path.join(root, 'core'));
}

test('the language itself, and imports of neighbours, pass', () => {
  const code = `
    import { inside } from './inside.js';
    export type Clock = { now: number; Date: string; random(): number };
    export interface Port { crypto: Promise<string>; performance?: Date }
    export class Failure extends Error { declare readonly crypto?: string; Date(): void {} }
    export function pure(clock: Clock, fetch: number): number {
      const { Date: date, random } = clock;
      loop: for (const [key, value] of Object.entries({ crypto: 1, fetch })) { if (key) break loop; void value; }
      return Math.floor(inside + clock.now + date.length + random() + fetch + new Map([[1, 2]]).size);
    }`;
  expect(check(code)).toEqual([]);
});

test.each([
  ['the time', 'export const x = Date.now();'],
  ['a new date', 'export const x = new Date();'],
  ['the time, indirectly', 'const D = Date; export const x = D.now();'],
  ['chance', 'export const x = Math.random();'],
  ['chance by key', "export const x = Math['random']();"],
  ['chance by destructuring', 'const { random } = Math; export const x = random();'],
  ['Math handed on', 'export const x = [Math];'],
  ['crypto', 'export const x = crypto.randomUUID();'],
  ['crypto by shorthand', 'export const x = { crypto };'],
  ['performance as a default', 'export function f({ p = performance } = {}) { return p; }'],
  ['a timer', 'setTimeout(() => {}, 1);'],
  ['a global through globalThis', 'export const x = (globalThis as any).crypto;'],
  ['a foreign base class', 'export class X extends EventTarget {}'],
  ['a declared global', 'declare const navigator: { locks: unknown }; export const x = navigator.locks;'],
  ['evaluated code', "export const x = new Function('return 1');"],
  ['await', 'export async function f(): Promise<void> { await null; }'],
  ['an import of a neighbour outside', "import { outside } from '../outside.js'; export const x = outside;"],
  [
    'a type import from outside',
    "import type { outside } from '../outside.js'; export type X = typeof outside;",
  ],
  ['an inline type import', "export type X = typeof import('../outside.js').outside;"],
  ['a re-export from outside', "export * from '../outside.js';"],
  ['a package', "import { get } from 'idb-keyval'; export const x = get;"],
  ['a Node module', "import 'node:fs';"],
  ['a `#name` that means a module outside', "import { say } from '#texts'; export const x = say;"],
  ['a `#name` that package.json does not have', "import { x } from '#none'; export const y = x;"],
  ['a dynamic import', "export const x = () => import('../outside.js');"],
  ['a computed import', "export const x = (name: string) => import('./' + name);"],
  ['import.meta', 'export const x = import.meta.url;'],
  ['a reference', '/// <reference lib="dom" />\nexport const x = 1;'],
  ['a suppressed error', '// @ts-expect-error\nexport const x = crypto;'],
])('%s is found', (_what, code) => {
  expect(check(code)).not.toEqual([]);
});

test('an empty directory is not a proof', () => {
  rmSync(path.join(root, 'core'), { recursive: true });
  mkdirSync(path.join(root, 'core'));
  expect(checkCore(path.join(root, 'core'))).toHaveLength(1);
});
