// Many more tabs than anybody keeps open of one app. Slow, so not a part of `npm test`: `npm run e2e -- --project chromium scale`.
import {
  everyTab,
  expectInEveryTab,
  expectOneLeader,
  expectPeace,
  getAtExpiry,
  signIn,
  snapshotOf,
} from './harness/ask.js';
import { expect, test, type Tab } from './fixtures.js';

const TABS = 50;
const EXPIRIES = 5;
const LIFE_SECONDS = 8;

test.use({ serverOptions: { accessTokenTtl: LIFE_SECONDS } });

test(
  `${TABS} tabs: one request per expiry, and soon everybody knows`,
  { tag: ['@slow', '@chromium'] },
  async ({ server, newTabs }) => {
    test.setTimeout(300_000);
    const tabs: Tab[] = [];
    while (tabs.length < TABS) tabs.push(...(await newTabs(5, { proactive: 'never' })));
    // When each version came to each tab; all clocks are this machine's.
    await everyTab(tabs, (tab) =>
      tab.evaluate(() => {
        const { coordinator } = window.lab;
        const arrivals: number[] = (window.arrivals = []);
        coordinator.subscribe(() => (arrivals[coordinator.getSnapshot().version] ??= Date.now()));
      }),
    );
    await signIn(tabs.slice(0, 1));
    await expectInEveryTab(tabs, { status: 'signed-in' });

    for (let expiry = 1; expiry <= EXPIRIES; expiry++) {
      const answers = await getAtExpiry(server, tabs, 2);
      const tokens = answers.map((answer) => ('tokenId' in answer ? answer.tokenId : answer.code));
      expect(new Set(tokens).size).toBe(1);
      const versions = (await everyTab(tabs, snapshotOf)).map((snapshot) => snapshot.version);
      expect(versions).toEqual(tabs.map(() => expiry + 1));
    }
    await expectOneLeader(tabs);
    expectPeace(server, EXPIRIES);

    const arrivals = await everyTab(tabs, (tab) => tab.evaluate(() => window.arrivals!));
    const convergence = server.log.refreshes().map((entry, index) => {
      const last = Math.max(...arrivals.map((times) => Number(times[index + 2])));
      return last - Number(entry.answeredAt);
    });
    const description = `from the answer to the last of ${TABS} tabs, ms, per expiry: ${convergence.join(', ')}`;
    test.info().annotations.push({ type: 'convergence', description });
    console.log(description);
    for (const ms of convergence) expect(ms).toBeLessThan(LIFE_SECONDS * 1_000);
  },
);

declare global {
  interface Window {
    arrivals?: number[];
  }
}
