// The tab that leads, or refreshes, is closed or killed: how long until the next one's request is on its way?
import { setTimeout as sleep } from 'node:timers/promises';
import { rendererOf } from '../../e2e/harness/kill-tab.js';
import { RECORD, repeats, type Bench, type Lab, type Target } from '../lib/bench.js';
import { Tabs } from '../lib/browser.js';
import { OURS } from '../lib/contestants.js';
import { spreadFigure, times } from '../lib/format.js';
import { epochNow } from '../lib/server.js';
import { watch } from '../lib/baseline.js';
import { spread } from '../lib/stats.js';

type End = 'closed' | 'killed';
const CASES = [
  ['idle', 'closed'],
  ['idle', 'killed'],
  ['mid-refresh', 'closed'],
  ['mid-refresh', 'killed'],
] as const;
const FLOOR = 'floor';
/** A contestant that has not asked by then does not take over. */
const PATIENCE_MS = 8_000;

/** Milliseconds, or why there are none. */
type Outcome = number | 'did not wait' | 'never';

export const failover: Bench = async (lab) => {
  const names = [...lab.contestants.map(({ name }) => name), FLOOR];
  const all = CASES.map(() => new Map(names.map((name) => [name, [] as Outcome[]])));
  // Those who never ask take long to do so.
  const [rounds, roundsOfOthers] = [repeats(lab, 16, 3), repeats(lab, 3)];
  for (const [i, [when, end]] of CASES.entries()) {
    for (let round = 0; round < rounds; round++) {
      lab.say(`${when}, ${end}, round ${round + 1} of ${rounds}`);
      // In turns: other work of the machine then slows all of them.
      for (const [name, outcomes] of all[i]!) {
        if (name !== OURS && name !== FLOOR && round >= roundsOfOthers) continue;
        outcomes.push(await (when === 'idle' ? idleEnd : midRefreshEnd)(lab, name, end));
      }
    }
  }

  const msOf = (i: number, name: string): number[] =>
    all[i]!.get(name)!.filter((one) => typeof one === 'number');
  const toFloor = CASES.map((_, i) => spread(msOf(i, OURS)).median / spread(msOf(i, FLOOR)).median);
  const targets: Target[] = CASES.map(([when, end], i) => ({
    says: `${when}, ${end}: at most 1.5 times the floor at the median`,
    figure: times(toFloor[i]!),
    met: toFloor[i]! <= 1.5,
  }));
  const cell = (outcomes: readonly Outcome[]): string => {
    const ms = outcomes.filter((one) => typeof one === 'number');
    const others = [...new Set(outcomes.filter((one) => typeof one === 'string'))];
    return [...(ms.length > 0 ? [spreadFigure(spread(ms))] : []), ...others].join('; ');
  };
  return {
    bench: 'failover',
    settings: {
      rounds,
      roundsOfOthers,
      floor: 'Web Lock handed over, and one strict commit',
    },
    data: Object.fromEntries(
      CASES.map(([when, end], i) => [
        `${when}, ${end}`,
        Object.fromEntries([...all[i]!].map(([name, outcomes]) => [name, outcomes])),
      ]),
    ),
    tables: [
      {
        title: 'Until the next tab’s request is sent, ms: median (middle half)',
        head: ['', ...CASES.map(([when, end]) => `${when}, ${end}`)],
        rows: [
          ...names.map((name) => [name, ...CASES.map((_, i) => cell(all[i]!.get(name)!))]),
          [`${OURS}, to the floor`, ...toFloor.map(times)],
        ],
      },
    ],
    targets,
    watched: Object.fromEntries(
      CASES.map(([when, end], i) => [`${when}, ${end}, to the floor`, watch(msOf(i, OURS), msOf(i, FLOOR))]),
    ),
  };
};

/** The one who leads goes while nothing is to be done; then the token expires. From the survivor's call. */
async function idleEnd(lab: Lab, name: string, end: End): Promise<Outcome> {
  const { tabs, first, second } = await twoTabs(lab, name);
  try {
    await endTab(tabs, first, end);
    await sleep(300);
    if (name === FLOOR)
      return await second.evaluate(
        (record) => window.bench.floor.lockAndCommit(record).then(({ tookMs }) => tookMs),
        RECORD,
      );
    await tabs.expire();
    const { began } = await second.evaluate(() => window.bench.ask(0));
    const sentAt = await second.evaluate(() => window.bench.requests.map((request) => request.sentAt));
    return sentAt[0] === undefined ? 'never' : sentAt[0] - began;
  } finally {
    await tabs.close();
  }
}

/** The one who refreshes goes while its request is on the way and the other waits. From its end. */
async function midRefreshEnd(lab: Lab, name: string, end: End): Promise<Outcome> {
  const { server } = lab;
  const { tabs, first, second } = await twoTabs(lab, name);
  try {
    if (name === FLOOR) {
      await first.evaluate(() => window.bench.floor.holdLock());
      const done = second.evaluate((record) => window.bench.floor.lockAndCommit(record), RECORD);
      await sleep(200);
      const ended = await endTab(tabs, first, end);
      return (await done).at - ended;
    }
    await tabs.expire();
    server.forget();
    server.hold = true;
    void first.evaluate(() => window.bench.ask(0)).catch(() => {});
    // One of them does not refresh when asked but looks at the time once a second.
    for (let waited = 0; server.requests.length === 0 && waited < 3_000; waited += 5) await sleep(5);
    if (server.requests.length === 0) return 'never';
    void second.evaluate(() => window.bench.ask(0)).catch(() => {});
    await sleep(1_300);
    const { tab } = server.requests[0]!;
    const next = (): boolean => server.requests.some((request) => request.tab !== tab);
    if (next()) return 'did not wait';
    const refreshing = tab === '1' ? first : second;
    const waiting = refreshing === first ? second : first;
    const ended = await endTab(tabs, refreshing, end);
    // Looked for where it arrives: a tab that is asked has less time for itself.
    for (let waited = 0; waited < PATIENCE_MS && !next(); waited += 5) await sleep(5);
    if (next()) return (await waiting.evaluate(() => window.bench.requests[0]!.sentAt)) - ended;
    return 'never';
  } finally {
    server.hold = false;
    await tabs.close();
  }
}

async function twoTabs(lab: Lab, name: string) {
  const tabs = await Tabs.open(lab.browser, lab.server, name === FLOOR ? OURS : name, 2, { clock: true });
  const [first, second] = tabs.all as [(typeof tabs.all)[0], (typeof tabs.all)[0]];
  // Neither is measured while it does something for the first time.
  for (const tab of tabs.all) {
    await tab.evaluate((record) => window.bench.floor.lockAndCommit(record), RECORD);
    await tabs.expire();
    const { token } = await tab.evaluate(() => window.bench.ask(0));
    if (!lab.server.accepts(token)) await tabs.signInAll();
  }
  // The first leads.
  await tabs.expire();
  await first.evaluate(() => window.bench.ask(0));
  await sleep(200);
  for (const tab of tabs.all) await tab.evaluate(() => void (window.bench.requests.length = 0));
  return { tabs, first, second };
}

/** When it was ended. */
async function endTab(tabs: Tabs, tab: Tabs['all'][0], end: End): Promise<number> {
  const pid = end === 'killed' ? await rendererOf(tab) : 0;
  tabs.all.splice(tabs.all.indexOf(tab), 1);
  const at = epochNow();
  if (end === 'closed') await tab.close();
  else process.kill(pid, 'SIGKILL');
  return at;
}
