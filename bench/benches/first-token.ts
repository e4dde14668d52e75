// A new tab of a session that lives: from the first line of the app to the first token.
import { RECORD, repeats, type Bench, type Target } from '../lib/bench.js';
import { Tabs } from '../lib/browser.js';
import { OURS, takesPart } from '../lib/contestants.js';
import { spreadFigure, times } from '../lib/format.js';
import { spread } from '../lib/stats.js';
import { watch } from '../lib/baseline.js';

export const firstToken: Bench = async (lab) => {
  const rounds = repeats(lab, 24, 5);
  const all = new Map<string, { tabs: Tabs; samples: number[]; floors: number[] }>();
  for (const { name } of lab.contestants) {
    const tabs = await Tabs.open(lab.browser, lab.server, name, 1);
    await tabs.all[0]!.evaluate((record) => window.bench.floor.commit(record), RECORD);
    all.set(name, { tabs, samples: [], floors: [] });
  }
  for (let round = 0; round < rounds; round++) {
    if (round % 5 === 0) lab.say(`round ${round} of ${rounds}`);
    for (const [name, { tabs, samples, floors }] of all) {
      if (!takesPart(name, round)) continue;
      const tab = await tabs.openEmpty();
      const { began, ended, token } = await tab.evaluate(() => window.bench.firstToken());
      if (!lab.server.accepts(token)) throw new Error(`${tabs.contestant}: no token in a new tab`);
      samples.push(ended - began);
      await tab.close();
      // The floor has a new tab, too: a process that has not used its database yet.
      const beside = await tabs.openEmpty();
      floors.push(await beside.evaluate(() => window.bench.floor.openAndGet()));
      await beside.close();
    }
  }
  for (const { tabs } of all.values()) await tabs.close();

  const ours = all.get(OURS)!;
  const floor = [...all.values()].flatMap(({ floors }) => floors);
  const ratio = (a: number[], b: number[]): number => spread(a).median / spread(b).median;
  const toFloor = ratio(ours.samples, ours.floors);
  const targets: Target[] = [
    { says: 'at most 1.5 times the floor at the median', figure: times(toFloor), met: toFloor <= 1.5 },
  ];
  return {
    bench: 'first-token',
    settings: { rounds, floor: 'IndexedDB open and get, in a new tab' },
    data: {
      ...Object.fromEntries(
        [...all].map(([name, { samples, floors }]) => [
          name,
          { ms: spread(samples), floorMs: spread(floors) },
        ]),
      ),
      floor: spread(floor),
    },
    tables: [
      {
        title: 'From creating the client to the first token in a new tab, ms: median (middle half)',
        head: ['', 'ms', 'to its floor', 'to ours'],
        rows: [
          ...[...all].map(([name, { samples, floors }]) => [
            name,
            spreadFigure(spread(samples)),
            times(ratio(samples, floors)),
            times(ratio(samples, ours.samples)),
          ]),
          [
            'floor: IndexedDB open + get',
            spreadFigure(spread(floor)),
            times(1),
            times(ratio(floor, ours.samples)),
          ],
        ],
      },
    ],
    targets,
    watched: { 'to the floor': watch(ours.samples, ours.floors) },
  };
};
