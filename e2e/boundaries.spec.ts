// Nothing leaves its session: boundaries that need a real browser's redirects, keys, storage and headers.
import { expectInEveryTab, expectPeace, get, signIn } from './harness/ask.js';
import { before } from './harness/before-page.js';
import { startStranger } from './harness/stranger.js';
import { expect, test } from './fixtures.js';

test.use({ tabOptions: { proactive: 'never' } });

test('a DPoP request refuses a redirect; no proof follows', async ({ newTab }) => {
  const [friend, stranger] = [await startStranger(), await startStranger()];
  const tab = await newTab({ dpop: '' });
  await signIn([tab]);
  const refusals = await tab.evaluate(
    async ({ friend, stranger }) => {
      const { createFetch, coordinator } = window.lab;
      const authFetch = createFetch(coordinator, { allowedOrigins: [friend, location.origin] });
      const refusals: string[] = [];
      for (const from of [`${friend}/redirect`, '/__lab/redirect']) {
        for (const status of [302, 307]) {
          const url = `${from}?status=${status}&to=${encodeURIComponent(`${stranger}/there`)}`;
          refusals.push(await authFetch(url).then(({ status }) => String(status), String));
        }
      }
      return refusals;
    },
    { friend: friend.origin, stranger: stranger.origin },
  );
  expect(refusals).toEqual(refusals.map(() => expect.stringContaining('RFC 9449')));
  expect(
    friend.received.filter(({ method, headers }) => method === 'GET' && headers['dpop'] !== undefined).length,
    'the first request was sent with its proof',
  ).toBe(2);
  expect(stranger.received).toEqual([]);
  await Promise.all([friend.close(), stranger.close()]);
});

test('a planted DPoP key signs nothing', async ({ newTab, server }) => {
  const first = await newTab({ dpop: '' });
  await signIn([first]);
  const planted = await first.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener('success', () => resolve(request.result));
        request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB failed')));
      });
    const database = await settled(indexedDB.open('one-refresh-dpop'));
    // One that its maker can export: a copy of it may be anywhere.
    const keyPair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ]);
    const store = database.transaction('dpop', 'readwrite').objectStore('dpop');
    const ids = (await settled(store.getAllKeys())).filter(
      (id) => typeof id === 'string' && id.startsWith('session:'),
    );
    for (const id of ids) await settled(store.put(keyPair, id));
    database.close();
    return ids.length;
  });
  expect(planted).toBe(1);
  await first.close();

  const second = await newTab({ dpop: '' });
  const outcome = await second.evaluate(() =>
    window.lab.api.call().then(
      ({ status }) => String(status),
      ({ code }: { code?: string }) => code,
    ),
  );
  expect(outcome).toBe('ERR_CONFIGURATION');
  expect(await get(second, { forceRefresh: true })).toMatchObject({ code: 'ERR_REAUTH_REQUIRED' });
  expect([server.api.requests, server.log.refreshes()]).toEqual([[], []]);
});

test("a request made signed out never becomes the next user's", async ({ newTab, server }) => {
  const tab = await newTab();
  // The request is prepared while nobody is signed in; Bob signs in before it is refused.
  const outcome = await tab.evaluate(async () => {
    const call = window.lab.api.call().then(
      ({ status }) => String(status),
      ({ code }: { code?: string }) => code,
    );
    await window.lab.signIn('bob');
    return call;
  });
  expect(outcome).toBe('ERR_SIGNED_OUT');
  expect(server.api.requests).toEqual([]);
  expect(await tab.evaluate(() => window.lab.api.call())).toEqual({ status: 200, user: 'bob' });
});

test("a request does not leave after its session's sign-out", async ({ newTab, server }) => {
  const tab = await newTab({ dpop: '' });
  await signIn([tab]);
  // Its proof is being signed.
  const outcome = await tab.evaluate(async () => {
    const call = window.lab.api.call().then(
      ({ status }) => String(status),
      ({ code }: { code?: string }) => code,
    );
    await Promise.resolve();
    const over = window.lab.coordinator.signOut();
    const code = await call;
    await over;
    return code;
  });
  expect(outcome).toBe('ERR_SIGNED_OUT');
  expect(server.api.requests).toEqual([]);
});

