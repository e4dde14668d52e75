import { expectInEveryTab, expectPeace, get, signIn, startGet } from './harness/ask.js';
import { expect, test, type Tab } from './fixtures.js';

const ask = (tab: Tab, request?: { forceRefresh: boolean }) =>
  tab.evaluate((asked) => window.lab.getInWebWorker(asked), request);

test('a coordinator in a web worker is a participant', async ({ server, newTabs }) => {
  const tabs = await newTabs(2, { proactive: 'never' });
  await signIn(tabs);
  const token = await get(tabs[0] as Tab);
  expect(await ask(tabs[0] as Tab)).toMatchObject({ tokenId: 'tokenId' in token && token.tokenId });
  expectPeace(server, 0);

  await ask(tabs[0] as Tab, { forceRefresh: true });
  await expectInEveryTab(tabs, { version: 2 });
  expect(server.log.refreshes().at(-1)?.debug['x_tab']).toBe('web-worker');

  const request = server.faults.hold('before');
  const inWorker = ask(tabs[0] as Tab, { forceRefresh: true });
  const inTabs = await startGet(tabs);
  // A second question, answered at once by the token at hand, tells that the worker has heard the first one.
  expect(await ask(tabs[0] as Tab)).toMatchObject({ subject: 'alice' });
  request.release();
  const answers = [await inWorker, ...(await inTabs())];
  const given = answers.map((answer) => 'tokenId' in answer && answer.tokenId);
  expect(new Set(given).size, JSON.stringify(answers)).toBe(1);
  expectPeace(server, 2);

  await tabs[1]?.evaluate(() => window.lab.coordinator.signOut());
  expect(await ask(tabs[0] as Tab)).toMatchObject({ code: 'ERR_SIGNED_OUT' });
});
