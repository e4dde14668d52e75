import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Profile } from './world/plan.js';

/** A schedule that once broke an invariant, or does so without a guard; with all guards in place it has to pass. */
export interface Regression {
  readonly guard: string;
  readonly profile: Profile;
  readonly seed: number;
}

/** Where they are kept, in the order of their seeds. */
export const file = path.join(import.meta.dirname, 'regressions.json');

export const regressions = JSON.parse(readFileSync(file, 'utf8')) as readonly Regression[];
