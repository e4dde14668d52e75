import { describe, expect, test } from 'vitest';
import type { AccessToken, Journal, SessionRecord } from './record.js';
import { current, newer } from './join.js';
import { MOST_AUDIENCES, MOST_COUNT, next, SCHEMA } from './record.js';
import { tokensIn, withPair } from './pair.js';

const fetched: AccessToken = { token: 'a', type: 'Bearer', version: 2, obtainedAt: 0 };
const journal: Journal = { attempt: 1, by: 'a', term: 5, at: 0, doubts: 0, failures: 0 };

function record(change: Partial<SessionRecord>): SessionRecord {
  return { schema: 1, startedAt: 0, term: 5, sessionId: 's', version: 2, accessTokens: {}, ...change };
}

/** The record of two tabs that hear of both, in either order. */
function join(a: SessionRecord, b: SessionRecord): readonly unknown[] {
  return [newer(a, b), newer(b, a)];
}

describe('of two records of one version', () => {
  // Without locks and with a store for some only:
  //
  //     A  journal ─ sends ························▶ answer
  //     B                    (no store, never heard of it) resigns: term + 1
  //     C                    hears B, elects itself: term + 2 ─ must not write over A's journal, and send
  test('the one with the later attempt counts, whatever the terms', () => {
    const sent = record({ journal });
    const ignorant = record({ term: 9, leader: 'c' });
    expect(join(sent, ignorant)).toEqual([sent, sent]);
    const again = record({ journal: { ...journal, attempt: 2 } });
    expect(join({ ...sent, term: 9 }, again)).toEqual([again, again]);
  });

  test('of two attempts of one number the later one counts', () => {
    const before = record({ term: 9, journal });
    const later = record({ journal: { ...journal, by: 'b', at: 1 } });
    expect(join(before, later)).toEqual([later, later]);
  });

  test('of two attempts of one moment the unfailed one counts', () => {
    const failure = { at: 1, retryInMs: 1, unspent: false };
    const failed = record({ leader: 'z', journal: { ...journal, by: 'z', failure } });
    const underWay = record({ leader: 'a', journal });
    expect(join(failed, underWay)).toEqual([underWay, underWay]);
  });

  test('of one attempt the higher term counts', () => {
    const failed = record({ term: 6, journal });
    expect(join(record({ journal }), failed)).toEqual([failed, failed]);
  });

  describe('which brought a pair each', () => {
    const pair = (refreshToken: string, term: number): SessionRecord =>
      record({ term, refreshToken, accessTokens: { '': { ...fetched, token: `of ${refreshToken}` } } });
    const spare = (refreshToken: string) => ({
      refreshToken,
      audience: '',
      accessToken: { ...fetched, token: `of ${refreshToken}`, expiresAt: 0 },
    });

    // Two tabs without a store and without locks heard each other's journal, and each of them was answered.
    test('everybody takes the same one and keeps the other', () => {
      const both = { ...pair('r2', 5), spares: [spare('r1')] };
      expect(join(pair('r1', 5), pair('r2', 5))).toEqual([both, both]);
    });

    test('the one told without its refresh token gives way', () => {
      const told = { ...pair('r1', 9), refreshToken: undefined, withheld: true as const };
      expect(join(told, pair('r2', 5))).toEqual([pair('r2', 5), pair('r2', 5)]);
    });

    test('the later term counts; the other is kept once', () => {
      const both = { ...pair('r1', 6), spares: [spare('r2')] };
      expect(join(pair('r1', 6), pair('r2', 5))).toEqual([both, both]);
      expect(newer(both, pair('r2', 5))).toBe(both);
      expect(newer(pair('r2', 5), both)).toBe(both);
    });

    // Positions carry no pair: the tab that called it lost may not know of the spare.
    test('a session with a spare has not ended', () => {
      const both = { ...pair('r2', 5), spares: [spare('r1')] };
      expect(newer(both, { ...both, term: 9, ended: { kind: 'reauth-required' } })).toEqual({
        ...both,
        term: 9,
      });
    });

    test('a session is not lost with one of them', () => {
      const ended: SessionRecord = { ...pair('r1', 6), ended: { kind: 'reauth-required' } };
      const both = { ...pair('r1', 6), spares: [spare('r2')] };
      expect(join(ended, pair('r2', 5))).toEqual([both, both]);
    });

    test('a sign-out leaves none of them', () => {
      const ended: SessionRecord = { ...pair('r1', 6), ended: { kind: 'signed-out' } };
      const also: SessionRecord = { ...pair('r2', 5), ended: { kind: 'signed-out' }, spares: [spare('r3')] };
      expect(join(ended, also)).toEqual([ended, ended]);
    });
  });

  // A  pair P2: told ─ spare P1: stored ─ leaves: told
  // B  hears P2 ──────────────────────────────────────▶ elects itself: term + 1
  test('keeps the spares of both', () => {
    const [one, two] = ['r1', 'r2'].map((refreshToken) => ({
      refreshToken,
      audience: '',
      accessToken: fetched,
    }));
    const ignorant = record({ term: 9, leader: 'c' });
    const knowing = record({ spares: [one!, two!] });
    const both = { ...ignorant, spares: [one, two] };
    expect(join(knowing, ignorant)).toEqual([both, both]);
    expect(join(knowing, { ...ignorant, spares: [] })).toEqual([both, both]);
    const swapped = { ...ignorant, spares: [two, one] };
    expect(join(knowing, { ...ignorant, spares: [two!] })).toEqual([swapped, swapped]);
  });
});

