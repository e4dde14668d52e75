import { describe, expect, test } from 'vitest';
import type { Journal, SessionRecord } from './record.js';
import { newer } from './record.js';

const journal: Journal = { attempt: 1, by: 'a', term: 5, at: 0, doubts: 0, failures: 0 };

function record(change: Partial<SessionRecord>): SessionRecord {
  return { schema: 1, startedAt: 0, term: 5, sessionId: 's', version: 2, accessTokens: {}, ...change };
}

/** What two tabs end with that hear of both, in either order. */
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

  test('the higher term counts where both know of the same attempt', () => {
    const failed = record({ term: 6, journal });
    expect(join(record({ journal }), failed)).toEqual([failed, failed]);
  });

  // Two tabs without a store and without locks heard each other's journal, and each of them was answered.
  test('everybody takes the same pair, even if nothing else tells them apart', () => {
    const a = record({ leader: 'a', refreshToken: 'r1' });
    const b = record({ leader: 'a', refreshToken: 'r2' });
    expect(join(a, b)).toEqual([b, b]);
  });

  // A  pair P2: told ─ spare P1: stored ─ leaves: told
  // B  hears P2 ──────────────────────────────────────▶ elects itself: term + 1
  test('what either of them knows of spares is kept', () => {
    const accessToken = { token: 'a', type: 'Bearer', version: 2, obtainedAt: 0, claimed: false };
    const spares = ['r1', 'r2'].map((refreshToken) => ({ refreshToken, audience: '', accessToken }));
    const ignorant = record({ term: 9, leader: 'c' });
    const both = { ...ignorant, spares };
    expect(join(record({ spares }), ignorant)).toEqual([both, both]);
    expect(join(record({ spares }), { ...ignorant, spares: [] })).toEqual([both, both]);
    expect(join(record({ spares }), { ...ignorant, spares: spares.slice(1) })).toEqual([both, both]);
  });
});

test.each([
  ['a later version', { version: 3 }],
  ['a sign-out', { ended: { kind: 'signed-out' } }],
  ['another session', { sessionId: 't' }],
] as const)('%s has nothing to do with the spares of what was before', (_, change) => {
  const now = record(change);
  expect(join(record({ spares: [] }), now)).toEqual([now, now]);
  const accessToken = { token: 'a', type: 'Bearer', version: 2, obtainedAt: 0, claimed: false };
  expect(join(record({ spares: [{ audience: '', accessToken }] }), now)).toEqual([now, now]);
});
