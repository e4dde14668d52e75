import { describe, expect, test } from 'vitest';
import { runSchedule } from './run.js';
import { lines, timeline } from './timeline.js';

describe('a schedule', () => {
  test.each(['no-faults', 'faults', 'everything', 'worker'] as const)(
    'is the same, byte for byte, for one seed: %s',
    async (profile) => {
      for (let seed = 1; seed <= 5; seed++) {
        const first = await runSchedule(seed, profile, { trace: true });
        const second = await runSchedule(seed, profile, { trace: true });
        expect(lines(second.notes)).toBe(lines(first.notes));
        expect(second.stats).toEqual(first.stats);
      }
    },
  );

  test('without faults spends every refresh token exactly once', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { violation, expiries, requests, inVain } = await runSchedule(seed, 'no-faults');
      expect(violation).toBeUndefined();
      expect(requests - inVain).toBe(expiries);
    }
  });

  test('leaves out what is to be spared, and nothing else', async () => {
    const whole = await runSchedule(7, 'everything');
    const spared = new Set(whole.injected);
    const { injected } = await runSchedule(7, 'everything', { spared });
    expect(injected.filter((name) => spared.has(name))).toEqual([]);
  });

  test('shows itself side by side', async () => {
    const { notes } = await runSchedule(1, 'no-faults', { trace: true });
    const [head] = timeline(notes).split('\n');
    expect(head).toContain('t0');
    expect(head).toContain('│t1');
  });
});
