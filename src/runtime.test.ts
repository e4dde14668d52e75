import { expect, test } from 'vitest';
import type { Ports } from './runtime.js';
import { createRuntime } from './runtime.js';

/** A world in which this port's function throws. */
function participant(broken: (ports: Ports) => Partial<Ports>) {
  const reads: string[] = [];
  const timers: number[] = [];
  const ports: Ports = {
    channel: { open: () => {}, post: () => {}, close: () => {} },
    store: {
      async read() {
        reads.push('read');
        return undefined;
      },
      async update() {},
    },
    clock: {
      wall: () => 0,
      monotonic: () => 0,
      random: () => 0.5,
      id: () => 'me',
      setTimer: (delayMs) => (timers.push(delayMs), () => {}),
    },
    lifecycle: { state: () => ({ active: true, visible: true }), listen: () => () => {} },
  };
  const options = {
    proactive: 'never',
    refreshTimeoutMs: 1_000,
    leaderTimeoutMs: 1_000,
    broadcast: 'pair',
    answers: true,
    candidate: true,
    leases: false,
  } as const;
  const changes: boolean[] = [];
  const runtime = createRuntime({ ...ports, ...broken(ports) }, options, {
    send: () => {},
    deliver: () => {},
    changed: ({ loaded }) => void changes.push(loaded),
  });
  return { ...runtime, reads, timers, changes };
}

test('a port that throws stops nothing else', async () => {
  const open = (): never => {
    throw new Error('no channel');
  };
  const { dispatch, reads, changes } = participant(({ channel }) => ({ channel: { ...channel, open } }));
  expect(() => dispatch({ type: 'start' })).toThrow('no channel');
  expect(reads).toEqual(['read']);
  await Promise.resolve();
  expect(changes).toEqual([false, true]);
});

test('an event that throws takes no other along', () => {
  const { dispatch, state } = participant(() => ({}));
  const broken = (): never => {
    throw new Error('no step');
  };
  expect(() => dispatch({ type: 'unreachable', resume: broken })).toThrow('no step');
  dispatch({ type: 'lifecycle', change: 'hidden' });
  expect(state().visible).toBe(false);
});
