import { expect, test } from 'vitest';
import { readRetryAfter } from './retry-after.js';

const now = Date.UTC(1994, 10, 6, 8, 49, 0);

test.each([
  ['seconds', '37', 37_000],
  ['no wait at all', '0', 0],
  ['IMF-fixdate', 'Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
  ['RFC 850', 'Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
  ['asctime, which is UTC too', 'Sun Nov  6 08:49:37 1994', 37_000],
  ['a date gone by', 'Sun, 06 Nov 1994 08:48:00 GMT', 0],
  ['a fraction', '1.5', undefined],
  ['a negative number', '-1', undefined],
  ['a word', 'tomorrow', undefined],
  ['an impossible date', 'Sun, 99 Nov 1994 08:49:37 GMT', undefined],
  ['nothing', '', undefined],
])('Retry-After: %s', (_name, value, expected) => {
  expect(readRetryAfter(new Headers({ 'retry-after': value }), now)).toBe(expected);
});

test('without the header nothing is known', () => {
  expect(readRetryAfter(new Headers(), now)).toBeUndefined();
});
