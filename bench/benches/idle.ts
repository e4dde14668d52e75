// The work of tabs while nobody asks them for anything.
import { setTimeout as sleep } from 'node:timers/promises';
import { repeats, type Bench, type Target } from '../lib/bench.js';
import { Tabs } from '../lib/browser.js';
import { OURS } from '../lib/contestants.js';
import { figure } from '../lib/format.js';
import type { Counts } from '../page/counters.js';

const TABS = 10;
/** At once; all in one go would be a hundred tabs. */
const TOGETHER = 5;

export const idle: Bench = async (lab) => {
  const seconds = repeats(lab, 60, 5);
  const all: Record<string, Counts & { timersArmed: number }> = {};
  for (let first = 0; first < lab.contestants.length; first += TOGETHER) {
    const group = lab.contestants.slice(first, first + TOGETHER);
    const opened: Tabs[] = [];
    for (const { name } of group) {
      opened.push(await Tabs.open(lab.browser, lab.server, name, TABS, { count: true }));
    }
    lab.say(group.map(({ name }) => name).join(', '));
    // The work of starting is not idleness.
    await sleep(5_000);
    const before = await Promise.all(opened.map((tabs) => tabs.counts()));
    await sleep(seconds * 1000);
    for (const [i, tabs] of opened.entries()) {
      const after = await tabs.counts();
      const armed = await Promise.all(tabs.all.map((tab) => tab.evaluate(() => window.bench.armed())));
      const perMinute = Object.fromEntries(
        Object.entries(after).map(([name, value]) => [
          name,
          ((value - before[i]![name as keyof Counts]) * 60) / seconds,
        ]),
      ) as unknown as Counts;
      all[tabs.contestant] = { ...perMinute, timersArmed: Math.max(...armed) };
    }
    for (const tabs of opened) await tabs.close();
  }

  const ours = all[OURS]!;
  const storage = ({ storageReads, storageWrites, databaseOperations }: Counts): number =>
    storageReads + storageWrites + databaseOperations;
  const targets: Target[] = [
    { says: 'no message', figure: figure(ours.messages), met: ours.messages === 0 },
    { says: 'no storage operation', figure: figure(storage(ours)), met: storage(ours) === 0 },
    { says: 'at most one timer per tab', figure: String(ours.timersArmed), met: ours.timersArmed <= 1 },
  ];
  return {
    bench: 'idle',
    settings: { tabs: TABS, seconds },
    data: all,
    tables: [
      {
        title: `${TABS} idle tabs, per minute, all of them together`,
        head: [
          '',
          'messages',
          'storage operations',
          'locks asked for',
          'requests',
          'timers fired',
          'timers armed in a tab',
        ],
        rows: lab.contestants.map(({ name }) => {
          const counts = all[name]!;
          const { messages, lockRequests, requests, timersFired, timersArmed } = counts;
          return [
            name,
            ...[messages, storage(counts), lockRequests, requests, timersFired, timersArmed].map(figure),
          ];
        }),
      },
    ],
    targets,
    watched: {
      'messages, storage operations, locks': {
        value: ours.messages + storage(ours) + ours.lockRequests,
        atBest: ours.messages + storage(ours) + ours.lockRequests,
      },
      'timers armed': { value: ours.timersArmed, atBest: ours.timersArmed },
    },
  };
};
