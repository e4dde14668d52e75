import { describe, expect, test } from 'vitest';
import { backoff, lifeOf, minValidity, refreshLead, remainingLife, type Now } from './expiry.js';

const minute = 60_000;
const obtainedAt = Date.UTC(2030, 0, 1);
const token = {
  token: 'access-1',
  type: 'Bearer',
  version: 1,
  obtainedAt,
  expiresAt: obtainedAt + 10 * minute,
};
const endless = { token: 'access-1', type: 'Bearer', version: 1, obtainedAt };
const at = (wall: number, mono: number): Now => ({ wall: obtainedAt + wall, mono, random: 0 });

describe('the life that is left', () => {
  test('is what the server gave, less the age', () => {
    expect(lifeOf(token)).toBe(10 * minute);
    expect(remainingLife(token, 0, at(4 * minute, 4 * minute))).toBe(6 * minute);
  });

  test('is told by the clock that shows the greater age', () => {
    expect(remainingLife(token, 0, at(-60 * minute, 4 * minute))).toBe(6 * minute);
    expect(remainingLife(token, 0, at(9 * minute, 4 * minute))).toBe(1 * minute);
  });

  test('is never more than the whole', () => {
    expect(remainingLife(token, 5 * minute, at(-minute, 0))).toBe(10 * minute);
  });

  test('has no end where the server did not say', () => {
    expect(remainingLife(endless, 0, at(1_000 * minute, 0))).toBe(Infinity);
  });
});

test('the least life of a token handed out', () => {
  expect(minValidity(10 * minute, undefined)).toBe(10_000);
  expect(minValidity(30_000, undefined)).toBe(3_000);
  expect(minValidity(minute, 20_000)).toBe(20_000);
  expect(minValidity(minute, 5 * minute)).toBe(30_000);
});

describe('the lead of a refresh ahead of expiry', () => {
  test('is a fifth of the life, or as given', () => {
    expect(refreshLead(60 * minute, undefined, true, 0)).toBe(minute);
    expect(refreshLead(minute, undefined, true, 0)).toBe(12_000);
    expect(refreshLead(60 * minute, 5 * minute, true, 0)).toBe(5 * minute);
  });

  test('never reaches into the first half of a life', () => {
    expect(refreshLead(minute, 10 * minute, true, 0)).toBe(30_000);
  });

  test('lets the leader go first, whatever the dice say', () => {
    const [latestLeader, earliestFollower] = [true, false].map((leads) =>
      refreshLead(60 * minute, undefined, leads, leads ? 1 : 0),
    );
    expect([latestLeader, earliestFollower]).toEqual([54_000, 30_000]);
  });
});

test('the backoff doubles to a minute, with full jitter', () => {
  expect([0, 1, 5, 6, 60].map((failures) => backoff(failures, 1))).toEqual([
    1_000, 2_000, 32_000, 60_000, 60_000,
  ]);
  expect(backoff(5, 0)).toBe(0);
});
