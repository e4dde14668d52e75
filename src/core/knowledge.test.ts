import { expect, test } from 'vitest';
import { coreOptions } from '../../test/support/core-options.js';
import type { Now } from './expiry.js';
import { adopt, proactiveDue } from './knowledge.js';
import type { SessionRecord } from './record.js';
import { initialState, type Turn } from './state.js';

const LIFE = 60_000;
const HOUR = 3_600_000;

const state = initialState({
  me: 'me',
  options: { ...coreOptions, proactive: 'always' },
  active: true,
  visible: true,
});

function record(version: number, obtainedAt: number): SessionRecord {
  const token = { token: 'a', type: 'Bearer', version, obtainedAt, expiresAt: obtainedAt + LIFE };
  return { schema: 1, startedAt: 0, term: 1, sessionId: 's', version, accessTokens: { '': token } };
}

// It asked the others for the next pair as soon as one came, nine times a second.
test('a fast wall clock does not make new tokens old', () => {
  const now: Now = { wall: HOUR, mono: 1_000, random: 0 };
  const t: Turn = { s: { ...state, loaded: true }, now, effects: [] };
  adopt(t, record(1, 0));
  expect(proactiveDue(t.s, now)).toBeLessThan(0);
  adopt(t, record(2, 0));
  expect(proactiveDue(t.s, now)).toBe(LIFE / 2);
  expect(proactiveDue(t.s, { ...now, mono: 1_000 + LIFE / 2 })).toBe(0);
});

// Of three tabs without a store that failed in the same millisecond, one kept a wait of its own and asked before the others.
test('failures of one millisecond wait as the record says', () => {
  const failed = (by: string, retryInMs: number): SessionRecord => ({
    ...record(1, 0),
    leader: by,
    journal: {
      attempt: 1,
      by,
      term: 1,
      at: 0,
      doubts: 0,
      failures: 1,
      failure: { at: 5, retryInMs, unspent: false },
    },
  });
  const t: Turn = { s: { ...state, loaded: true }, now: { wall: 5, mono: 5, random: 0 }, effects: [] };
  adopt(t, failed('a', 3_000));
  expect(t.s.pause?.until).toBe(3_005);
  adopt(t, failed('b', 7_000), true);
  expect(t.s.pause?.until).toBe(7_005);
});
