import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Origin, pass, watch, type Tab } from '../../test/support/tabs.js';
import { attemptLock } from './record.js';
import type { TokenResponse } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => void vi.useRealTimers());

/** A tab whose access token is over; a refresh gives `a2`. */
async function openExpired(origin: Origin): Promise<Tab> {
  const refresh = async (): Promise<TokenResponse> => ({
    access_token: 'a2',
    refresh_token: 'r2',
    expires_in: 300,
  });
  const tab = origin.open({ refresh, proactive: 'never' });
  void tab.setSession({ access_token: 'a1', refresh_token: 'r1', expires_in: 10 });
  await pass(11_000);
  return tab;
}

/** Two tabs; the first one hangs with the refresh lock, its request sent. */
async function behindHungHolder(options: object = {}): Promise<{ origin: Origin; other: Tab }> {
  const origin = new Origin();
  let requests = 0;
  const refresh = (): Promise<TokenResponse> => {
    if (++requests > 1) return Promise.resolve({ access_token: 'a2', refresh_token: 'r2', expires_in: 300 });
    hung.hang();
    return new Promise(() => {});
  };
  const hung: Tab = origin.open({ refresh, proactive: 'never', ...options });
  const other = origin.open({ refresh, proactive: 'never', ...options });
  void hung.setSession({ access_token: 'a1', refresh_token: 'r1', expires_in: 10 });
  await pass(11_000);
  void hung.getAccessToken();
  await pass(500);
  return { origin, other };
}

describe('behind a holder that hangs', () => {
  test.each([30_000, 10_000, 2_000])('one call by default limits is served: T = %i', async (T) => {
    const { other } = await behindHungHolder({ refreshTimeoutMs: T });
    const call = watch(other.getAccessToken());
    await pass(T + Math.min(T, 5_000) + 5_000);
    expect(call.outcome()).toBe('a2');
    expect(other.events.filter(({ type }) => type === 'takeover')).toHaveLength(1);
  });

  test('callers with little patience are served in the end', async () => {
    const { other } = await behindHungHolder();
    const outcomes: unknown[] = [];
    for (let n = 0; n < 8; n++) {
      const call = watch(other.getAccessToken({ timeoutMs: 5_000 }));
      await pass(6_000);
      outcomes.push(call.outcome());
    }
    expect(outcomes).toEqual([...Array<string>(7).fill('ERR_TIMEOUT'), 'a2']);
  });

  test('callers of a fifth of a second are served finally', async () => {
    const { other } = await behindHungHolder({ refreshTimeoutMs: 1_000 });
    let served = 0;
    for (let n = 0; n < 20; n++) {
      const call = watch(other.getAccessToken({ timeoutMs: 200 }));
      await pass(250);
      served += Number(call.outcome() === 'a2');
    }
    expect(served).toBeGreaterThan(5);
  });

  test('a sign of life starts the wait anew', async () => {
    const { origin, other } = await behindHungHolder();
    const first = watch(other.getAccessToken({ timeoutMs: 30_000 }));
    await pass(30_001);
    expect(first.outcome()).toBe('ERR_TIMEOUT');
    origin.record = { ...origin.record!, term: origin.record!.term + 1 };
    void other.getAccessToken({ timeoutMs: 10_000 }).catch(() => {});
    await pass(10_000);
    expect(other.events.filter(({ type }) => type === 'takeover')).toHaveLength(0);
  });
});

//     A  both locks ░░░░ stands still, without a journal ░░░░░░░░░░░░░░░░░░
//     B    call ─ waits for A's attempt lock, T/2 ─ gives up       call ─ T/2 ─▶ sends
//     C                                                 elected ─▶ the term moves
test('elections of others do not restart a wait', async () => {
  const origin = new Origin();
  const tab = await openExpired(origin);
  origin.hold(attemptLock(origin.record!));
  const first = watch(tab.getAccessToken({ timeoutMs: 15_000 }));
  await pass(15_001);
  expect(first.outcome()).toBe('ERR_TIMEOUT');
  origin.record = { ...origin.record!, term: origin.record!.term + 1, leader: 'another' };
  tab.lifecycle('visible');
  await pass(10);
  const second = watch(tab.getAccessToken({ timeoutMs: 20_000 }));
  await pass(14_000);
  expect(second.outcome()).toBe('pending');
  await pass(2_000);
  expect(second.outcome()).toBe('a2');
});

describe('locks out of specification', () => {
  test("locks that are never answered end in the journal's rules", async () => {
    const origin = new Origin();
    origin.locksSilent = true;
    let requests = 0;
    const refresh = async (): Promise<TokenResponse> => ({
      access_token: `a${++requests + 1}`,
      refresh_token: 'r2',
      expires_in: 300,
    });
    const [one, two] = [origin.open({ refresh }), origin.open({ refresh })];
    void one.setSession({ access_token: 'a1', refresh_token: 'r1', expires_in: 10 });
    await pass(11_000);
    await pass(45_000);
    const calls = [one, two].map((tab) => watch(tab.getAccessToken()));
    await pass(60_000);
    expect(calls.map(({ outcome }) => outcome())).toEqual(['a2', 'a2']);
    expect(requests).toBe(1);
  });

  test('that are refused altogether cost one request each', async () => {
    const origin = new Origin();
    origin.locksFail = true;
    const tab = await openExpired(origin);
    const call = watch(tab.getAccessToken());
    await pass(2_000);
    expect(call.outcome()).toBe('a2');
    expect(origin.locksAsked).toBeLessThan(5);
  });
});
