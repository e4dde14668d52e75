// The cost of a fresh token to its caller.
import type { Way } from '../page/cached.js';
import { repeats, type Bench, type Target } from '../lib/bench.js';
import { Tabs } from '../lib/browser.js';
import { BY_HAND, OURS, takesPart } from '../lib/contestants.js';
import { spreadFigure, times } from '../lib/format.js';
import { spread } from '../lib/stats.js';
import { watch } from '../lib/baseline.js';

export const cached: Bench = async (lab) => {
  const rounds = repeats(lab, 40, 10);
  const waysOf = (name: string): Way[] =>
    name === OURS ? ['dateNow', 'peek', 'sequential', 'concurrent'] : ['sequential', 'concurrent'];
  const all = new Map<string, { tabs: Tabs; samples: Record<Way, number[]> }>();
  for (const { name } of lab.contestants) {
    const tabs = await Tabs.open(lab.browser, lab.server, name, 1);
    for (const way of waysOf(name)) await tabs.all[0]!.evaluate((one) => window.bench.cached.warm(one), way);
    all.set(name, { tabs, samples: { sequential: [], concurrent: [], peek: [], dateNow: [] } });
  }
  // In turns, so that all of them have their share of whatever else the machine does.
  for (let round = 0; round < rounds; round++) {
    if (round % 10 === 0) lab.say(`round ${round} of ${rounds}`);
    for (const [name, { tabs, samples }] of all) {
      if (!takesPart(name, round)) continue;
      for (const way of waysOf(name)) {
        samples[way].push(await tabs.all[0]!.evaluate((one) => window.bench.cached.measure(one), way));
      }
    }
  }
  for (const { tabs } of all.values()) await tabs.close();

  const samplesOf = (name: string) => all.get(name)!.samples;
  const data = Object.fromEntries(
    [...all].map(([name, { samples }]) => [
      name,
      Object.fromEntries(waysOf(name).map((way) => [way, spread(samples[way])])),
    ]),
  );
  const ours = samplesOf(OURS);
  const ratio = (a: number[], b: number[]): number => spread(a).median / spread(b).median;
  const libraries = lab.contestants
    .filter(({ kind }) => kind === 'library')
    .map(({ name }) => samplesOf(name).sequential);
  const targets: Target[] = [];
  if (libraries.length > 0) {
    const best = Math.min(...libraries.map((samples) => ratio(samples, ours.sequential)));
    targets.push({
      says: 'at least 12 times faster than the best library',
      figure: times(best),
      met: best >= 12,
    });
  }
  const byHand = all.get(BY_HAND)?.samples;
  if (byHand) {
    for (const way of ['sequential', 'concurrent'] as const) {
      const toByHand = ratio(ours[way], byHand[way]);
      targets.push({
        says: `${way}: at most 1.5 times ${BY_HAND}`,
        figure: times(toByHand),
        met: toByHand <= 1.5,
      });
    }
  }
  const peek = ratio(ours.peek, ours.dateNow);
  targets.push({
    says: 'peekAccessToken() at most 3 times one Date.now()',
    figure: times(peek),
    met: peek <= 3,
  });

  return {
    bench: 'cached',
    settings: { rounds, concurrent: 10_000 },
    data,
    tables: [
      {
        title: 'A fresh token, µs a call: median (middle half)',
        head: ['', 'one after another', '10,000 at once', 'peek', 'to ours'],
        rows: [
          ...lab.contestants.map(({ name }) => {
            const { sequential, concurrent } = samplesOf(name);
            return [
              name,
              spreadFigure(spread(sequential)),
              spreadFigure(spread(concurrent)),
              name === OURS ? spreadFigure(spread(ours.peek)) : '–',
              times(ratio(sequential, ours.sequential)),
            ];
          }),
          ['one Date.now()', '–', '–', spreadFigure(spread(ours.dateNow)), '–'],
        ],
      },
    ],
    targets,
    watched: {
      ...(byHand
        ? {
            [`one after another, to ${BY_HAND}`]: watch(ours.sequential, byHand.sequential),
            [`10,000 at once, to ${BY_HAND}`]: watch(ours.concurrent, byHand.concurrent),
          }
        : {}),
      'peek, to Date.now()': watch(ours.peek, ours.dateNow),
    },
  };
};
