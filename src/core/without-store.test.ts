import { expect, test } from 'vitest';
import { coreOptions } from '../../test/support/core-options.js';
import { step } from './machine.js';
import type { SessionRecord } from './record.js';
import { initialState, type Effect, type Event, type State } from './state.js';
import type { CoreOptions } from './options.js';

const record: SessionRecord = {
  schema: 1,
  startedAt: 0,
  term: 1,
  sessionId: 's',
  version: 1,
  refreshToken: 'r',
  accessTokens: { '': { token: 'a', type: 'Bearer', version: 1, obtainedAt: 0, expiresAt: 60_000 } },
};

function withoutStore(changed: Partial<CoreOptions> = {}): State {
  const given = { me: 'A', options: { ...coreOptions, ...changed }, active: true, visible: true };
  return {
    ...initialState(given),
    loaded: true,
    storage: 'memory',
    record,
    seen: { '': { version: 1, at: 0 } },
  };
}

function run(state: State, event: Event, mono: number): [State, Effect['type'][]] {
  const [after, effects] = step(state, event, { wall: mono, mono, random: 0.5 });
  return [after, effects.map(({ type }) => type)];
}

const call: Event = { type: 'call', id: 1, force: true, failFast: false, timeoutMs: 10_000 };

// Of processes. Its journal would be in memory, and be saved later over those of others.
test('a process without its store asks for no lease', () => {
  expect(run(withoutStore(), call, 0)[1]).toContain('lock');
  expect(run(withoutStore({ leases: true }), call, 0)[1]).not.toContain('lock');
});

// 18 messages of a script in one instant made ten tabs without a store post and hear 20,000.
test('many messages make a tab ask the others twice', () => {
  const hint = (version: number): Event => ({
    type: 'message',
    message: { from: 'B', type: 'changed', sessionId: 'x', version, term: 1 },
  });
  let state = withoutStore();
  const posted: number[] = [];
  for (let n = 0; n < 50; n++) {
    const [after, effects] = run(state, n % 10 === 9 ? { type: 'tick' } : hint(n), 10 * n);
    state = after;
    if (effects.includes('post')) posted.push(10 * n);
  }
  expect(posted).toEqual([0, 300]);
});
