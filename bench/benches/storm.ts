// Every tab finds the token expired at the same moment.
import { repeats, type Bench, type Target } from '../lib/bench.js';
import { Tabs } from '../lib/browser.js';
import { BY_HAND, OURS, takesPart } from '../lib/contestants.js';
import { figure, spreadFigure, times, whole } from '../lib/format.js';
import { watch } from '../lib/baseline.js';
import { median, spread } from '../lib/stats.js';

const SIZES = [2, 5, 10, 20, 50];

interface Storm {
  tabs: number;
  expiries: number;
  requests: number;
  invalidGrants: number;
  /** Expiries after which the server had revoked the family: the user has to sign in. */
  lost: number;
  /** From the expiry to the token in the last tab, where all got one. */
  readyMs: number[];
}

export const storm: Bench = async (lab) => {
  const { server } = lab;
  const all = lab.contestants.map(({ name }) => ({ name, storms: [] as Storm[] }));
  for (const count of SIZES) {
    const rounds = Array.from({ length: repeats(lab, count <= 10 ? 10 : 6, 2) }, (_, round) => round);
    for (const { name, storms } of all) {
      // Whom every expiry costs the session with ten tabs, more tabs cannot teach anything.
      const before = storms.at(-1);
      if (count > 10 && before?.lost === before?.expiries) continue;
      lab.say(`${count} tabs, ${name}`);
      const tabs = await Tabs.open(lab.browser, server, name, count, { clock: true });
      const expiries = rounds.filter((round) => takesPart(name, round)).length;
      const storm: Storm = { tabs: count, expiries, requests: 0, invalidGrants: 0, lost: 0, readyMs: [] };
      server.latency = [50, 150];
      for (let expiry = 0; expiry < expiries; expiry++) {
        // Before they expire: a tab may wake by itself then, and its request counts.
        server.forget();
        await tabs.expire();
        server.redraw(expiry);
        const asked = await tabs.askAll();
        storm.requests += server.requests.length;
        storm.invalidGrants += server.requests.filter(({ outcome }) => outcome === 'invalid_grant').length;
        if (asked.every(({ token }) => server.accepts(token))) {
          storm.readyMs.push(
            Math.max(...asked.map(({ ended }) => ended)) - Math.min(...asked.map(({ began }) => began)),
          );
        } else {
          storm.lost++;
          await tabs.signInAll();
        }
      }
      server.latency = [0, 0];
      await tabs.close();
      storms.push(storm);
    }
  }

  const stormsOf = (contestant: string): Storm[] => all.find(({ name }) => name === contestant)?.storms ?? [];
  const ours = stormsOf(OURS);
  const byHand = stormsOf(BY_HAND);
  const perExpiry = ours.map(({ requests, expiries }) => requests / expiries);
  const conflicts = ours.reduce((sum, { invalidGrants, lost }) => sum + invalidGrants + lost, 0);
  const targets: Target[] = [
    {
      says: 'one request per expiry, at every number of tabs',
      figure: perExpiry.map((requests) => requests.toFixed(3)).join(', '),
      met: perExpiry.every((requests) => requests === 1),
    },
    { says: 'no conflict, no forced sign-in', figure: whole(conflicts), met: conflicts === 0 },
  ];
  if (byHand.length > 0) {
    const ratios = ours.map(({ readyMs }, i) => median(readyMs) / median(byHand[i]!.readyMs));
    targets.push({
      says: `the last tab ready no later than with ${BY_HAND} (${SIZES.join(', ')} tabs)`,
      figure: ratios.map(times).join(', '),
      met: ratios.every((ratio) => ratio <= 1),
    });
  }

  const perTabs = (cell: (storm: Storm) => string): string[][] =>
    all.map(({ name, storms }) => [
      name,
      ...SIZES.map((_, i) => (storms[i] ? cell(storms[i]) : 'not asked')),
    ]);
  const head = ['tabs', ...SIZES.map(String)];
  return {
    bench: 'storm',
    settings: {
      expiries:
        'ten with up to 10 tabs, six with more; half of it for others than the first and the one to beat',
      effort: lab.effort,
      latency: '50–150 ms each way',
    },
    data: Object.fromEntries(
      all.map(({ name, storms }) => [name, storms.map((one) => ({ ...one, readyMs: spread(one.readyMs) }))]),
    ),
    tables: [
      {
        title: 'Token requests per expiry',
        head,
        rows: perTabs(({ requests, expiries }) => figure(requests / expiries)),
      },
      {
        title: '`invalid_grant` per expiry',
        head,
        rows: perTabs(({ invalidGrants, expiries }) => figure(invalidGrants / expiries)),
      },
      {
        title: 'Expiries that cost the session: the user has to sign in',
        head,
        rows: perTabs(({ lost, expiries }) => `${lost} of ${expiries}`),
      },
      {
        title:
          'From the expiry to the token in the last tab, ms, of the expiries that all tabs survived: median (middle half)',
        head,
        rows: perTabs(({ readyMs }) => (readyMs.length > 0 ? spreadFigure(spread(readyMs)) : '–')),
      },
    ],
    targets,
    watched: {
      'most requests per expiry': { value: Math.max(...perExpiry), atBest: Math.max(...perExpiry) },
      ...(byHand.length > 0
        ? { [`last of 10 tabs ready, to ${BY_HAND}`]: watch(ours[2]!.readyMs, byHand[2]!.readyMs) }
        : {}),
    },
  };
};
