// Failure is not loss: whatever the token endpoint does, the session stays, a live access token is still served, callers learn what is
// going on, and when the fault is over nobody has to do anything.
import type { Breakage } from '../demo/server/faults.js';
import {
  everyTab,
  expectInEveryTab,
  expectPeace,
  get,
  getTogether,
  signIn,
  snapshotOf,
  startGet,
} from './harness/ask.js';
import { expect, PATIENT_MS, test, type Tab } from './fixtures.js';

test.use({ tabOptions: { proactive: 'never', refreshTimeoutMs: 1_000 } });

const faults: { name: string; answer: Breakage }[] = [
  { name: '503', answer: { status: 503, body: 'overloaded' } },
  { name: '429 with Retry-After', answer: tooManyRequests(2) },
  { name: 'connection reset', answer: 'reset' },
  { name: 'no answer before the deadline', answer: 'hang' },
  { name: 'HTML instead of JSON', answer: 'html' },
  { name: 'JSON without access_token', answer: 'no-access-token' },
];

function tooManyRequests(seconds: number): Breakage {
  return { status: 429, headers: { 'retry-after': String(seconds) }, body: { error: 'slow_down' } };
}

const alice = expect.objectContaining({ subject: 'alice' });

function troubleOf(tab: Tab) {
  return tab.evaluate(() => {
    const { status, refreshStatus, version, error } = window.lab.coordinator.getSnapshot();
    return { status, refreshStatus, version, code: error?.code };
  });
}

for (const { name, answer } of faults) {
  test(`${name}: the session stays, errors are typed, recovery is automatic`, async ({ server, newTabs }) => {
    // The longer the looking below takes, the more attempts fail, and the longer are the pauses: up to a minute.
    test.setTimeout(180_000);
    const tabs = await newTabs(3);
    await signIn(tabs);
    const [first, second] = tabs as [Tab, Tab];
    const token = await get(first);
    server.faults.add({ instead: answer, times: 'always' });

    // One caller has time enough to see the fault through.
    const patient = await startGet([first], { forceRefresh: true, timeoutMs: PATIENT_MS });
    await expect
      .poll(() => get(second, { forceRefresh: true, timeoutMs: 10 }))
      .toMatchObject({ code: 'ERR_REFRESH_UNAVAILABLE', retryAfterMs: expect.any(Number) });
    // In one look: a pause after a missed deadline lasts a second, and then it is tried again.
    const paused = {
      status: 'signed-in',
      refreshStatus: 'paused',
      version: 1,
      code: 'ERR_REFRESH_UNAVAILABLE',
    };
    await expect
      .poll(() => everyTab(tabs, troubleOf), { intervals: [20] })
      .toEqual(tabs.map(() => expect.objectContaining(paused)));
    expect(
      await everyTab(tabs, (tab) => get(tab, { minValidityMs: 3_600_000 })),
      'a live token is served',
    ).toEqual(tabs.map(() => expect.objectContaining({ tokenId: 'tokenId' in token && token.tokenId })));

    server.faults.clear();
    expect(await patient()).toEqual([alice]);
    await expectInEveryTab(tabs, { status: 'signed-in', refreshStatus: 'idle', version: 2 });
    expect(await second.evaluate(() => window.lab.coordinator.getSnapshot().error?.code ?? null)).toBeNull();

    const requests = server.log.refreshes();
    expect(requests.filter((request) => request.decided).map((request) => request.sent)).toEqual([
      { status: 200 },
    ]);
    expect(
      new Set(requests.map((request) => request.spent)).size,
      'the same token was offered each time',
    ).toBe(1);
  });
}

test('Retry-After is kept to, by all tabs together', async ({ server, newTabs }) => {
  const tabs = await newTabs(3, { refreshTimeoutMs: PATIENT_MS });
  await signIn(tabs);
  server.faults.add({ instead: tooManyRequests(2) });
  const answers = await getTogether(server, tabs, { timeoutMs: PATIENT_MS });
  expect(answers).toEqual(tabs.map(() => alice));
  const [refused, served, ...more] = server.log.refreshes();
  expect(more).toEqual([]);
  expect(Number(served?.receivedAt) - Number(refused?.answeredAt)).toBeGreaterThanOrEqual(1_990);
});

test('nobody waits for what cannot come in time', async ({ server, newTabs }) => {
  const tabs = await newTabs(3);
  await signIn(tabs);
  server.faults.add({ instead: tooManyRequests(3_600) });
  await get(tabs[0] as Tab, { forceRefresh: true });
  await expectInEveryTab(tabs, { refreshStatus: 'paused' });

  // The limit is longer than this test may take, and shorter than the pause.
  for (const answer of await everyTab(tabs, (tab) =>
    get(tab, { forceRefresh: true, timeoutMs: PATIENT_MS }),
  )) {
    expect(answer).toMatchObject({ code: 'ERR_REFRESH_UNAVAILABLE' });
    expect('retryAfterMs' in answer && answer.retryAfterMs).toBeLessThanOrEqual(3_600_000);
    expect('retryAfterMs' in answer && answer.retryAfterMs).toBeGreaterThan(PATIENT_MS);
  }
  expect(server.log.refreshes().length).toBe(1);
});

