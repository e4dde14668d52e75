// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { BroadcastChannel as NodeBroadcastChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createTokenCoordinator,
  RefreshConflictError,
  RefreshRejectedError,
  RefreshUnavailableError,
  type RefreshFunction,
  type TokenCoordinator,
} from 'one-refresh';
import { createMonitor, type MonitorMetrics, type MonitorOptions } from 'one-refresh/monitor';
import { patiently } from './support/patiently.js';

vi.stubGlobal('BroadcastChannel', NodeBroadcastChannel);

let name = '';
const open: { close: () => unknown }[] = [];

beforeEach(() => {
  name = crypto.randomUUID();
});

afterEach(() => {
  for (const one of open.splice(0)) void one.close();
});

const tokens = (n: number) => ({
  access_token: `access ${n}`,
  refresh_token: `refresh ${n}`,
  expires_in: 3600,
});

/** A refresh function that does these things in turn, and then succeeds. */
function script(...steps: (Error | number)[]): RefreshFunction {
  let n = 1;
  return async () => {
    const step = steps.shift() ?? 0;
    if (step instanceof Error) throw step;
    await new Promise((resolve) => setTimeout(resolve, step));
    return tokens(++n);
  };
}

function participant(refresh: RefreshFunction): TokenCoordinator {
  const coordinator = createTokenCoordinator({ name, refresh, proactive: 'never' });
  open.push(coordinator);
  return coordinator;
}

function monitor(coordinator: TokenCoordinator, options?: MonitorOptions) {
  const one = createMonitor(coordinator, options);
  open.push(one);
  return one;
}

const refreshed = (coordinator: TokenCoordinator) =>
  coordinator.getAccessToken({ forceRefresh: true }).catch((error: unknown) => error);

describe('a monitor in one tab', () => {
  test('sees what another participant does, once', async () => {
    const watching = participant(script());
    const acting = participant(script(20, 20, 20));
    const { getMetrics } = monitor(watching);
    await acting.setSession(tokens(1));
    for (let i = 0; i < 3; i++) await refreshed(acting);

    await expect.poll(getMetrics).toMatchObject({ attempts: 3, successes: 3, conflicts: 0, conflictRate: 0 });
    const { latency, since } = getMetrics();
    expect(latency.p50).toBeGreaterThanOrEqual(18);
    expect(latency.p99).toBeGreaterThanOrEqual(Number(latency.p50));
    expect(since).toBeLessThanOrEqual(Date.now());
    expect(getMetrics(), 'the same object until something changes').toBe(getMetrics());
  });

  test('without a channel counts a lost session all the same', async () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    try {
      const alone = participant(script(new RefreshRejectedError({ error: 'invalid_grant' })));
      const { getMetrics } = monitor(alone);
      await alone.setSession(tokens(1));
      await refreshed(alone);
      expect(getMetrics()).toMatchObject({ conflicts: 1, sessionsLost: 1 });
    } finally {
      vi.stubGlobal('BroadcastChannel', NodeBroadcastChannel);
    }
  });

  test('one in another tab counts the same', async () => {
    const one = participant(script());
    const other = participant(script(new RefreshConflictError({ currentVersion: 2 })));
    const monitors = [one, other, other].map((coordinator) => monitor(coordinator));
    await other.setSession(tokens(1));
    await refreshed(other);

    for (const { getMetrics } of monitors) {
      await expect
        .poll(getMetrics, { timeout: 5_000 })
        .toMatchObject({ attempts: 2, conflicts: 1, conflictRate: 0.5, successes: 1 });
    }
    expect(await monitors[0]!.exportLog(), 'three monitors wrote one log').toHaveLength(2);
  });

  test('tells a recovery from doubt', async () => {
    const watching = participant(script());
    const acting = participant(script(new RefreshUnavailableError({ status: 502 })));
    const { getMetrics } = monitor(watching);
    await acting.setSession(tokens(1));
    await refreshed(acting);
    await refreshed(acting);
    await expect
      .poll(getMetrics, { timeout: 5_000 })
      .toMatchObject({ inDoubt: 1, inDoubtRecoveries: 1, failures: 1 });
  });

  test('tells a lost session, and who took the lead', async () => {
    const watching = participant(script());
    const acting = participant(script(0, new RefreshRejectedError({ error: 'invalid_grant' })));
    const { getMetrics, exportLog } = monitor(watching);
    await watching.setSession(tokens(1));
    await patiently(() => expect(acting.getSnapshot().status).toBe('signed-in'));
    await refreshed(acting);
    await expect.poll(getMetrics).toMatchObject({ failovers: 1 });
    await refreshed(acting);
    await expect.poll(getMetrics).toMatchObject({ failovers: 1, sessionsLost: 1, conflicts: 1, attempts: 2 });
    const log = await exportLog();
    expect(log.map(({ type }) => type).sort()).toEqual(['conflict', 'failover', 'session-lost']);
    expect(log.find(({ type }) => type === 'conflict')).toMatchObject({
      reason: 'invalid_grant',
      attempt: 1,
    });
    expect(JSON.stringify(log)).not.toMatch(/access|refresh \d/);
    expect(JSON.stringify(log), 'nor a whole session name').not.toContain(acting.getSnapshot().sessionId);
  });
});

