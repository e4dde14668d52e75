// The token war: every tab finds the same token expired in the same moment. One request, one new pair, everywhere.
import { everyTab, expectInEveryTab, expectPeace, getAtExpiry, signIn, snapshotOf } from './harness/ask.js';
import { expect, test } from './fixtures.js';

const LIFE_SECONDS = 2;

test.use({ serverOptions: { accessTokenTtl: LIFE_SECONDS } });

for (const { tabs: count, expiries } of [
  { tabs: 2, expiries: 3 },
  { tabs: 5, expiries: 3 },
  { tabs: 10, expiries: 20 },
]) {
  const tag = count === 5 ? ['@core', '@smoke'] : [];
  test(
    `${count} tabs, ${expiries} expiries: one request per expiry`,
    { tag },
    async ({ server, newTabs }) => {
      test.setTimeout((expiries * LIFE_SECONDS + 60) * 1000);
      const tabs = await newTabs(count, { proactive: 'never' });
      await signIn(tabs);

      for (let expiry = 1; expiry <= expiries; expiry++) {
        const answers = await getAtExpiry(server, tabs, 2);
        const tokens = answers.map((answer) => ('tokenId' in answer ? answer.tokenId : answer));
        expect(new Set(tokens).size, JSON.stringify(answers)).toBe(1);
        expect(tokens[0]).toEqual(expect.any(String));

        const versions = (await everyTab(tabs, snapshotOf)).map((snapshot) => snapshot.version);
        expect(versions).toEqual(tabs.map(() => expiry + 1));
      }
      expectPeace(server, expiries);
    },
  );
}

test('10 idle tabs: 20 expiries ahead by one leader', { tag: '@slow' }, async ({ server, newTabs }) => {
  const expiries = 20;
  const lifeSeconds = 4 * LIFE_SECONDS;
  server.settings.accessTokenTtl = lifeSeconds;
  test.setTimeout((expiries * lifeSeconds + 60) * 1000);
  // The leader has half a life for each refresh: ten processes of a browser, with another browser beside them, take seconds
  // now and then to do what takes milliseconds otherwise.
  const tabs = await newTabs(10, { refreshBeforeMs: (lifeSeconds * 1000) / 2 });
  // The last pair lives long, so that the count stands still when it is read.
  server.log.subscribe(() => {
    if (server.log.refreshes().length === expiries) server.settings.accessTokenTtl = 3600;
  });
  await signIn(tabs);
  await expectInEveryTab(tabs, { version: expiries + 1 });

  expectPeace(server, expiries);
  const histories = await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.history));
  for (const history of histories) {
    const signedIn = history.filter((state) => state.status === 'signed-in');
    const versions = [...new Set(signedIn.map((state) => state.version))];
    expect(versions, 'every tab saw every version, in order').toEqual(
      Array.from({ length: expiries + 1 }, (_, i) => i + 1),
    );
    expect(new Set(signedIn.map((state) => state.shows)), 'no tab was ever without a live token').toEqual(
      new Set(['alice']),
    );
  }
  const senders = new Set(server.log.refreshes().map((request) => request.debug['x_tab']));
  expect(senders.size, 'the leader did not change').toBe(1);
});
