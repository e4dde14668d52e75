import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkOptions } from './options.js';
import { record } from './spending.js';
import { StoreClosed } from './store.js';

const WINDOW_MS = 10_000;
const options = checkOptions({ onStoreError: () => {} });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A record whose calls fail with these errors, one after the other; the last one stays. */
async function recording(...errors: Error[]) {
  const timers = vi.spyOn(globalThis, 'setTimeout');
  const call = vi.fn<() => Promise<never>>(() =>
    Promise.reject(errors.length > 1 ? errors.shift()! : errors[0]!),
  );
  const { said, further } = await record(call, options, WINDOW_MS);
  expect(said).toBeUndefined();
  let isOver = false;
  void further?.over.then(() => (isOver = true));
  const keepsAlive = () =>
    timers.mock.calls.some(
      ([, ms], n) => ms === WINDOW_MS && (timers.mock.results[n]!.value as NodeJS.Timeout).hasRef(),
    );
  return { call, keepsAlive, isOver: () => isOver };
}

describe('a record that fails', () => {
  test('is tried again within its window', async () => {
    const { call, keepsAlive, isOver } = await recording(new Error('connection refused'));
    expect(call).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(WINDOW_MS - 1);
    expect(call.mock.calls.length).toBeGreaterThan(20);
    expect([keepsAlive(), isOver()]).toEqual([true, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(isOver()).toBe(true);
  });

  test.each([
    ['before', [new StoreClosed()], 1],
    ['meanwhile', [new Error('cut'), new Error('cut'), new StoreClosed()], 3],
  ])('is not tried in a store closed %s', async (_, errors, calls) => {
    const { call, keepsAlive, isOver } = await recording(...errors);
    await vi.advanceTimersByTimeAsync(WINDOW_MS - 1);
    expect(call).toHaveBeenCalledTimes(calls);
    // Its answer stays in memory, but the process may end.
    expect([keepsAlive(), isOver()]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(isOver()).toBe(true);
  });
});
