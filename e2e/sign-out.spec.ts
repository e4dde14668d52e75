import { everyTab, expectInEveryTab, get, signIn, startGet } from './harness/ask.js';
import { hashToken } from '../demo/server/token-endpoint-log.js';
import { expect, test, type LabServer, type Tab } from './fixtures.js';

test.use({ tabOptions: { proactive: 'never' } });

const signedOut = expect.objectContaining({ code: 'ERR_SIGNED_OUT' });

async function expectRevoked(server: LabServer, refreshToken: string | undefined): Promise<void> {
  expect(refreshToken).toEqual(expect.any(String));
  await expect.poll(() => server.log.revocations().map((entry) => entry.spent)).toContain(refreshToken);
}

test(
  'signing out stops all tabs and revokes the session',
  { tag: ['@core', '@smoke'] },
  async ({ server, newTabs }) => {
    const tabs = await newTabs(5);
    await signIn(tabs);
    await get(tabs[0] as Tab, { forceRefresh: true });
    await expectInEveryTab(tabs, { version: 2 });

    await tabs[3]?.evaluate(() => window.lab.coordinator.signOut());
    expect(await get(tabs[3] as Tab)).toEqual(signedOut);
    await expectInEveryTab(tabs, { status: 'signed-out', refreshStatus: 'idle' });
    expect(await everyTab(tabs, (tab) => get(tab))).toEqual(tabs.map(() => signedOut));
    expect(await everyTab(tabs, (tab) => get(tab, { forceRefresh: true }))).toEqual(
      tabs.map(() => signedOut),
    );
    expect(
      await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.coordinator.peekAccessToken() ?? null)),
    ).toEqual(tabs.map(() => null));
    await expectRevoked(server, server.log.refreshes()[0]?.decided?.issued);
    expect(server.log.refreshes().length, 'and nobody asked the server for another token').toBe(1);

    const record = await tabs[0]?.evaluate(() => window.lab.readRecord());
    expect(record).toMatchObject({ ended: { kind: 'signed-out' }, accessTokens: {} });
    expect(record?.refreshToken, 'no token stays at rest').toBeUndefined();
  },
);

test('a tab opened after the sign-out is signed out', async ({ newTab }) => {
  const first = await newTab();
  await signIn([first]);
  await first.evaluate(() => window.lab.coordinator.signOut());
  const second = await newTab();
  expect(await get(second)).toEqual(signedOut);
  await expectInEveryTab([second], { status: 'signed-out' });
});

for (const where of ['before', 'after'] as const) {
  for (const by of ['the refreshing tab', 'another tab'] as const) {
    test(`signing out by ${by} during a refresh, ${where} the decision`, async ({ server, newTabs }) => {
      const tabs = await newTabs(3);
      await signIn(tabs);
      const refreshing = tabs[0] as Tab;
      const request = server.faults.hold(where);
      const answers = await startGet(tabs);
      await request.arrived;
      const sender = tabs.find((tab) => tab.id === server.log.refreshes()[0]?.debug['x_tab']) ?? refreshing;

      const signingOut = by === 'another tab' ? tabs.find((tab) => tab !== sender) : sender;
      await signingOut?.evaluate(() => window.lab.coordinator.signOut());
      await expectInEveryTab(tabs, { status: 'signed-out' });
      expect(await answers(), 'nobody waits for the answer').toEqual(tabs.map(() => signedOut));

      // (Beside it there may be what is still to be revoked.)
      const stored = () =>
        refreshing.evaluate(() =>
          window.lab.readRecord().then((record) => record && { ...record, revocations: undefined }),
        );
      const before = await stored();
      request.release();
      const [entry] = server.log.refreshes();
      await expect.poll(() => entry?.sent).toBeDefined();
      if (where === 'after') {
        // The late answer carries a pair: it changes nothing, and its refresh token is given back.
        await expectRevoked(server, entry?.decided?.issued);
      }
      expect(await stored()).toEqual(before);
      await expectInEveryTab(tabs, { status: 'signed-out' });
      expect(await everyTab(tabs, (tab) => get(tab))).toEqual(tabs.map(() => signedOut));
      expect(server.log.refreshes().length).toBe(1);
    });
  }
}

/** As the server's log names it. */
async function refreshTokenOf(tab: Tab): Promise<string> {
  const record = await tab.evaluate(() => window.lab.readRecord());
  expect(record?.refreshToken).toEqual(expect.any(String));
  return hashToken(record?.refreshToken ?? '');
}
const isNothingLeft = (tab: Tab) =>
  tab.evaluate(async () => !JSON.stringify(await window.lab.readRecord()).includes('"token":'));

test('signing out revokes though the page leaves at once', async ({ server, newTab }) => {
  const tab = await newTab();
  await signIn([tab]);
  const token = await refreshTokenOf(tab);
  await tab.evaluate(() => {
    void window.lab.coordinator.signOut();
    location.assign('/__lab/elsewhere');
  });
  await expectRevoked(server, token);
  // A page that is closed while the next one takes its place is not closed: Chromium gives the driver no answer.
  await expect.poll(() => tab.evaluate(() => location.pathname).catch(() => '')).toBe('/__lab/elsewhere');
});

test('a lost revocation is sent by the next page', async ({ server, newTab }) => {
  const tab = await newTab();
  await signIn([tab]);
  const token = await refreshTokenOf(tab);
  await tab.evaluate(async () => {
    window.fetch = () => Promise.reject(new TypeError('Failed to fetch'));
    await window.lab.coordinator.signOut();
  });
  await expect.poll(() => isNothingLeft(tab)).toBe(false);
  await tab.close();
  expect(server.log.revocations()).toEqual([]);

  const next = await newTab();
  await expectInEveryTab([next], { status: 'signed-out' });
  await expect
    .poll(async () => {
      // A wake-up, as any.
      await next.evaluate(() => void window.dispatchEvent(new Event('online')));
      return isNothingLeft(next);
    })
    .toBe(true);
  await expectRevoked(server, token);
});

test('signing in over the session of another user revokes it', async ({ server, newTab }) => {
  const tab = await newTab();
  await signIn([tab], 'alice');
  const token = await refreshTokenOf(tab);
  await signIn([tab], 'bob');
  await expectRevoked(server, token);
  expect(await get(tab, { forceRefresh: true })).toMatchObject({ subject: 'bob' });
});

test('signing out without revoking', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  await signIn(tabs);
  await tabs[0]?.evaluate(() => window.lab.coordinator.signOut({ revoke: false }));
  await expectInEveryTab(tabs, { status: 'signed-out' });
  expect(server.log.revocations()).toEqual([]);
});

test('signing in again begins a new session in every tab', async ({ newTabs }) => {
  const tabs = await newTabs(3);
  await signIn(tabs, 'alice');
  await tabs[0]?.evaluate(() => window.lab.coordinator.signOut());
  await expectInEveryTab(tabs, { status: 'signed-out' });
  await signIn(tabs, 'bob');
  expect(await everyTab(tabs, (tab) => get(tab))).toEqual(
    tabs.map(() => expect.objectContaining({ subject: 'bob' })),
  );
  await expectInEveryTab(tabs, { version: 1 });
});
