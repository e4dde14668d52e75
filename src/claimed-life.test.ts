import { expect, test, vi } from 'vitest';
import { claimedLife } from './claimed-life.js';

test('a token lives from iat to exp, whatever time it is here', () => {
  expect(claimedLife({ iat: 1_000, exp: 1_060 })).toBe(60);
});

test('without iat there is only the local clock; without exp nobody says', () => {
  vi.useFakeTimers({ now: 5_000_000 });
  expect(claimedLife({ exp: 5_090 })).toBe(90);
  vi.useRealTimers();
  expect(claimedLife({ iat: 1_000 })).toBeNaN();
});
