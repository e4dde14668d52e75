// Tokens bound to a key that no script can carry off (RFC 9449): all tabs prove the same key, through rotations, with nonces, after a restart.
import { everyTab, expectInEveryTab, expectPeace, get, getAtExpiry, signIn } from './harness/ask.js';
import { expect, test, type LabServer, type Tab } from './fixtures.js';

const alice = { status: 200, user: 'alice' };
const call = (tab: Tab) => tab.evaluate(() => window.lab.api.call());

test.use({ tabOptions: { dpop: '', proactive: 'never' } });

/** The one key that all requests to the API were signed with. */
function theKey(server: LabServer): string | undefined {
  expect(new Set(server.api.requests.map(({ scheme }) => scheme))).toEqual(new Set(['DPoP']));
  const keys = new Set(server.api.requests.map(({ jkt }) => jkt));
  expect(keys.size).toBe(1);
  const [key] = keys;
  expect(key).toEqual(expect.any(String));
  return key;
}

test.describe('access tokens that live two seconds', () => {
  // For the page: the API takes them for an hour, so that none is refused for having been long on its way.
  test.beforeEach(({ server }) =>
    server.faults.add({ grantType: 'any', patch: { expires_in: 2 }, times: 'always' }),
  );

  test('5 tabs at 4 expiries: every refresh spends the newest', async ({ server, newTabs }) => {
    const tabs = await newTabs(5);
    await signIn(tabs);
    expect(await everyTab(tabs, call)).toEqual(tabs.map(() => alice));
    for (let expiry = 1; expiry <= 4; expiry++) {
      await getAtExpiry(server, tabs, 2);
      expect(await everyTab(tabs, call)).toEqual(tabs.map(() => alice));
    }
    const requests = server.log.refreshes();
    expectPeace(server, requests.length);
    expect(requests.length).toBeGreaterThanOrEqual(4);
    expect(
      requests.slice(1).map(({ spent }) => spent),
      'the server rotates these tokens, and each request spends the newest',
    ).toEqual(requests.slice(0, -1).map(({ decided }) => decided?.issued));
    theKey(server);
  });
});

test('one key for old, new and later tabs', async ({ server, newTab, newTabs }) => {
  const tabs = await newTabs(5);
  await signIn(tabs);
  expect(await everyTab(tabs, call)).toEqual(tabs.map(() => alice));
  const late = await newTab();
  expect(await call(late)).toEqual(alice);
  expect(await get(late, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  await everyTab([...tabs, late], (tab) => tab.close());

  const reopened = await newTab();
  expect(await call(reopened)).toEqual(alice);
  expect(await get(reopened, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  expect(await call(reopened)).toEqual(alice);
  await expectInEveryTab([reopened], { status: 'signed-in', version: 3 });
  expectPeace(server, 2);
  expect(server.api.requests.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  theKey(server);
});

test.describe('nonces required by the token endpoint and by the API', () => {
  test.use({ serverOptions: { dpop: 'required-nonce' } });

  test('no caller notices; a nonce that is refused spends nothing', async ({ server, newTabs }) => {
    const tabs = await newTabs(5);
    await signIn(tabs);
    for (let version = 2; version <= 4; version++) {
      await get(tabs[version]!, { forceRefresh: true });
      await expectInEveryTab(tabs, { version });
      expect(await everyTab(tabs, call)).toEqual(tabs.map(() => alice));
      server.renewApiNonce();
    }

    const refused = { status: 400, error: 'use_dpop_nonce' };
    const refreshes = server.log.refreshes();
    const [first, ...others] = [...new Set(refreshes.map(({ spent }) => spent))].map((token) =>
      refreshes.filter(({ spent }) => spent === token).map(({ sent }) => sent),
    );
    expect(first, 'the same refresh token, once more with the nonce').toEqual([refused, { status: 200 }]);
    expect(others.length).toBe(2);
    for (const answers of others) {
      expect(answers.at(-1)).toEqual({ status: 200 });
      expect(answers.slice(0, -1)).toEqual(answers.slice(1).map(() => refused));
    }

    const answers = server.api.requests.map(({ status, error }) => ({ status, error }));
    const asked = answers.filter(({ status }) => status === 401);
    expect(asked.length, 'the API did ask for its nonce').toBeGreaterThanOrEqual(3);
    expect(asked).toEqual(asked.map(() => ({ status: 401, error: 'use_dpop_nonce' })));
    expect(answers.filter(({ status }) => status === 200).length).toBe(15);
    expect(new Set(server.api.requests.map(({ jkt }) => jkt).filter(Boolean)).size).toBe(1);
  });
});
