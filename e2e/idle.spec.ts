// The idle time-out: what the user does in one tab counts for all, one tab warns, all are signed out; and what that costs.
import { everyTab, expectInEveryTab, expectPeace, get, putClocksForward, signIn } from './harness/ask.js';
import { before } from './harness/before-page.js';
import { expect, test, type Tab } from './fixtures.js';

const MINUTE_MS = 60_000;
const TIMEOUT_MS = 15 * MINUTE_MS;
const KEY = 'one-refresh:e2e:idle';

const withIdle = { proactive: 'never', idle: `${TIMEOUT_MS},${MINUTE_MS}` };
const atWill = before('timePasses', 'countMessages', 'watchLocalStorage');

async function warnings(tabs: readonly Tab[]) {
  const events = await everyTab(tabs, (tab) => tab.evaluate(() => window.lab.events));
  return events.flat().filter(({ type }) => type === 'session-ending');
}

/** A user types in this tab. */
const type = (tab: Tab): Promise<void> =>
  tab.evaluate(() => {
    for (let n = 0; n < 20; n++) dispatchEvent(new Event('keydown'));
  });

/** Resolves when all tabs can read that somebody was active since then; other processes see localStorage some time later. */
async function expectKnown(tabs: readonly Tab[], since: number): Promise<void> {
  const lastIn = (tab: Tab) =>
    tab.evaluate((key) => (JSON.parse(localStorage.getItem(key) ?? '{}') as { at?: number }).at ?? 0, KEY);
  const earliest = async () => Math.min(...(await everyTab(tabs, lastIn)));
  await expect.poll(earliest, { intervals: [20] }).toBeGreaterThanOrEqual(since);
}

/** The timers of the tab that has most. One that has written keeps a lock for a moment. */
const mostTimers = async (tabs: readonly Tab[]): Promise<number> =>
  Math.max(...(await everyTab(tabs, (tab) => tab.evaluate(() => window.timers?.size ?? NaN))));

/** Resolves when no tab writes, or keeps the lock until others can read what it wrote: that takes real time. */
async function expectWritten([tab]: readonly Tab[]): Promise<void> {
  const held = () =>
    tab!.evaluate(async (key) => (await navigator.locks.query()).held?.some(({ name }) => name === key), KEY);
  await expect.poll(held, { intervals: [50] }).toBe(false);
}

/** Four minutes of use, in every tab. The result: what the tabs sent and wrote. */
async function useForFourMinutes(tabs: readonly Tab[]) {
  await everyTab(tabs, (tab) =>
    tab.evaluate(() => {
      window.messages = 0;
      window.kept?.splice(0);
    }),
  );
  for (let n = 0; n < 8; n++) {
    await putClocksForward(tabs, MINUTE_MS / 2);
    for (const tab of tabs) await type(tab);
    await expectWritten(tabs);
  }
  const costs = await everyTab(tabs, (tab) =>
    tab.evaluate(() => ({ messages: window.messages, kept: window.kept })),
  );
  return {
    messages: costs.map(({ messages }) => messages),
    written: costs.flatMap(({ kept = [] }) => kept),
  };
}

test('activity in one tab keeps all; then one warns', { tag: '@core' }, async ({ server, newTabs }) => {
  const tabs = await newTabs(2, { ...withIdle, ...atWill });
  await signIn(tabs);
  await putClocksForward(tabs, 10 * MINUTE_MS);
  const typedAt = await tabs[1]!.evaluate(() => Date.now());
  await type(tabs[1]!);
  await expectKnown(tabs, typedAt);
  // Past the end that the sign-in alone would have.
  await putClocksForward(tabs, 10 * MINUTE_MS);
  await expectInEveryTab(tabs, { status: 'signed-in' });
  expect(await warnings(tabs)).toEqual([]);

  await putClocksForward(tabs, 4.5 * MINUTE_MS);
  await expect.poll(() => warnings(tabs)).toHaveLength(1);
  await expectInEveryTab(tabs, { status: 'signed-in' });
  await putClocksForward(tabs, MINUTE_MS);
  await expectInEveryTab(tabs, { status: 'signed-out' });
  for (const tab of tabs) expect(await get(tab)).toMatchObject({ code: 'ERR_SIGNED_OUT' });

  const [warning, ...more] = await warnings(tabs);
  expect(more).toEqual([]);
  expect(warning).toMatchObject({ reason: 'idle' });
  const laterMs = (warning?.endsAt ?? 0) - typedAt - TIMEOUT_MS;
  expect(laterMs, 'the time-out counts from the last activity').toBeGreaterThanOrEqual(0);
  expect(laterMs).toBeLessThan(MINUTE_MS);
  expectPeace(server, 0);
});

test('one write a minute, no message, and one timer', async ({ newTabs }) => {
  const tabs = await newTabs(2, { ...withIdle, ...atWill });
  await signIn(tabs);
  const { messages, written } = await useForFourMinutes(tabs);
  expect(messages).toEqual([0, 0]);
  await expect.poll(() => mostTimers(tabs)).toBeLessThanOrEqual(1);
  const at = written
    .map((line) => (JSON.parse(line.replace(`${KEY} `, '')) as { written: number }).written)
    .toSorted((a, b) => a - b);
  const gaps = at.slice(1).map((time, n) => time - at[n]!);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(MINUTE_MS);
  expect(at.length, 'other tabs hear of the use in time').toBeGreaterThanOrEqual(3);
});

test('costs nothing without the option', async ({ newTabs }) => {
  const tabs = await newTabs(2, { proactive: 'always', ...atWill });
  await signIn(tabs);
  const { messages, written } = await useForFourMinutes(tabs);
  expect(messages).toEqual([0, 0]);
  expect(written).toEqual([]);
  await expect.poll(() => mostTimers(tabs)).toBeLessThanOrEqual(1);
});

test.describe('with tokens that live for two seconds', () => {
  test.use({ serverOptions: { accessTokenTtl: 2 } });

  test('refreshes by timer are no activity', async ({ server, newTabs }) => {
    const tabs = await newTabs(2, { proactive: 'always', idle: '4000,1000' });
    await signIn(tabs);
    await expectInEveryTab(tabs, { status: 'signed-out' });
    expect(server.log.refreshes().length).toBeGreaterThan(0);
  });
});
