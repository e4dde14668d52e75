// Ratios that a change must not make worse: bench/baseline.json has them, with the run they are from.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Result, Watched } from './bench.js';
import { median, ratioInterval } from './stats.js';

type Baseline = Record<string, Record<string, number>>;

const file = path.join(import.meta.dirname, '..', 'baseline.json');
/** By so much a figure may be worse. */
const TOLERANCE = 1.1;

const read = (): Baseline => JSON.parse(readFileSync(file, 'utf8')) as Baseline;

/** The ratio of two medians. */
export function watch(a: readonly number[], b: readonly number[]): Watched {
  return { value: median(a) / median(b), atBest: ratioInterval(a, b)[0] };
}

export function writeBaseline(results: readonly Result[]): void {
  const baseline = read();
  for (const { bench, watched } of results) {
    baseline[bench] = Object.fromEntries(
      Object.entries(watched).map(([name, { value }]) => [name, Math.round(value * 1000) / 1000]),
    );
  }
  writeFileSync(file, `${JSON.stringify(baseline, null, 2)}\n`);
}

/** A figure is at fault where even the good end of what this run allows is too much; so noise alone flags one in forty at most. */
export function compare(results: readonly Result[]): string[] {
  const baseline = read();
  return results.flatMap(({ bench, watched }) =>
    Object.entries(watched).flatMap(([name, { value, atBest }]) => {
      const before = baseline[bench]?.[name];
      if (before === undefined) return [`${bench}, ${name}: there is no baseline`];
      const limit = before * TOLERANCE;
      return atBest > limit ? [`${bench}, ${name}: ${value.toFixed(3)}, was ${before.toFixed(3)}`] : [];
    }),
  );
}
