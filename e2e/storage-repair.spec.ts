// Other code opened the library's databases first, without a version: they are there, and lack what the library keeps in them.
import { everyTab, expectInEveryTab, expectPeace, get, signIn } from './harness/ask.js';
import { before } from './harness/before-page.js';
import { expect, test } from './fixtures.js';

const alice = expect.objectContaining({ subject: 'alice' });

for (const [tokens, options] of [
  ['Bearer tokens', {}],
  ['tokens bound to a key', { dpop: '' }],
] satisfies [string, Record<string, string>][]) {
  test.describe(tokens, () => {
    test.use({ tabOptions: { proactive: 'never', ...options } });

    const tag = tokens === 'Bearer tokens' ? '@core' : '@engines';
    test('a database without its store works at once', { tag }, async ({ server, newTab }) => {
      const first = await newTab(before('databaseTaken'));
      await signIn([first]);
      await expectInEveryTab([first], { storage: 'indexeddb', version: 1 });
      const tabs = [first, await newTab(before('databaseTaken'))];
      expect(await everyTab(tabs, (tab) => get(tab))).toEqual([alice, alice]);
      await get(first, { forceRefresh: true });
      await everyTab(tabs, (tab) => tab.close());

      const later = await newTab();
      expect(await get(later)).toEqual(alice);
      await expectInEveryTab([later], { storage: 'indexeddb', version: 2 });
      expect(await later.evaluate(() => window.lab.api.call())).toMatchObject({ user: 'alice' });
      expectPeace(server, 1);
    });
  });
}

test.describe('other code keeps the database open', () => {
  test.use({ tabOptions: { proactive: 'never' } });

  test('memory serves, then the store once it is closed', async ({ server, newTab }) => {
    const tab = await newTab(before('databaseHeld'));
    await signIn([tab]);
    await expectInEveryTab([tab], { storage: 'memory', status: 'signed-in' });
    await tab.evaluate(() => void window.mend?.());
    await expectInEveryTab([tab], { storage: 'indexeddb' });
    await tab.close();

    const later = await newTab();
    expect(await get(later)).toEqual(alice);
    expectPeace(server, 0);
  });
});