test('an alert comes at the threshold, once per rise', async () => {
  const conflict = () => new RefreshConflictError({});
  const acting = participant(script(0, conflict(), 0, 0, 0, conflict(), 0));
  const onAlert = vi.fn<(metrics: MonitorMetrics) => void>();
  const { getMetrics } = monitor(acting, { conflictRateThreshold: 0.25, onAlert });
  await acting.setSession(tokens(1));
  await refreshed(acting);
  await expect.poll(() => getMetrics().attempts).toBe(1);
  expect(onAlert).not.toHaveBeenCalled();

  await refreshed(acting);
  await expect.poll(() => getMetrics().attempts, { timeout: 5_000 }).toBe(3);
  expect(onAlert).toHaveBeenCalledTimes(1);
  expect(onAlert.mock.calls[0]![0]).toMatchObject({ conflicts: 1 });

  await refreshed(acting);
  await refreshed(acting);
  await expect.poll(() => getMetrics().conflictRate).toBe(0.2);
  await refreshed(acting);
  await expect.poll(() => getMetrics().attempts, { timeout: 5_000 }).toBe(7);
  expect(onAlert).toHaveBeenCalledTimes(2);
});

test('an alert comes anew when the window passed', async () => {
  const acting = participant(script(new RefreshConflictError({}), 0, new RefreshConflictError({}), 0));
  const onAlert = vi.fn<(metrics: MonitorMetrics) => void>();
  const { getMetrics } = monitor(acting, { windowMs: 1_500, conflictRateThreshold: 0.25, onAlert });
  await acting.setSession(tokens(1));
  await refreshed(acting);
  await expect.poll(() => onAlert.mock.calls.length).toBe(1);
  await expect.poll(() => getMetrics().attempts, { timeout: 5_000 }).toBe(0);
  await refreshed(acting);
  await expect.poll(() => onAlert.mock.calls.length).toBe(2);
});

test('a loss that several participants tell of is one', async () => {
  const channel = new NodeBroadcastChannel(`one-refresh:${name}`);
  open.push(channel);
  const { getMetrics } = monitor(participant(script()));
  const position = { sessionId: 's', version: 1, term: 1, ended: { kind: 'reauth-required' } };
  const message = { protocol: 1, type: 'reauth-required', ...position };
  for (const from of ['x', 'y', 'z']) channel.postMessage({ ...message, from });
  channel.postMessage({ ...message, from: 'x', version: 2 });
  await expect.poll(() => getMetrics().sessionsLost).toBe(2);
});

