import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { apply } from './jobs.js';
import { canary, mutants } from './mutants.js';
import { scenarios } from './scenarios.js';

const root = path.join(import.meta.dirname, '..');

describe('the mutation list', () => {
  test.each(mutants.map((mutant) => [mutant.guard, mutant] as const))('fits the core: %s', (_, mutant) => {
    const code = readFileSync(path.join(root, mutant.file), 'utf8');
    expect(apply(code, mutant)).not.toBe(code);
  });

  test('names no guard twice, and all those of the canary and of the scenarios', () => {
    const guards = mutants.map(({ guard }) => guard);
    expect(new Set(guards).size).toBe(guards.length);
    const known = [...canary, ...scenarios.map(({ guard }) => guard)];
    expect(known.filter((guard) => !guards.includes(guard))).toEqual([]);
  });
});
