import { expect, test } from 'vitest';
import { clausesOf, commentsOf, longTitlesOf, proseOf } from './check-writing.js';

test.each([
  'Whoever hears it reads the store.',
  'The lock is short: what closes the rest is a setting.',
  'A message is lost, and whoever hears it later reads.',
  '| a cell | what this does |',
])('counts a clause: %s', (text) => {
  expect(clausesOf(text)).toHaveLength(1);
});

test.each([
  'What does it cost?',
  'The user who is signed in sees what happened.',
  'It says what to change.',
  'The message names `what` and `who`.',
])('counts none: %s', (text) => {
  expect(clausesOf(text)).toEqual([]);
});

test('reads prose, comments and titles, and no code', () => {
  expect(
    proseOf('# What it is\n\n| what | how |\n| --- | --- |\n| a | b |\n\n```ts\n// what\n```\n').trim(),
  ).toBe('| a | b |');
  expect(
    commentsOf("const what = 1; // one\n// two\n// lines\n/** Doc. */\ntest('a title', () => {});\n"),
  ).toEqual([' Doc. ', expect.stringContaining('one two lines'), 'a title']);
});

test('finds titles of more than ten words', () => {
  const ten = 'one two three four five six seven eight nine ten';
  expect(longTitlesOf(`test('${ten}', () => expect('${ten} and more'));`)).toEqual([]);
  expect(longTitlesOf(`test.each([1])('${ten} %s', () => {});`)).toEqual([`${ten} %s`]);
  expect(longTitlesOf(`extended('${ten} eleven', async () => {});`)).toEqual([`${ten} eleven`]);
  expect(longTitlesOf(`describe('a', () => { it(\`${ten} eleven\`, () => {}); });`)).toEqual([
    `${ten} eleven`,
  ]);
  const withName = (words: string): string => ['test(`', '${some + name} ', words, '`, () => {});'].join('');
  expect(longTitlesOf(withName(ten))).toHaveLength(1);
  expect(longTitlesOf(withName(ten.slice(4)))).toEqual([]);
});
