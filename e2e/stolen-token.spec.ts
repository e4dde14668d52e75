// A refresh token that was carried off, used from outside the browser: with a key of its own, without one, and one that was spent already.
import { generateDPoP, post } from './harness/thief.js';
import { expectInEveryTab, get, signIn } from './harness/ask.js';
import { expect, test, type LabServer, type Tab } from './fixtures.js';

test.use({ tabOptions: { proactive: 'never' } });

/** The tokens that a script in the page could read. */
async function steal(tab: Tab): Promise<string> {
  const record = await tab.evaluate(() => window.lab.readRecord());
  expect(record?.refreshToken).toEqual(expect.any(String));
  return String(record?.refreshToken);
}

function use({ config }: LabServer, refreshToken: string, headers: Record<string, string> = {}) {
  const parameters = { grant_type: 'refresh_token', client_id: config.clientId, refresh_token: refreshToken };
  return post(`${config.issuer}/token`, parameters, headers);
}

test('bound to a key: refused without the right key', async ({ server, newTabs }) => {
  const tabs = await newTabs(2, { dpop: '' });
  await signIn(tabs);
  const stolen = await steal(tabs[0]!);

  expect(await use(server, stolen)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  const dpop = await generateDPoP('POST', `${server.config.issuer}/token`);
  expect(await use(server, stolen, { dpop })).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  });

  expect(await get(tabs[1]!, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  await expectInEveryTab(tabs, { status: 'signed-in', version: 2 });
  expect(await tabs[0]!.evaluate(() => window.lab.api.call())).toEqual({ status: 200, user: 'alice' });
});

test('bound to a key: an access token alone is useless', async ({ server, newTab }) => {
  const tab = await newTab({ dpop: '' });
  await signIn([tab]);
  const token = String(await tab.evaluate(() => window.lab.coordinator.peekAccessToken()));
  const url = `${server.config.resource}/me`;
  const dpop = await generateDPoP('GET', url, token);
  for (const headers of [{ authorization: `Bearer ${token}` }, { authorization: `DPoP ${token}`, dpop }]) {
    expect((await fetch(url, { headers })).status).toBe(401);
  }
  expect(server.api.requests.map(({ error }) => error)).toEqual(['invalid_token', 'invalid_token']);
});

test('bearer, spent already: refused, and the session ends everywhere', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  await signIn(tabs);
  const stolen = await steal(tabs[0]!);
  await get(tabs[0]!, { forceRefresh: true });
  await expectInEveryTab(tabs, { version: 2 });

  expect(await use(server, stolen)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  expect(await get(tabs[1]!, { forceRefresh: true })).toMatchObject({
    code: 'ERR_REAUTH_REQUIRED',
    reason: 'refresh_rejected',
  });
  await expectInEveryTab(tabs, { status: 'reauth-required' });
});
