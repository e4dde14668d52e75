import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Origin, pass, watch, type Tab } from '../../test/support/tabs.js';
import type { RefreshRequest } from '../types.js';
import type { TokenResponse } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => void vi.useRealTimers());

const T = 4_000;

interface Prepared {
  readonly origin: Origin;
  readonly tab: Tab;
  readonly sent: string[];
  /** Opens another tab, whose client sends at once and is answered after two seconds. */
  readonly other: () => Tab;
}

/** A tab whose client prepares for 700 ms, in the middle of that. */
async function preparing(): Promise<Prepared> {
  const origin = new Origin();
  const sent: string[] = [];
  const client =
    (who: string, prepareMs: number, answerMs: number) =>
    async ({ refreshToken, assertSendable }: RefreshRequest): Promise<TokenResponse> => {
      await new Promise((resolve) => setTimeout(resolve, prepareMs));
      assertSendable!();
      sent.push(`${who} sends ${refreshToken}`);
      await new Promise((resolve) => setTimeout(resolve, answerMs));
      return { access_token: `by-${who}`, refresh_token: `r-${who}`, expires_in: 60 };
    };
  const open = (who: string, prepareMs: number, answerMs: number): Tab =>
    origin.open({ refresh: client(who, prepareMs, answerMs), refreshTimeoutMs: T, proactive: 'never' });
  const tab = open('A', 700, 100);
  const other = (): Tab => open('B', 0, 2_000);
  void tab.setSession({ access_token: 'a1', refresh_token: 'r1', expires_in: 60 });
  await pass(50);
  void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
  await pass(300);
  return { origin, tab, sent, other };
}

describe('a client that prepares its request', () => {
  test('sends when nothing has happened', async () => {
    const { sent } = await preparing();
    await pass(1_000);
    expect(sent).toEqual(['A sends r1']);
  });

  test('does not send after the back/forward cache', async () => {
    const { origin, tab, sent, other } = await preparing();
    const second = other();
    await pass(50);
    tab.lifecycle('leave');
    await pass(10);
    const call = watch(second.getAccessToken({ forceRefresh: true }));
    await pass(100);
    tab.lifecycle('return');
    await pass(3_000);
    expect(sent).toEqual(['B sends r1']);
    expect(call.outcome()).toBe('by-B');
    expect(origin.record).toMatchObject({ version: 2, refreshToken: 'r-B' });
  });

  test.each([
    ['is frozen', ({ tab }: Prepared) => tab.lifecycle('freeze')],
    ['is closed', ({ tab }: Prepared) => void tab.close()],
    ['is signed out', ({ tab }: Prepared) => void tab.signOut()],
    [
      'signs in anew',
      ({ tab }: Prepared) => void tab.setSession({ access_token: 'n', refresh_token: 'rn', expires_in: 60 }),
    ],
    ['is late by the wall clock', () => void vi.setSystemTime(Date.now() + T)],
  ])('does not send when its tab %s', async (_, happens) => {
    const world = await preparing();
    happens(world);
    await pass(1_500);
    expect(world.sent).toEqual([]);
  });

  test('notes an attempt that was not sent as unspent', async () => {
    const { origin, tab } = await preparing();
    tab.lifecycle('freeze');
    await pass(1_000);
    expect(origin.record?.journal).toMatchObject({ attempt: 1, failure: { unspent: true } });
  });

  test('keeps the doubt once a request may have left', async () => {
    const origin = new Origin();
    const refresh = async ({ assertSendable }: RefreshRequest): Promise<TokenResponse> => {
      assertSendable!();
      await new Promise((resolve) => setTimeout(resolve, 100));
      assertSendable!();
      throw new Error('unreachable');
    };
    const tab = origin.open({ refresh, refreshTimeoutMs: T, proactive: 'never' });
    void tab.setSession({ access_token: 'a1', refresh_token: 'r1', expires_in: 60 });
    await pass(50);
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(50);
    tab.lifecycle('freeze');
    await pass(1_000);
    expect(origin.record?.journal?.failure).toBeUndefined();
  });
});
