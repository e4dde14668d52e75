import { expect, test } from 'vitest';
import { coreOptions } from '../../test/support/core-options.js';
import { step } from './machine.js';
import type { Journal, SessionRecord } from './record.js';
import { initialState, type Effect, type Event, type State } from './state.js';

const journal: Journal = { attempt: 1, by: 'A', term: 1, at: 0, doubts: 0, failures: 0 };
const record: SessionRecord = {
  schema: 1,
  startedAt: 0,
  term: 1,
  leader: 'A',
  sessionId: 's',
  version: 1,
  refreshToken: 'r1',
  accessTokens: { '': { token: 'a1', type: 'Bearer', version: 1, obtainedAt: 0, expiresAt: 60_000 } },
  journal,
};

function knowing(known: Partial<SessionRecord>): State {
  const given = initialState({
    me: 'B',
    options: coreOptions,
    active: true,
    visible: true,
  });
  const seen = { '': { version: 1, at: 0 } };
  return { ...given, loaded: true, record: { ...record, ...known }, seen, journalSeen: 0 };
}

function run(state: State, event: Event, mono: number): [State, Effect[]] {
  const [after, effects] = step(state, event, { wall: mono, mono, random: 0.5 });
  return [after, [...effects]];
}

/** News of A's record, which the message tells by its position; a pair tells it whole. */
function says(type: 'refresh-failed' | 'leader-resigned' | 'pair', of: Partial<SessionRecord>): Event {
  const told: SessionRecord = { ...record, ...of };
  const { sessionId, version, term, leader, journal: by } = told;
  const position = { from: 'A', sessionId, version, term, leader, journal: by };
  const message =
    type === 'pair' ? { ...position, type, record: told, unsaved: false } : { ...position, type };
  return { type: 'message', message };
}

/** B wants a token of another audience, and waits for the lock of A's attempt. */
function probing(): State {
  const [asked, effects] = run(
    knowing({}),
    { type: 'call', id: 1, resource: 'https://b.test', force: false, failFast: false, timeoutMs: 60_000 },
    10,
  );
  const lock = effects.find(({ type }) => type === 'lock') as Extract<Effect, { type: 'lock' }>;
  const [waiting] = run(asked, { type: 'lock', outcome: 'granted', resume: lock.resume }, 11);
  expect(waiting.flight?.phase).toBe('probing');
  return waiting;
}

test("an older version's attempt lock is waited for no longer", () => {
  const accessTokens = { '': { ...record.accessTokens['']!, token: 'a2', version: 2 } };
  const next = says('pair', { version: 2, refreshToken: 'r2', journal: undefined, accessTokens });
  const [after] = run(probing(), next, 100);
  expect(after.record?.version).toBe(2);
  expect(after.flight?.phase).toBe('queued');
});

test('an attempt that has failed is waited for no longer', () => {
  const failure = { at: 90, retryInMs: 0, unspent: true };
  const [after] = run(probing(), says('refresh-failed', { term: 2, journal: { ...journal, failure } }), 100);
  expect(after.record?.journal?.failure).toBeDefined();
  expect(after.flight?.phase).not.toBe('probing');
});

test('a tab without the refresh token stands for no election', () => {
  const resigned = says('leader-resigned', { term: 2, leader: undefined });
  expect(run(knowing({}), resigned, 100)[0].elect).toBeDefined();
  expect(run(knowing({ withheld: true, refreshToken: undefined }), resigned, 100)[0].elect).toBeUndefined();
});
