import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sentences } from '../src/core/texts.development.js';

const page = readFileSync('docs/errors.md', 'utf8');

test('docs/errors.md has every sentence, and no other', () => {
  const rows = page.matchAll(/^\| `([\w-]+)` +\| (\S.*?) +\|$/gm);
  const told = [...rows].map(([, word, sentence]) => [word, sentence]);
  expect(Object.fromEntries(told)).toEqual(sentences);
});
