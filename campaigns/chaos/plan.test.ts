import { expect, test } from 'vitest';
import { BLOCK, moments, planOf, type Plan } from './plan.js';

const rounds = (
  count: number,
  ...[seed, selection, mode]: [number, 'dying' | 'worker' | 'all', 'page' | 'worker']
) => Array.from({ length: count }, (_, round) => planOf(seed, round, selection, mode));
const nameOf = ({ moment, strikes }: Plan): string =>
  [moment, ...strikes.map(({ kind, victim }) => `${kind} ${victim}`)].join();

test('a seed replays the same plan, another one has another', () => {
  expect(rounds(50, 7, 'all', 'worker')).toEqual(rounds(50, 7, 'all', 'worker'));
  expect(rounds(50, 7, 'all', 'worker')).not.toEqual(rounds(50, 8, 'all', 'worker'));
  // A round can be played alone.
  expect(planOf(7, 33, 'all', 'worker')).toEqual(rounds(50, 7, 'all', 'worker')[33]);
});

test('deaths come at every moment and in every way', () => {
  const plans = rounds(75, 1, 'dying', 'worker');
  expect(new Set(plans.map(nameOf)).size).toBe(moments.length * 5 * 3);
  expect(plans.every(({ wire }) => wire === undefined)).toBe(true);
});

test('3 to 10 tabs, the same for a whole block', () => {
  const tabs = rounds(400, 3, 'dying', 'page').map((plan) => plan.tabs);
  expect([Math.min(...tabs), Math.max(...tabs)]).toEqual([3, 10]);
  expect(tabs.every((count, round) => count === tabs[round - (round % BLOCK)])).toBe(true);
});

test('there is no worker to strike in page mode', () => {
  const kinds = rounds(300, 5, 'all', 'page').flatMap(({ strikes }) => strikes.map(({ kind }) => kind));
  expect(kinds.filter((kind) => kind.startsWith('worker'))).toEqual([]);
  expect(() => planOf(1, 0, 'worker', 'page')).toThrow('no worker');
});

test('the network goes last, so a page can reload', () => {
  const both = rounds(2_000, 5, 'all', 'page').filter(({ strikes }) => strikes.length === 2);
  const kinds = both.map(({ strikes }) => strikes.map(({ kind }) => kind));
  expect(kinds.filter(([first, second]) => first === 'offline' && second !== 'offline')).toEqual([]);
  expect(kinds.some(([, second]) => second === 'offline')).toBe(true);
});
