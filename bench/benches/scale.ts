// The cost of one refresh to the browser as tabs grow, all of them asking, or one of them.
import { repeats, type Bench, type Target } from '../lib/bench.js';
import { Tabs, type Chromium } from '../lib/browser.js';
import { BY_HAND, OURS } from '../lib/contestants.js';
import { figure } from '../lib/format.js';
import type { Counts } from '../page/counters.js';

const SIZES = [2, 10, 25, 50];
/** Of the others, each expiry costs the session (see storm): the cost of a refresh is not defined. */
const CONTESTANTS = [OURS, BY_HAND, 'auth0-spa-js', 'axa-fr-oidc-client'];

interface Cost extends Counts {
  tabs: number;
  asking: number;
  expiries: number;
  lost: number;
  /** Of all processes of the browser, milliseconds per refresh, less what the same calls cost with a fresh token. */
  cpuMs: number;
}

export const scale: Bench = async (lab) => {
  const names = CONTESTANTS.filter((wanted) => lab.contestants.some(({ name }) => name === wanted));
  const all = new Map(names.map((name) => [name, [] as Cost[]]));
  for (const count of SIZES) {
    for (const [name, costs] of all) {
      lab.say(`${count} tabs, ${name}`);
      const tabs = await Tabs.open(lab.browser, lab.server, name, count, { clock: true, count: true });
      lab.server.latency = [20, 60];
      for (const asking of new Set([count, 1])) {
        costs.push(await measure(lab.browser, tabs, asking, repeats(lab, 8, 4)));
      }
      lab.server.latency = [0, 0];
      await tabs.close();
    }
  }

  const ours = all.get(OURS)!;
  const everybody = ours.filter(({ tabs, asking }) => tabs === asking);
  const per = (cost: Cost, of: keyof Counts): number => cost[of] / cost.expiries;
  const list = (of: keyof Counts, costs = ours): string =>
    costs.map((cost) => figure(per(cost, of))).join(', ');
  // Two locks of the one that refreshes, beside everybody's place in the queue.
  const locks = ours.map((cost) => per(cost, 'lockRequests') - cost.asking);
  const growth = cpuPerTab(everybody.at(-1)!) / cpuPerTab(everybody.find(({ tabs }) => tabs === 10)!);
  const targets: Target[] = [
    {
      says: 'one network request',
      figure: list('requests'),
      met: ours.every((cost) => per(cost, 'requests') === 1),
    },
    {
      says: 'one broadcast',
      figure: list('messages'),
      met: ours.every((cost) => per(cost, 'messages') === 1),
    },
    {
      says: 'one lock cycle per active caller (and one attempt lock)',
      figure: locks.map((extra) => `${figure(extra)} more`).join(', '),
      met: locks.every((extra) => extra <= 1),
    },
    {
      says: 'nothing quadratic: CPU per tab with 50 tabs, to that with 10, at most 1.5',
      figure: figure(growth),
      met: growth <= 1.5,
    },
  ];
  const row = (name: string, cost: Cost): string[] => [
    name,
    String(cost.tabs),
    String(cost.asking),
    figure(cost.cpuMs),
    ...(
      [
        'requests',
        'lockRequests',
        'messages',
        'messageBytes',
        'databaseOperations',
        'storageWrites',
        'storageReads',
      ] as const
    ).map((of) => figure(per(cost, of))),
    `${cost.lost} of ${cost.expiries}`,
  ];
  return {
    bench: 'scale',
    settings: {
      expiries: repeats(lab, 8, 4),
      latency: '20–60 ms each way',
      leftOut: 'whose session every expiry costs: see storm',
    },
    data: Object.fromEntries(all),
    tables: [
      {
        title: 'What one refresh costs all tabs together',
        head: [
          '',
          'tabs',
          'asking',
          'CPU ms',
          'requests',
          'locks',
          'messages',
          'bytes of them',
          'IndexedDB',
          'localStorage writes',
          'reads',
          'session lost',
        ],
        rows: [...all].flatMap(([name, costs]) => costs.map((cost) => row(name, cost))),
      },
    ],
    targets,
    watched: {
      'messages per refresh, 50 tabs': exactly(per(everybody.at(-1)!, 'messages')),
      'locks per refresh and caller, 50 tabs': exactly(per(everybody.at(-1)!, 'lockRequests') / 50),
      'IndexedDB operations per refresh and caller, 50 tabs': exactly(
        per(everybody.at(-1)!, 'databaseOperations') / 50,
      ),
    },
  };
};

const exactly = (value: number) => ({ value, atBest: value });
const cpuPerTab = ({ cpuMs, tabs }: Cost): number => cpuMs / tabs;

async function measure(browser: Chromium, tabs: Tabs, asking: number, expiries: number): Promise<Cost> {
  const { server } = tabs;
  // Everybody has asked before, and the first is the one who has refreshed.
  await tabs.expire();
  await tabs.askAll();
  const callers = tabs.all.slice(0, asking);
  const idle = await browser.cpuMs();
  for (let i = 0; i < expiries; i++) {
    await tabs.expire(0);
    await tabs.askAll(callers);
  }
  const started = await browser.cpuMs();
  const before = await tabs.counts();
  let lost = 0;
  for (let i = 0; i < expiries; i++) {
    await tabs.expire();
    const asked = await tabs.askAll(callers);
    if (asked.every(({ token }) => server.accepts(token))) continue;
    lost++;
    await tabs.signInAll();
  }
  const after = await tabs.counts();
  const ended = await browser.cpuMs();
  const spent = Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - before[name as keyof Counts]]),
  ) as unknown as Counts;
  const cpu = Math.max(0, ended - started - (started - idle)) / expiries;
  return { ...spent, tabs: tabs.all.length, asking, expiries, lost, cpuMs: cpu };
}
