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

/** The same from all tabs at the same time. */
export function getTogether(
  server: LabServer,
  tabs: readonly Tab[],
): Promise<Awaited<ReturnType<typeof get>>[]> {
  return together(server, tabs, (tab) =>
    tab.evaluate(() => void (window.asked = window.lab.get({ forceRefresh: true }))),
  );
}

/** So often from each tab, when the token that all have expires. */
export async function getAtExpiry(
  server: LabServer,
  tabs: readonly Tab[],
  times: number,
): Promise<Awaited<ReturnType<Lab['getAtExpiry']>>> {
  const answers = await together<Awaited<ReturnType<Lab['getAtExpiry']>>>(server, tabs, (tab) =>
    tab.evaluate((often) => void (window.asked = window.lab.getAtExpiry(often)), times),
  );
  return answers.flat();
}

/** No tab has its answer before all have asked, however slowly the driver asks them. */
async function together<Answer>(
  server: LabServer,
  tabs: readonly Tab[],
  ask: (tab: Tab) => Promise<void>,
): Promise<Answer[]> {
  const request = server.faults.hold('before');
  await everyTab(tabs, ask);
  request.release();
  return everyTab(tabs, (tab) => tab.evaluate(() => window.asked as Promise<Answer>));
}

declare global {
  interface Window {
    asked?: Promise<unknown>;
  }
}

export function everyTab<Result>(
  tabs: readonly Tab[],
  ask: (tab: Tab) => Promise<Result>,
): Promise<Result[]> {
  return Promise.all(tabs.map(ask));
}

/** Signs in through the first tab and waits until every tab has the session. */
export async function signIn(tabs: readonly Tab[], user = 'alice'): Promise<void> {
  await tabs[0]?.evaluate((name) => window.lab.signIn(name), user);
  await expectInEveryTab(tabs, { status: 'signed-in', subject: user });
}

/** Waits until every tab's snapshot has these members. */
export async function expectInEveryTab(
  tabs: readonly Tab[],
  expected: Partial<Snapshot>,
  timeout = 5_000,
): Promise<void> {
  await lookUntil(
    () => everyTab(tabs, snapshotOf),
    (seen) => expect(seen).toEqual(tabs.map(() => expect.objectContaining(expected))),
    timeout,
  );
}

/** Waits until exactly one of these tabs shows that it leads, and names it. */
export async function expectOneLeader(tabs: readonly Tab[], timeout = 5_000): Promise<Tab> {
  const roles = await lookUntil(
    () => everyTab(tabs, async (tab) => (await snapshotOf(tab)).role),
    (seen) => expect(seen.filter((role) => role !== 'follower')).toEqual(['leader']),
    timeout,
  );
  return tabs[roles.indexOf('leader')]!;
}

/**
 * Looks again and again, until what is seen passes. The limit is for the tabs, not for the driver: what it has asked and not heard yet
 * says nothing. (Of Firefox, on a busy machine, an answer was once five seconds away; the tab had long been where it was to be.)
 */
async function lookUntil<Seen>(
  look: () => Promise<Seen>,
  check: (seen: Seen) => void,
  timeout: number,
): Promise<Seen> {
  for (const end = Date.now() + timeout; ;) {
    const seen = await look();
    try {
      check(seen);
      return seen;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** What the server must have seen: so many refreshes, every one answered with a pair, no refresh token sent twice. */
export function expectPeace(server: LabServer, refreshes: number): void {
  const requests = server.log.refreshes();
  expect(requests.map((request) => request.sent)).toEqual(requests.map(() => ({ status: 200 })));
  expect(new Set(requests.map((request) => request.spent)).size, 'no refresh token was sent twice').toBe(
    requests.length,
  );
  expect(requests.length).toBe(refreshes);
}
