/** docs/browser-support.md promises these browsers; later features may be used behind `?.` or `typeof` only. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const oldest = { Chrome: 98, Firefox: 97, Safari: 15.4 };

/** Features younger than one of them. */
const younger = (
  'AbortSignal.timeout AbortSignal.any .throwIfAborted Promise.withResolvers Promise.try Array.fromAsync Object.groupBy Map.groupBy ' +
  '.findLast .findLastIndex .toSorted .toReversed .toSpliced .isWellFormed .toWellFormed .isSubsetOf .union .difference .intersection ' +
  'URL.canParse URL.parse Response.json Iterator.from .toBase64 .toHex Uint8Array.fromBase64 Uint8Array.fromHex RegExp.escape ' +
  'Error.isError scheduler.postTask scheduler.yield requestIdleCallback navigator.userActivation navigation.navigate CompressionStream ' +
  'cookieStore.get .checkVisibility'
).split(' ');

/** Names of what is used unguarded. */
function findYounger(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, '');
  const found = younger.filter((name) => {
    const escaped = name.replaceAll('.', '\\.');
    return new RegExp(`${name.startsWith('.') ? '' : '\\b'}${escaped}\\b(?!\\?\\.)`).test(code);
  });
  return /^\s*static \{/m.test(code) ? [...found, 'static block'] : found;
}

test('src uses nothing younger than the oldest browsers', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
    (file) =>
      /\.tsx?$/.test(file) &&
      !/\.test\.tsx?$/.test(file) &&
      !file.includes(path.join('testing', 'simulator')),
  );
  expect(files.length).toBeGreaterThan(50);
  const faults = files.flatMap((file) =>
    findYounger(readFileSync(path.join('src', file), 'utf8')).map((name) => `src/${file}: ${name}`),
  );
  expect(faults).toEqual([]);
});

test('finds what is unguarded, and in no comment', () => {
  expect(findYounger('signal.throwIfAborted();')).toEqual(['.throwIfAborted']);
  expect(findYounger('AbortSignal.timeout(5)')).toEqual(['AbortSignal.timeout']);
  expect(findYounger('AbortSignal.timeout?.(5); throwIfAborted(signal); // URL.parse')).toEqual([]);
});

test.each(['README.md', 'docs/browser-support.md'])('%s names the same browsers', (file) => {
  const text = readFileSync(file, 'utf8');
  for (const [name, version] of Object.entries(oldest)) expect(text).toContain(`${name} ${version}`);
});
