import { expectInEveryTab, expectPeace, get, signIn } from './harness/ask.js';
import { expect, test, type Tab } from './fixtures.js';

test(
  'a new tab has its first token without any request',
  { tag: ['@core', '@smoke'] },
  async ({ server, newTab }) => {
    const first = await newTab();
    await signIn([first]);
    const token = await get(first);

    const second = await newTab();
    expect(await get(second)).toMatchObject({ tokenId: 'tokenId' in token && token.tokenId });
    expect(await second.evaluate(() => window.lab.callApi())).toEqual({ status: 200, user: 'alice' });
    expectPeace(server, 0);
  },
);

test('a new tab has the newest token, also when alone', async ({ server, newTab }) => {
  const first = await newTab();
  await signIn([first]);
  const token = await get(first, { forceRefresh: true });
  await first.close();

  const second = await newTab();
  expect(await get(second)).toMatchObject({ tokenId: 'tokenId' in token && token.tokenId });
  await expectInEveryTab([second], {
    status: 'signed-in',
    subject: 'alice',
    version: 2,
    storage: 'indexeddb',
  });
  expectPeace(server, 1);
});

test('a reload keeps the session and asks for nothing', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  await signIn(tabs);
  const [tab] = tabs as [Tab, Tab];
  await tab.goto(await tab.evaluate(() => location.href));
  expect(await get(tab)).toMatchObject({ subject: 'alice' });
  expectPeace(server, 0);
});

test('two tabs come back from signing in: one wins', async ({ newTabs }) => {
  const tabs = await newTabs(2);
  await Promise.all([
    tabs[0]?.evaluate(() => window.lab.signIn('alice', { ifSignedOut: true })),
    tabs[1]?.evaluate(() => window.lab.signIn('bob', { ifSignedOut: true })),
  ]);
  const sessions = () =>
    Promise.all(tabs.map((tab) => tab.evaluate(() => window.lab.coordinator.getSnapshot().subject)));
  await expect.poll(async () => new Set(await sessions()).size).toBe(1);
  const [winner] = await sessions();
  expect(await Promise.all(tabs.map((tab) => get(tab)))).toEqual(
    tabs.map(() => expect.objectContaining({ subject: winner })),
  );
});

test('the application’s own refresh function does as well', async ({ server, newTabs }) => {
  const tabs = await newTabs(2, { client: 'function' });
  await signIn(tabs);
  await get(tabs[0] as Tab, { forceRefresh: true });
  await expectInEveryTab(tabs, { version: 2 });
  expectPeace(server, 1);
});
