// Several APIs of one session (RFC 8707): each has its own access token, all come from the one refresh token, which is spent in one line.
import { everyTab, expectInEveryTab, expectPeace, putClocksForward, signIn } from './harness/ask.js';
import { before } from './harness/before-page.js';
import { expect, test, type Tab } from './fixtures.js';

/** As long as an access token lives here. */
const HOUR_MS = 3_600_000;

test.use({
  serverOptions: { furtherApis: ['orders', 'photos', 'billing'] },
  tabOptions: { proactive: 'never', ...before('clock') },
});

const askAll = (tab: Tab) =>
  tab.evaluate(() =>
    Promise.all(window.lab.config.furtherResources.map((resource) => window.lab.get({ resource }))),
  );
const callAll = (tab: Tab) =>
  tab.evaluate(() => Promise.all(window.lab.config.furtherResources.map(window.lab.api.callWith)));
const hasNone = (tab: Tab) =>
  tab.evaluate(() =>
    window.lab.config.furtherResources.every(
      (resource) => window.lab.coordinator.peekAccessToken({ resource }) === undefined,
    ),
  );

test('3 APIs in 5 tabs: every request spends the newest', async ({ server, newTabs }) => {
  const tabs = await newTabs(5);
  await signIn(tabs);

  for (let round = 1; round <= 3; round++) {
    const answers = await everyTab(tabs, askAll);
    for (const answer of answers) {
      expect(answer, 'the same three tokens in every tab').toMatchObject(
        answers[0]!.map((token) => ({ tokenId: 'tokenId' in token ? token.tokenId : token })),
      );
    }
    expect(new Set(answers[0]?.map((token) => 'tokenId' in token && token.tokenId)).size).toBe(3);
    const requests = server.log.refreshes();
    expectPeace(server, 3 * round);
    expect(
      new Set(requests.slice(-3).map(({ debug }) => debug['x_resource'])),
      'one token request for each API',
    ).toEqual(new Set(server.config.furtherResources));
    requests.slice(1).forEach((request, i) => {
      const before = requests[i]!;
      expect(request.spent, 'the newest').toBe(before.decided?.issued);
      expect(request.receivedAt, 'in sequence').toBeGreaterThanOrEqual(before.answeredAt!);
    });
    await expectInEveryTab(tabs, { version: 3 * round + 1 });
    if (round === 1) {
      expect((await everyTab(tabs, callAll)).flat()).toEqual(
        Array.from({ length: 15 }, () => ({ status: 200, user: 'alice' })),
      );
      expectPeace(server, 3);
    }
    if (round < 3) {
      await putClocksForward(tabs, HOUR_MS);
      expect(await everyTab(tabs, hasNone)).toEqual(tabs.map(() => true));
    }
  }
});