test('the log is what this tab heard without a database', async () => {
  const channel = new NodeBroadcastChannel(`one-refresh:${name}`);
  open.push(channel);
  const acting = participant(script());
  vi.spyOn(indexedDB, 'open').mockImplementation(() => ({}) as IDBOpenDBRequest);
  const { getMetrics, exportLog } = monitor(acting);
  const event = { type: 'conflict', at: Date.now(), sessionId: 's', version: 1, attempt: 1 };
  const message = { protocol: 1, from: 'x', type: 'leader-pong', sessionId: 's', version: 1, term: 1 };
  channel.postMessage({ ...message, events: [event] });
  await expect.poll(() => getMetrics().conflicts).toBe(1);
  expect(await exportLog()).toHaveLength(1);
  vi.restoreAllMocks();
});

test('without a channel the monitor sees its own tab', async () => {
  const acting = participant(script(0));
  vi.stubGlobal('BroadcastChannel', function () {
    throw new DOMException('opaque', 'SecurityError');
  });
  const { getMetrics } = monitor(acting);
  await acting.setSession(tokens(1));
  await refreshed(acting);
  expect(getMetrics()).toMatchObject({ attempts: 1, successes: 1 });
  vi.stubGlobal('BroadcastChannel', NodeBroadcastChannel);
});

test('events older than the window do not count', async () => {
  const acting = participant(script());
  const { getMetrics } = monitor(acting, { windowMs: 300 });
  await acting.setSession(tokens(1));
  await refreshed(acting);
  await expect.poll(() => getMetrics().attempts).toBe(1);
  await expect.poll(() => getMetrics().attempts, { timeout: 2_000 }).toBe(0);
});

test('the log outlives its monitor, and stays within its bounds', async () => {
  const channel = new NodeBroadcastChannel(`one-refresh:${name}`);
  open.push(channel);
  const acting = participant(script());
  const first = monitor(acting);
  const at = Date.now();
  const event = (n: number) => ({
    type: 'conflict',
    at: at + n,
    sessionId: 's',
    version: n,
    attempt: 1,
    reason: 'invalid_grant',
  });
  const message = { protocol: 1, from: 'x', type: 'leader-pong', sessionId: 's', version: 1, term: 1 };
  for (let n = 0; n < 6; n++) {
    channel.postMessage({ ...message, events: Array.from({ length: 100 }, (_, i) => event(n * 100 + i)) });
  }
  await expect.poll(() => first.getMetrics().conflicts).toBe(600);
  const log = await first.exportLog();
  expect(log).toHaveLength(500);
  expect(log.at(-1)).toMatchObject({ version: 599 });
  first.close();
  expect(await monitor(acting).exportLog()).toEqual(log);
});

test('foreign messages change nothing', async () => {
  const channel = new NodeBroadcastChannel(`one-refresh:${name}`);
  open.push(channel);
  const { getMetrics, subscribe, close } = monitor(participant(script()));
  const listener = vi.fn<() => void>();
  subscribe(listener);
  const message = { protocol: 1, from: 'x', type: 'leader-pong', sessionId: 's', version: 1, term: 1 };
  const good = { type: 'conflict', at: Date.now(), sessionId: 's', version: 1, attempt: 1 };
  channel.postMessage('hello');
  for (const events of [
    1,
    [null],
    [{ ...good, at: 'now' }],
    [{ ...good, attempt: undefined }],
    [{ ...good, type: 'made-up' }],
    [{ ...good, type: 'refresh-succeeded', attempt: 2 ** 33 }],
  ]) {
    channel.postMessage({ ...message, events });
  }
  channel.postMessage({ ...message, events: [good] });
  await expect.poll(() => getMetrics().conflicts).toBe(1);
  expect(listener).toHaveBeenCalledTimes(1);

  close();
  channel.postMessage({ ...message, events: [{ ...good, version: 2 }] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(getMetrics().conflicts).toBe(1);
});

test('options that cannot work are refused with a sentence', () => {
  const coordinator = participant(script());
  for (const options of [
    { windowMs: 0 },
    { conflictRateThreshold: 0 },
    { conflictRateThreshold: 2 },
    { onAlert: 'mail' },
  ]) {
    expect(() => createMonitor(coordinator, options as MonitorOptions)).toThrowError(
      expect.objectContaining({
        code: 'ERR_CONFIGURATION',
        message: expect.stringContaining(Object.keys(options)[0]!),
      }),
    );
  }
});
