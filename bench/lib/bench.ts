import type { Chromium } from './browser.js';
import type { Contestant } from './contestants.js';
import type { Server } from './server.js';

export interface Lab {
  browser: Chromium;
  server: Server;
  /** Chosen for this run. */
  contestants: readonly Contestant[];
  /** How often to repeat, where 1 is the full measurement. */
  effort: number;
  /** The current work. */
  say: (what: string) => void;
}

export interface Table {
  title: string;
  head: string[];
  rows: string[][];
}

/** The goals of the library. */
export interface Target {
  says: string;
  figure: string;
  met: boolean;
}

/** A figure that `--check` compares with the one in baseline.json; lower is better. */
export interface Watched {
  value: number;
  /** The good end of what the noise of this run allows; the same as `value` for what does not vary. */
  atBest: number;
}

export interface Result {
  bench: string;
  settings: Readonly<Record<string, unknown>>;
  /** Everything measured. */
  data: object;
  tables: Table[];
  targets: Target[];
  watched: Readonly<Record<string, Watched>>;
}

export type Bench = (lab: Lab) => Promise<Result>;

/** The text that the floors store and tell: about as long as a record of ours. */
export const RECORD = 'x'.repeat(2_400);

/** At least `least` times. */
export function repeats({ effort }: Lab, full: number, least = 1): number {
  return Math.max(least, Math.round(full * effort));
}
