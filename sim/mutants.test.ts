import { describe, expect, test } from 'vitest';
import { canary, mutants } from './mutants.js';
import { scenarios } from './scenarios.js';

describe('the mutation list', () => {
  test('has no name twice, and each name of the others', () => {
    const guards = mutants.map(({ guard }) => guard);
    expect(new Set(guards).size).toBe(guards.length);
    const known = [...canary, ...scenarios.map(({ guard }) => guard)];
    expect(known.filter((guard) => !guards.includes(guard))).toEqual([]);
  });
});
