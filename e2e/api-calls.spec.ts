// Calls through createFetch, with Bearer tokens that rotate: an expiry costs one token request, from any caller, and so does a revoked token.
import { everyTab, expectInEveryTab, expectPeace, get, putClocksForward, signIn } from './harness/ask.js';
import { before } from './harness/before-page.js';
import { expect, test } from './fixtures.js';

const HOUR_MS = 3_600_000;
const alice = { status: 200, user: 'alice' };

test.describe('access tokens that live for an hour', () => {
  test.use({ tabOptions: { proactive: 'never', ...before('clock') } });

  test('5 tabs call the API at 5 expiries: all succeed', async ({ server, newTabs }) => {
    const tabs = await newTabs(5);
    await signIn(tabs);
    for (let expiry = 1; expiry <= 5; expiry++) {
      await putClocksForward(tabs, HOUR_MS);
      const answers = await everyTab(tabs, (tab) =>
        tab.evaluate(() => Promise.all([window.lab.api.call(), window.lab.api.call()])),
      );
      expect(answers.flat()).toEqual(answers.flat().map(() => alice));
      await expectInEveryTab(tabs, { version: expiry + 1 });
    }
    expectPeace(server, 5);
    expect(new Set(server.api.requests.map(({ status }) => status)), 'no call was refused first').toEqual(
      new Set([200]),
    );
    expect(new Set(server.api.requests.map(({ tokenId }) => tokenId)).size).toBe(5);
  });
});

test('50 calls in each of 10 tabs: one token request', async ({ server, newTabs }) => {
  const tabs = await newTabs(10, { proactive: 'never' });
  await signIn(tabs);
  const token = await get(tabs[0]!);
  const tokenId = 'tokenId' in token ? token.tokenId : '';
  await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.api.hold(50)));
  server.api.refuse(tokenId);

  const answers = await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.api.release()));
  expect(answers.flat()).toEqual(Array.from({ length: 500 }, () => alice));
  expectPeace(server, 1);
  const first = server.api.requests.filter((request) => request.tokenId === tokenId);
  const second = server.api.requests.filter((request) => request.tokenId !== tokenId);
  expect(first.map(({ status }) => status)).toEqual(Array.from({ length: 500 }, () => 401));
  expect(second.map(({ status }) => status)).toEqual(Array.from({ length: 500 }, () => 200));
  expect(new Set(second.map((request) => request.tokenId)).size).toBe(1);
});
