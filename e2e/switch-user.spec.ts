// Another user signs in: every tab follows, and nobody is ever handed a token of the one before.
import { everyTab, expectInEveryTab, get, signIn, startGet } from './harness/ask.js';
import { expect, test, type Tab } from './fixtures.js';

/** Once a tab has shown the new user it never shows the old one again. */
async function expectNoWayBack(tabs: readonly Tab[]): Promise<void> {
  for (const history of await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.history))) {
    for (const { subject, shows } of history) {
      // A tab always shows a token of the user it names.
      if (shows !== undefined) expect(shows).toBe(subject);
    }
    const users = history.map((state) => state.subject).filter((user) => user !== undefined);
    expect(users.lastIndexOf('alice')).toBeLessThan(users.indexOf('bob'));
  }
}

test('signing in as another user switches every tab', { tag: ['@core', '@smoke'] }, async ({ newTabs }) => {
  const tabs = await newTabs(5, { proactive: 'never' });
  await signIn(tabs, 'alice');
  await get(tabs[1] as Tab, { forceRefresh: true });
  await expectInEveryTab(tabs, { version: 2 });

  await signIn([...tabs].reverse(), 'bob');
  await expectInEveryTab(tabs, { version: 1 });
  expect(await everyTab(tabs, (tab) => get(tab))).toEqual(
    tabs.map(() => expect.objectContaining({ subject: 'bob' })),
  );
  expect(await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.callApi()))).toEqual(
    tabs.map(() => ({ status: 200, user: 'bob' })),
  );
  await expectNoWayBack(tabs);
});

test('in mid-refresh: callers get an error, the answer is revoked', async ({ server, newTabs }) => {
  const tabs = await newTabs(3, { proactive: 'never' });
  await signIn(tabs, 'alice');
  const request = server.faults.hold('after');
  const answers = await startGet(tabs);
  await request.arrived;

  await signIn([...tabs].reverse(), 'bob');
  expect(await answers()).toEqual(tabs.map(() => expect.objectContaining({ code: 'ERR_SIGNED_OUT' })));

  request.release();
  const [late] = server.log.refreshes();
  await expect
    .poll(() => server.log.revocations().map((entry) => entry.spent))
    .toContain(late?.decided?.issued);
  await expectInEveryTab(tabs, { status: 'signed-in', subject: 'bob', version: 1 });
  expect(await everyTab(tabs, (tab) => get(tab))).toEqual(
    tabs.map(() => expect.objectContaining({ subject: 'bob' })),
  );
  await expectNoWayBack(tabs);

  // Bob's own refresh is not held up by what happened to Alice's.
  expect(await get(tabs[0] as Tab, { forceRefresh: true })).toMatchObject({ subject: 'bob' });
  await expectInEveryTab(tabs, { subject: 'bob', version: 2 });
});