test.each([
  ['a later version', { version: 3 }],
  ['a sign-out', { ended: { kind: 'signed-out' } }],
  ['another session', { sessionId: 't' }],
] as const)('%s drops the spares of the session before', (_, change) => {
  const now = record(change);
  expect(join(record({ spares: [] }), now)).toEqual([now, now]);
  expect(join(record({ spares: [{ audience: '', accessToken: fetched }] }), now)).toEqual([now, now]);
});

// Its tab saw it before the store was wiped, by a clock that was ahead.
test('of a foreign session the store alone tells', () => {
  const foreign = record({ sessionId: 'f', startedAt: 9, binding: 'other', ended: { kind: 'foreign' } });
  const own = record({});
  expect(current(own, foreign)).toBe(own);
  expect(current(undefined, foreign)).toBe(foreign);
});

test('the store counts before a later schema in memory', () => {
  const forged = record({ sessionId: 'forged', schema: SCHEMA + 1, startedAt: 9_999 });
  const stored = record({ sessionId: 'own', startedAt: 1 });
  expect(current(stored, forged)).toBe(stored);
  expect(current(undefined, forged)).toBe(forged);
});

test('the store counts before a withheld session in memory', () => {
  const forged = record({ sessionId: 'forged', startedAt: 9_999, withheld: true });
  const stored = record({ sessionId: 'own', startedAt: 1 });
  expect(current(stored, forged)).toBe(stored);
  expect(current(undefined, forged)).toBe(forged);
});

test('no count grows beyond what is read', () => {
  expect([next(1), next(MOST_COUNT - 1), next(MOST_COUNT)]).toEqual([2, MOST_COUNT, MOST_COUNT]);
});

test('no record holds no token', () => {
  expect(tokensIn(undefined)).toEqual([]);
});

test('one audience too many drops the one fetched longest ago', () => {
  const names = Array.from({ length: MOST_AUDIENCES - 1 }, (_, n) => `["${n}",[]]`);
  const full = Object.fromEntries(
    ['', ...names].map((name, n) => [name, { ...fetched, version: name === names[3] ? 1 : n + 2 }]),
  );
  const { accessTokens } = withPair(record({ accessTokens: full, version: 90 }), {
    refreshToken: 'r',
    audience: '["new",[]]',
    accessToken: fetched,
  });
  expect(Object.keys(accessTokens)).toHaveLength(MOST_AUDIENCES);
  expect(accessTokens).not.toHaveProperty([names[3]!]);
  expect(accessTokens).toHaveProperty(['["new",[]]']);
});
