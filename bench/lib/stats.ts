export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const at = sorted[below] ?? NaN;
  return at + ((sorted[below + 1] ?? at) - at) * (position - below);
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export interface Spread {
  median: number;
  p25: number;
  p75: number;
  p95: number;
  n: number;
}

export function spread(values: readonly number[]): Spread {
  return {
    median: median(values),
    p25: quantile(values, 0.25),
    p75: quantile(values, 0.75),
    p95: quantile(values, 0.95),
    n: values.length,
  };
}

/** Of the ratio of two medians: the middle 95 % of it when both samples are drawn again, by a generator with a fixed seed. */
export function ratioInterval(a: readonly number[], b: readonly number[], rounds = 2000): [number, number] {
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  const draw = (values: readonly number[]): number[] =>
    values.map(() => values[Math.floor(random() * values.length)]!);
  const ratios = Array.from({ length: rounds }, () => median(draw(a)) / median(draw(b)));
  return [quantile(ratios, 0.025), quantile(ratios, 0.975)];
}