for (const answer of ['reset', 'hang', 'html', 'no-access-token', { status: 503 }] satisfies Breakage[]) {
  const name = typeof answer === 'string' ? answer : String(answer.status);
  test.describe(`the server had rotated, its answer became: ${name}`, () => {
    test.use({ serverOptions: { forgiveReplayForMs: PATIENT_MS } });

    test('a forgiving server gives it again', async ({ server, newTabs }) => {
      const tabs = await newTabs(3, { refreshTimeoutMs: name === 'hang' ? 3_000 : PATIENT_MS });
      await signIn(tabs);
      server.faults.add({ afterwards: answer });
      const answers = await getTogether(server, tabs, { timeoutMs: PATIENT_MS });
      expect(answers).toEqual(tabs.map(() => alice));
      await expectInEveryTab(tabs, { status: 'signed-in', refreshStatus: 'idle', version: 2 });
      const requests = server.log.refreshes();
      expect(requests.map((request) => request.replayed ?? false)).toEqual([false, true]);
      expect(new Set(requests.map((request) => request.spent)).size).toBe(1);

      // And the pair that came the second time is a good one.
      await get(tabs[1] as Tab, { forceRefresh: true });
      await expectInEveryTab(tabs, { version: 3 });
    });
  });
}

test('an answer later than the deadline still counts', async ({ server, newTabs }) => {
  const tabs = await newTabs(2, { refreshTimeoutMs: 3_000 });
  await signIn(tabs);
  const answer = server.faults.hold('after');
  // Three seconds are the deadline: the caller is told, the request goes on. The next attempt would come as much later.
  expect(await get(tabs[0] as Tab, { forceRefresh: true, timeoutMs: 3_200 })).toMatchObject({
    code: expect.stringMatching(/^ERR_(REFRESH_UNAVAILABLE|TIMEOUT)$/),
  });
  answer.release();
  await expectInEveryTab(tabs, { status: 'signed-in', version: 2 });
  expectPeace(server, 1);
});

test('a fault of configuration is said, and heals when mended', async ({ server, newTabs }) => {
  const tabs = await newTabs(2);
  await signIn(tabs);
  server.faults.add({ instead: { status: 401, body: { error: 'invalid_client' } }, times: 'always' });
  expect(await get(tabs[0] as Tab, { forceRefresh: true })).toMatchObject({
    code: 'ERR_REFRESH_REJECTED',
    error: 'invalid_client',
  });
  await expectInEveryTab(tabs, { status: 'signed-in', refreshStatus: 'paused', version: 1 });
  expect(await everyTab(tabs, (tab) => get(tab))).toEqual(tabs.map(() => alice));
  const asked = server.log.refreshes().length;

  server.faults.clear();
  expect(await get(tabs[1] as Tab, { forceRefresh: true })).toEqual(alice);
  await expectInEveryTab(tabs, { refreshStatus: 'idle', version: 2 });
  expect(server.log.refreshes().length - asked).toBe(1);
});

test('an unused refresh token is refused: the true reason', async ({ server, newTabs }) => {
  const tabs = await newTabs(3);
  await signIn(tabs);
  server.faults.add({ instead: { status: 400, body: { error: 'invalid_grant' } }, times: 'always' });
  const answers = await everyTab(tabs, (tab) => get(tab, { forceRefresh: true }));
  expect(answers).toEqual(
    tabs.map(() => expect.objectContaining({ code: 'ERR_REAUTH_REQUIRED', reason: 'refresh_rejected' })),
  );
  await expectInEveryTab(tabs, { status: 'reauth-required' });
  const events = (await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.events))).flat();
  expect(events.filter((event) => event.type === 'reauth-required')).toEqual([
    expect.objectContaining({ reason: 'refresh_rejected' }),
  ]);
  expect(server.log.refreshes().length, 'one word from the server is enough').toBe(1);
});

test.describe('nobody calls', () => {
  test.use({ serverOptions: { accessTokenTtl: 3 }, tabOptions: { refreshTimeoutMs: 1_000 } });

  test('the refresh ahead goes on by itself after a fault', async ({ server, newTabs }) => {
    const tabs = await newTabs(3);
    server.faults.add({ instead: { status: 503 }, times: 3 });
    server.log.subscribe(() => {
      if (server.log.refreshes().length > 0) server.settings.accessTokenTtl = 3600;
    });
    await signIn(tabs);
    await expectInEveryTab(tabs, { status: 'signed-in', refreshStatus: 'idle', version: 2 });
    expect(server.log.refreshes().map((request) => request.decided?.status)).toEqual([
      undefined,
      undefined,
      undefined,
      200,
    ]);
    expect((await snapshotOf(tabs[0] as Tab)).expiresAt).toBeGreaterThan(Date.now() + 3_000_000);
  });
});