test('a huge WWW-Authenticate does not block the page', async ({ newTab }) => {
  const tab = await newTab();
  await signIn([tab]);
  // Quadratic reading took 4.9 s for 150 KB; for eight times as much it would take minutes, more than this test has.
  const statuses = await tab.evaluate(async () => {
    const { createFetch, coordinator } = window.lab;
    const statuses: number[] = [];
    for (const part of [' ', 'a', ',', '"', '\\"', 'a ', 'a=', 'a="', 'Bearer ,']) {
      const challenge = `Bearer error="insufficient_scope"${part.repeat(1_200_000 / part.length)}c`;
      const authFetch = createFetch(coordinator, {
        fetch: () =>
          Promise.resolve(new Response('', { status: 401, headers: { 'www-authenticate': challenge } })),
      });
      statuses.push((await authFetch('/api/me')).status);
    }
    return statuses;
  });
  expect(statuses).toEqual(Array.from({ length: 9 }, () => 401));
});

test('another configuration under one name neither sends nor ends', async ({ newTab, server }) => {
  const tab = await newTab();
  await signIn([tab]);
  const stranger = await startStranger();
  const other = await newTab({ name: 'of-its-own' });
  const seen = await other.evaluate(async (tokenEndpoint) => {
    const coordinator = window.lab.openAnother('e2e', { tokenEndpoint, clientId: 'another' });
    await coordinator.ready;
    const { status, error } = coordinator.getSnapshot();
    const call = await coordinator.getAccessToken({ forceRefresh: true }).catch(String);
    await coordinator.signOut();
    return { status, code: error?.code, call };
  }, `${stranger.origin}/token`);
  expect(seen).toMatchObject({ status: 'signed-out', code: 'ERR_CONFIGURATION' });
  expect(stranger.received).toEqual([]);
  expect(server.log.revocations()).toEqual([]);
  await expectInEveryTab([tab], { status: 'signed-in', subject: 'alice' });
  expect(await get(tab, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  expectPeace(server, 1);
  await stranger.close();
});

test('no refresh token is on the channel, however asked', async ({ newTab, server }) => {
  const options = { broadcast: 'access-token' };
  const tab = await newTab(options);
  // A page of the origin that listens, and never opens the database.
  const ear = await newTab({ name: 'of-its-own' });
  await ear.evaluate(() => {
    const channel = new BroadcastChannel('one-refresh:e2e');
    const heard: unknown[] = [];
    channel.onmessage = ({ data }) => heard.push(data);
    Object.assign(window, { channel, heard });
  });
  const heard = () =>
    ear.evaluate(() => (window as unknown as { heard: { type: string; withheld?: boolean }[] }).heard);
  const pairs = async () => (await heard()).filter(({ type }) => type === 'pair').length;
  await signIn([tab]);
  await get(tab, { forceRefresh: true });
  await expect.poll(pairs).toBe(1);

  const { sessionId } = await tab.evaluate(() => window.lab.coordinator.getSnapshot());
  for (const [type, more] of [
    ['hello', { sessionId: '', version: 0, memory: true }],
    ['refresh-request', { sessionId, version: 1, memory: true }],
    ['reauth-required', { sessionId, version: 1, ended: { kind: 'reauth-required' } }],
  ] as const) {
    const earlier = await pairs();
    await ear.evaluate(
      (message) => (window as unknown as { channel: BroadcastChannel }).channel.postMessage(message),
      { protocol: 1, from: 'ear', term: 1, type, ...more },
    );
    await expect.poll(pairs, type).toBe(earlier + 1);
  }

  // An honest tab without storage asks as it opens, is served, and has another one refresh.
  const storeless = await newTab({ ...options, ...before('indexedDbBlocked') });
  expect(await get(storeless)).toMatchObject({ subject: 'alice' });
  expect(await get(storeless, { forceRefresh: true })).toMatchObject({ subject: 'alice' });
  await expectInEveryTab([tab, storeless], { version: 3 });
  await expectInEveryTab([storeless], { storage: 'memory' });
  expectPeace(server, 2);

  expect((await heard()).filter(({ withheld }) => withheld).length).toBeGreaterThan(5);
  expect(JSON.stringify(await heard())).not.toContain('"refreshToken":');
  expect(JSON.stringify(await tab.evaluate(() => window.lab.readRecord()))).toContain('"refreshToken":');
});
