/** `npm run coverage`: the simulator's reach in the core, beside the unit tests. The same schedules every time. */
import { expect, test } from 'vitest';
import { runSchedule } from './world/run.js';
import { regressions } from './regressions.js';
import { scenarios } from './scenarios.js';

test.each([
  ['no-faults', 500],
  ['faults', 1_000],
  ['everything', 2_500],
  ['worker', 500],
  ['two-apps', 500],
  ['endings', 500],
] as const)('%s: %d schedules', async (profile, schedules) => {
  for (let seed = 1_000; seed < 1_000 + schedules; seed++) {
    const { violation } = await runSchedule(seed, profile);
    expect(violation, `seed ${seed}`).toBeUndefined();
  }
});

test('schedules in which a guard was missed', async () => {
  for (const { profile, seed } of regressions) {
    const { violation } = await runSchedule(seed, profile);
    expect(violation, `seed ${seed}`).toBeUndefined();
  }
});

test.each(scenarios.map(({ guard, plan }) => [guard, plan] as const))('made by hand: %s', async (_, plan) => {
  for (let seed = 1; seed <= 50; seed++) {
    const { violation } = await runSchedule(seed, 'everything', { plan });
    expect(violation, `seed ${seed}`).toBeUndefined();
  }
});
