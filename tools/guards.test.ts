import { expect, test } from 'vitest';
import { compareGuards, fileOf, without } from './guards.js';

const code = `
if (isOdd(n)) return;
// guard: odd numbers are refused
if (isOdd(n)) return;
// guard: large numbers are refused
if (n > 9) return;
`;
const odd = { guard: 'odd numbers are refused', anchor: 'if (isOdd(n)) return;\n', replacement: '' };
const large = { guard: 'large numbers are refused', anchor: 'n > 9', replacement: 'false' };
const sources = new Map([
  ['a.ts', code],
  ['b.ts', 'const n = 9;'],
]);

test('a mutant leaves out what follows its comment', () => {
  expect(fileOf(odd.guard, sources)).toBe('a.ts');
  expect(without(code, odd)).toBe(code.replace(`// guard: ${odd.guard}\n${odd.anchor}`, ''));
  expect(compareGuards(sources, [odd, large])).toEqual([]);
});

test.each([
  ['no mutant', [odd], sources, 'no mutant leaves it out'],
  ['no comment', [odd, large, { ...odd, guard: 'zero is refused' }], sources, '0 files have the comment'],
  ['two comments', [odd, large], new Map([...sources, ['c.ts', code]]), '2 files have the comment'],
  ['two in one file', [odd, large], new Map([['a.ts', code + code]]), 'named 2 times instead of once'],
  ['no such code', [{ ...odd, anchor: 'isEven(n)' }, large], sources, 'not within'],
  [
    'code far away',
    [odd, large],
    new Map([['a.ts', code.replace('n > 9', `${'\n'.repeat(20)}n > 9`)]]),
    'not within',
  ],
  ['two mutants of one name', [odd, odd, large], sources, 'two mutants have one name'],
])('%s is a fault', (_, mutants, given, fault) => {
  expect(compareGuards(given, mutants).join('\n')).toContain(fault);
});
