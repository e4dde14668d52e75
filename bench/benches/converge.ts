// Ten tabs wait for a token: from the arrival of the one answer to the token in the last tab.
import { RECORD, repeats, type Bench, type Target } from '../lib/bench.js';
import { Tabs } from '../lib/browser.js';
import { OURS, takesPart } from '../lib/contestants.js';
import { spreadFigure, times } from '../lib/format.js';
import { spread } from '../lib/stats.js';
import { watch } from '../lib/baseline.js';

const TABS = 10;

export const converge: Bench = async (lab) => {
  const blocks = repeats(lab, 4);
  const expiries = repeats(lab, 10, 3);
  const { server } = lab;
  const all = new Map(
    lab.contestants.map(({ name }) => [name, { samples: [] as number[], floors: [] as number[], lost: 0 }]),
  );
  for (let block = 0; block < blocks; block++) {
    for (const [name, figures] of all) {
      // A contestant that lost every session so far gives nothing to measure.
      if (!takesPart(name, block) || (block > 0 && figures.samples.length === 0)) continue;
      lab.say(`${name}, block ${block + 1} of ${blocks}`);
      const tabs = await Tabs.open(lab.browser, server, name, TABS, { clock: true });
      // Opening the database is no part of a commit.
      for (const tab of tabs.all) await tab.evaluate((record) => window.bench.floor.commit(record), RECORD);
      server.latency = [20, 60];
      for (let expiry = 0; expiry < expiries; expiry++) {
        server.forget();
        await tabs.expire();
        const before = await answers(tabs);
        const asked = await tabs.askAll();
        const arrived = Math.min(...(await answers(tabs)).slice(before.length));
        if (asked.every(({ token }) => server.accepts(token))) {
          figures.samples.push(Math.max(...asked.map(({ ended }) => ended)) - arrived);
        } else {
          figures.lost++;
          await tabs.signInAll();
        }
        figures.floors.push(await fanOut(tabs, expiry % TABS));
      }
      server.latency = [0, 0];
      await tabs.close();
    }
  }

  const ours = all.get(OURS)!;
  const floor = [...all.values()].flatMap(({ floors }) => floors);
  const ratio = (a: number[], b: number[]): number => spread(a).median / spread(b).median;
  const toFloor = ratio(ours.samples, ours.floors);
  const targets: Target[] = [
    { says: 'at most 1.5 times the floor at the median', figure: times(toFloor), met: toFloor <= 1.5 },
  ];
  return {
    bench: 'converge',
    settings: {
      tabs: TABS,
      expiries: blocks * expiries,
      latency: '20–60 ms each way',
      floor: 'a strict commit and one message',
    },
    data: {
      ...Object.fromEntries(
        [...all].map(([name, { samples, floors, lost }]) => [
          name,
          { ms: spread(samples), floorMs: spread(floors), lost },
        ]),
      ),
      floor: spread(floor),
    },
    tables: [
      {
        title: `From the answer's arrival to the token in the last of ${TABS} tabs that wait for it, ms: median (middle half)`,
        head: ['', 'ms', 'to its floor', 'to ours', 'session lost'],
        rows: [
          ...[...all].map(([name, { samples, floors, lost }]) => [
            name,
            samples.length > 0 ? spreadFigure(spread(samples)) : '– (always lost)',
            times(ratio(samples, floors)),
            times(ratio(samples, ours.samples)),
            `${lost} of ${samples.length + lost}`,
          ]),
          [
            'floor: strict commit + channel',
            spreadFigure(spread(floor)),
            times(1),
            times(ratio(floor, ours.samples)),
            '–',
          ],
        ],
      },
    ],
    targets,
    watched: { 'to the floor': watch(ours.samples, ours.floors) },
  };
};

/** When each successful answer of all tabs arrived, oldest first. */
async function answers(tabs: Tabs): Promise<number[]> {
  const each = await Promise.all(tabs.all.map((tab) => tab.evaluate(() => window.bench.requests)));
  return each
    .flat()
    .flatMap(({ answeredAt, status }) => (status === 200 ? [answeredAt!] : []))
    .sort((a, b) => a - b);
}

/** The same by bare means: one tab commits and tells; when the last has heard. */
async function fanOut(tabs: Tabs, from: number): Promise<number> {
  const teller = tabs.all[from]!;
  const others = tabs.all.filter((tab) => tab !== teller);
  await Promise.all(others.map((tab) => tab.evaluate(() => window.bench.floor.listen())));
  const began = await teller.evaluate((record) => window.bench.floor.commitAndPost(record), RECORD);
  const heard = await Promise.all(others.map((tab) => tab.evaluate(() => window.bench.floor.heard())));
  return Math.max(...heard) - began;
}
