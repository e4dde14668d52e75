import { expect, test } from 'vitest';
import { sizeDiff } from './size-diff.js';

test('lists every entry of either report', () => {
  const table = sizeDiff(
    { kept: { start: { gzip: 100 } }, removed: { start: { gzip: 7 } } },
    { kept: { start: { gzip: 90 } }, added: { start: { gzip: 5 } } },
  );
  expect(table.split('\n').slice(2)).toEqual([
    '| `kept` | 100 | 90 | -10 |',
    '| `removed` | 7 | 0 | -7 |',
    '| `added` | 0 | 5 | +5 |',
  ]);
});
