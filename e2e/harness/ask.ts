// The questions that most tests ask their tabs, in one place.
import { expect } from '@playwright/test';
import type { LabServer, Tab } from '../fixtures.js';

export type Lab = Window['lab'];
type Snapshot = ReturnType<Lab['coordinator']['getSnapshot']>;
type TokenRequestOptions = Parameters<Lab['get']>[0];

export function snapshotOf(tab: Tab): Promise<Omit<Snapshot, 'error'>> {
  return tab.evaluate(() => {
    const { error: _error, ...snapshot } = window.lab.coordinator.getSnapshot();
    return snapshot;
  });
}

/** One access token, told by its claims, or the reason why there is none. */
export function get(tab: Tab, options: TokenRequestOptions = {}) {
  return tab.evaluate((request) => window.lab.get(request), options);
}

/** Two calls in the same task: the second cannot come after the answer to the first. */
export function getTwice(tab: Tab) {
  return tab.evaluate(() =>
    Promise.all([window.lab.get({ forceRefresh: true }), window.lab.get({ forceRefresh: true })]),
  );
}

/** Resolves when every tab has called; the function it gives waits for their answers. */
export async function startGet(
  tabs: readonly Tab[],
  options: TokenRequestOptions = { forceRefresh: true },
): Promise<() => Promise<Awaited<ReturnType<typeof get>>[]>> {
  await everyTab(tabs, (tab) =>
    tab.evaluate((request) => void (window.asked = window.lab.get(request)), options),
  );
  return () =>
    everyTab(tabs, (tab) => tab.evaluate(() => window.asked as Promise<Awaited<ReturnType<typeof get>>>));
}

/** Every tab wants a newer token at the same time. One request serves them all. */
export async function getTogether(
  server: LabServer,
  tabs: readonly Tab[],
  options?: TokenRequestOptions,
): Promise<Awaited<ReturnType<typeof get>>[]> {
  // A tab that called after the answer would rightly ask for a newer one: so the answer waits until all have called.
  const request = server.faults.hold('before');
  const answers = await startGet(tabs, { ...options, forceRefresh: true });
  request.release();
  return answers();
}

/**
 * Each tab in turn wants a newer token; resolves when all tabs have the last one. Each tab first hears of the version before: it would
 * rightly be served by that one if it had not heard of it when it called.
 */
export async function getInTurn(tabs: readonly Tab[]): Promise<Awaited<ReturnType<typeof get>>[]> {
  const answers: Awaited<ReturnType<typeof get>>[] = [];
  for (const tab of tabs) {
    answers.push(await get(tab, { forceRefresh: true }));
    const { sessionId, version } = await snapshotOf(tab);
    await expectInEveryTab(tabs, { sessionId, version });
  }
  return answers;
}

/** So often from each tab, when the token that all have expires. The answer waits until every tab has called. */
export async function getAtExpiry(
  server: LabServer,
  tabs: readonly Tab[],
  times: number,
): Promise<Awaited<ReturnType<Lab['getAtExpiry']>>> {
  const request = server.faults.hold('before');
  await everyTab(tabs, (tab) =>
    tab.evaluate((often) => {
      const called = window.lab.callAtExpiry(often);
      // Not the promise of the answers itself: that would be waited for as well.
      window.called = called.then((answers) => void (window.asked = answers()));
    }, times),
  );
  await everyTab(tabs, (tab) => tab.evaluate(() => window.called));
  request.release();
  const answers = await everyTab(tabs, (tab) =>
    tab.evaluate(() => window.asked as ReturnType<Lab['getAtExpiry']>),
  );
  return answers.flat();
}

declare global {
  interface Window {
    asked?: Promise<unknown>;
    /** Resolves when the calls behind `asked` have begun. */
    called?: Promise<void>;
  }
}

export function everyTab<Result>(
  tabs: readonly Tab[],
  ask: (tab: Tab) => Promise<Result>,
): Promise<Result[]> {
  return Promise.all(tabs.map(ask));
}

/** In tabs that were opened with `before('clock')`. */
export async function putClocksForward(tabs: readonly Tab[], ms: number): Promise<void> {
  await everyTab(tabs, (tab) => tab.evaluate((by) => void window.putClockForward?.(by), ms));
}

/** Signs in through the first tab and waits until every tab has the session. */
export async function signIn(tabs: readonly Tab[], user = 'alice'): Promise<void> {
  await tabs[0]?.evaluate((name) => window.lab.signIn(name), user);
  await expectInEveryTab(tabs, { status: 'signed-in', subject: user });
}

/** Waits until every tab's snapshot has these members. */
export async function expectInEveryTab(tabs: readonly Tab[], expected: Partial<Snapshot>): Promise<void> {
  await expect
    .poll(() => everyTab(tabs, snapshotOf), { intervals: [20] })
    .toEqual(tabs.map(() => expect.objectContaining(expected)));
}

/** Waits until exactly one of these tabs shows that it leads, and names it. */
export async function expectOneLeader(tabs: readonly Tab[]): Promise<Tab> {
  let roles: string[] = [];
  const leaders = async () => {
    roles = await everyTab(tabs, async (tab) => (await snapshotOf(tab)).role);
    return roles.filter((role) => role !== 'follower');
  };
  await expect.poll(leaders, { intervals: [20] }).toEqual(['leader']);
  return tabs[roles.indexOf('leader')]!;
}

/** Requests that the server must have seen: so many refreshes, every one answered with a pair, no refresh token sent twice. */
export function expectPeace(server: LabServer, refreshes: number): void {
  const requests = server.log.refreshes();
  expect(requests.map((request) => request.sent)).toEqual(requests.map(() => ({ status: 200 })));
  expect(new Set(requests.map((request) => request.spent)).size, 'no refresh token was sent twice').toBe(
    requests.length,
  );
  expect(requests.length).toBe(refreshes);
}
