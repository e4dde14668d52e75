// The leader is real: it is one, everyone knows it, it alone sends, and when it goes another takes its place.
import type { TokenRequestEntry } from '../demo/server/token-endpoint-log.js';
import {
  everyTab,
  expectInEveryTab,
  expectOneLeader,
  expectPeace,
  get,
  getTogether,
  signIn,
  snapshotOf,
} from './harness/ask.js';
import { lastWords } from './harness/last-words.js';
import { expect, PATIENT_MS, test, type Tab } from './fixtures.js';

/** Every request was sent by whom the store named leader of that term, and by the tab that took itself for it. */
function expectSentByLeaders(requests: readonly TokenRequestEntry[]): void {
  const tabOf = new Map<string, string>();
  let term = 0;
  for (const { debug } of requests) {
    expect(debug).toMatchObject({
      x_role: 'leader',
      x_journal_by: debug['x_leader'],
      x_journal_term: debug['x_term'],
    });
    expect(Number(debug['x_term']), 'terms rise strictly').toBeGreaterThan(term);
    term = Number(debug['x_term']);
    const { x_leader: leader = '', x_tab: tab = '' } = debug;
    expect(tabOf.get(leader) ?? tab, 'one participant is one tab').toBe(tab);
    tabOf.set(leader, tab);
  }
  expect(new Set(tabOf.values()).size, 'and one tab is one participant').toBe(tabOf.size);
}

/** The tabs' words about leadership: their `leader-changed` events, oldest term first. */
async function expectTermsAgreed(tabs: readonly Tab[]): Promise<void> {
  for (const events of await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.events))) {
    const terms = events
      .filter((event) => event.type === 'leader-changed')
      .map((event) => Number(event.term));
    expect(terms, 'a tab hears of leaders in the order of their terms').toEqual(
      [...new Set(terms)].toSorted((a, b) => a - b),
    );
  }
}

test('at rest exactly one tab leads, and only leaders send', async ({ server, newTabs }) => {
  const tabs = await newTabs(5, { proactive: 'never' });
  await signIn(tabs);
  // Each tab in turn wants a newer token; the tab that wins the lock leads.
  for (const [index, tab] of tabs.entries()) {
    await get(tab, { forceRefresh: true });
    await expectInEveryTab(tabs, { version: index + 2 });
    const leader = await expectOneLeader(tabs);
    expect(server.log.refreshes().at(-1)?.debug['x_tab']).toBe(leader.id);
  }
  expectPeace(server, tabs.length);
  expectSentByLeaders(server.log.refreshes());
  await expectTermsAgreed(tabs);
});

test('tabs race for a refresh: one wins, others follow', { tag: '@engines' }, async ({ server, newTabs }) => {
  const tabs = await newTabs(5, { proactive: 'never' });
  await signIn(tabs);
  for (let round = 1; round <= 5; round++) {
    const answers = await getTogether(server, tabs);
    expect(new Set(answers.map((answer) => 'tokenId' in answer && answer.tokenId)).size).toBe(1);
    await expectInEveryTab(tabs, { version: round + 1 });
    await expectOneLeader(tabs);
  }
  expectPeace(server, 5);
  expectSentByLeaders(server.log.refreshes());
  await expectTermsAgreed(tabs);
});

test.extend({ partition: lastWords })(
  'the leader closes: another leads at once, without request',
  { tag: ['@core', '@smoke', '@last-words'] },
  async ({ server, newTabs }) => {
    const tabs = await newTabs(4, { proactive: 'never', leaderTimeoutMs: PATIENT_MS });
    await signIn(tabs);
    await get(tabs[1] as Tab, { forceRefresh: true });

    let survivors = tabs;
    while (survivors.length > 1) {
      const leader = await expectOneLeader(survivors);
      const { term } = (await survivors[0]!.evaluate(() => window.lab.readRecord())) ?? { term: 0 };
      survivors = survivors.filter((tab) => tab !== leader);
      await leader.close();
      await expectOneLeader(survivors);
      const after = await survivors[0]!.evaluate(() => window.lab.readRecord());
      expect(after?.term).toBeGreaterThan(term);
    }
    expectPeace(server, 1);
  },
);

test(
  'the leader goes elsewhere, and comes back: the same',
  { tag: '@engines' },
  async ({ server, newTabs }) => {
    const tabs = await newTabs(3, { proactive: 'never', leaderTimeoutMs: PATIENT_MS });
    await signIn(tabs);
    const leader = await expectOneLeader(tabs);
    const others = tabs.filter((tab) => tab !== leader);
    await leader.leave();
    const next = await expectOneLeader(others);
    await leader.comeBack();
    await expectInEveryTab([leader], { status: 'signed-in', role: 'follower' });
    expect(await expectOneLeader(tabs)).toBe(next);
    expectPeace(server, 0);
  },
);

test('the leader closes its coordinator only: the same', async ({ server, newTabs }) => {
  const tabs = await newTabs(3, { proactive: 'never', leaderTimeoutMs: PATIENT_MS });
  await signIn(tabs);
  const leader = await expectOneLeader(tabs);
  await leader.evaluate(() => window.lab.coordinator.close());
  await expectOneLeader(tabs.filter((tab) => tab !== leader));
  expect((await snapshotOf(leader)).role).toBe('none');
  expectPeace(server, 0);
});

test.describe('the leader is killed', { tag: '@chromium' }, () => {
  test('another leads at the next need', async ({ server, newTabs, kill }) => {
    const tabs = await newTabs(3, { proactive: 'never' });
    await signIn(tabs);
    const leader = await expectOneLeader(tabs);
    await kill(leader);
    const survivors = tabs.filter((tab) => tab !== leader);
    await everyTab(survivors, (tab) => get(tab, { forceRefresh: true }));
    await expectOneLeader(survivors);
    await expectInEveryTab(survivors, { version: 2 });
    expectPeace(server, 1);
    expectSentByLeaders(server.log.refreshes());
  });

  test('another leads at its backup timer', async ({ server, newTabs, aim }) => {
    server.settings.accessTokenTtl = 16;
    // The leader's timer would go off after 8 s, the others' 1.6 s to 4 s before the token expires.
    const tabs = await newTabs(3, { refreshBeforeMs: 8_000 });
    const killFirst = await aim(tabs[0] as Tab);
    await signIn(tabs);
    const leader = await expectOneLeader(tabs);
    expect(leader, 'the tab that signed in').toBe(tabs[0]);
    await killFirst();
    const survivors = tabs.filter((tab) => tab !== leader);
    // Nobody asks for a token here; it is there all the same, before the old one has expired.
    server.settings.accessTokenTtl = 3600;
    await expectInEveryTab(survivors, { version: 2 });
    await expectOneLeader(survivors);
    for (const tab of survivors) {
      const shown = await tab.evaluate(() => window.lab.history.map((state) => state.shows));
      expect(shown.slice(shown.indexOf('alice')), 'never without a live token').not.toContain(undefined);
    }
    expectPeace(server, 1);
  });

  test('another leads when a tab starts', async ({ server, newTab, newTabs, kill }) => {
    const tabs = await newTabs(2, { proactive: 'never', leaderTimeoutMs: 500 });
    await signIn(tabs);
    const leader = await expectOneLeader(tabs);
    await kill(leader);
    const survivors = [
      ...tabs.filter((tab) => tab !== leader),
      await newTab({ proactive: 'never', leaderTimeoutMs: 500 }),
    ];
    await expectOneLeader(survivors);
    expectPeace(server, 0);
  });
});
