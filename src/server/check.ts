import { TokenCoordinatorError } from '../core/errors.js';

/** @throws `ERR_CONFIGURATION` with a sentence that says what to change */
export function check(name: string, sound: boolean, expected: string): void {
  if (!sound) throw new TokenCoordinatorError('ERR_CONFIGURATION', `\`${name}\` must be ${expected}`);
}

/** Whole milliseconds: some databases count no others. */
export function duration(name: string, value: number, least: number, most: number): number {
  check(
    name,
    typeof value === 'number' && value >= least && value <= most,
    `a number of milliseconds from ${least} to ${most}`,
  );
  // guard: durations are whole milliseconds
  return Math.ceil(value);
}

export function callback<T>(name: string, value: T): T {
  check(name, value === undefined || typeof value === 'function', 'a function');
  return value;
}
