import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { apply } from '../../tools/sim-jobs.js';
import { canary, mutants } from './mutants.js';

const root = path.join(import.meta.dirname, '../..');

describe('the mutation list', () => {
  test.each(mutants.map((mutant) => [mutant.guard, mutant] as const))('fits the core: %s', (_, mutant) => {
    const code = readFileSync(path.join(root, mutant.file), 'utf8');
    expect(apply(code, mutant)).not.toBe(code);
  });

  test('names no guard twice, and its canary is part of it', () => {
    const guards = mutants.map(({ guard }) => guard);
    expect(new Set(guards).size).toBe(guards.length);
    expect(canary.every((guard) => guards.includes(guard))).toBe(true);
  });
});
