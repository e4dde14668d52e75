// The cost of a fresh token, microseconds a time.
import type { Client } from '../contestants/contestant.js';

export type Way = 'sequential' | 'concurrent' | 'peek' | 'dateNow';

export interface CachedPage {
  /** Runs it until it is warm, and finds out how many times fill a batch. */
  warm(way: Way): Promise<void>;
  /** One batch. */
  measure(way: Way): Promise<number>;
}

const CONCURRENT = 10_000;
/** Enough for the clock, short enough for the slow ones. */
const BATCH_MS = 20;

export function cachedPage(client: () => Client): CachedPage {
  const sizes = new Map<Way, number>();
  let sink: unknown;

  const ways: Record<Way, (times: number) => unknown> = {
    async sequential(times) {
      const { getToken } = client();
      for (let i = 0; i < times; i++) sink = await getToken();
    },
    async concurrent(times) {
      const { getToken } = client();
      sink = await Promise.all(Array.from({ length: times }, () => getToken()));
    },
    peek(times) {
      const { peek } = client();
      for (let i = 0; i < times; i++) sink = peek!();
    },
    dateNow(times) {
      for (let i = 0; i < times; i++) sink = Date.now();
    },
  };

  async function run(way: Way, times: number): Promise<number> {
    const began = performance.now();
    await ways[way](times);
    const ms = performance.now() - began;
    if (sink === undefined) throw new Error('Nothing was measured');
    return ms;
  }

  return {
    async warm(way) {
      let times = way === 'concurrent' ? CONCURRENT : 16;
      if (way !== 'concurrent') while ((await run(way, times)) < BATCH_MS) times *= 2;
      sizes.set(way, times);
      for (let i = 0; i < 3; i++) await run(way, times);
    },
    async measure(way) {
      const times = sizes.get(way)!;
      return ((await run(way, times)) * 1000) / times;
    },
  };
}
