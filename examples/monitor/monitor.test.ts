// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { BroadcastChannel as NodeBroadcastChannel } from 'node:worker_threads';
import type { Meter } from '@opentelemetry/api';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTokenCoordinator, RefreshConflictError, type TokenCoordinator } from 'one-refresh';
import { reportConflicts } from './beacon.js';
import { exportRefreshMetrics } from './opentelemetry.js';

vi.stubGlobal('BroadcastChannel', NodeBroadcastChannel);

let coordinator: TokenCoordinator;

beforeEach(async () => {
  const answers: (Error | object)[] = [new RefreshConflictError({ currentVersion: 2 })];
  coordinator = createTokenCoordinator({
    name: crypto.randomUUID(),
    async refresh() {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return { access_token: 'access', refresh_token: crypto.randomUUID(), expires_in: 3600 };
    },
  });
  await coordinator.setSession({ access_token: 'access', refresh_token: 'first', expires_in: 3600 });
});

afterEach(() => coordinator.close());

test('an alert goes to the backend without a token', async () => {
  const sendBeacon = vi.fn<(url: string, body: Blob) => boolean>(() => true);
  const request = (_: string, __: object, then: (lock: object | null) => unknown): unknown => then({});
  vi.stubGlobal('navigator', { sendBeacon, locks: { request } });
  const monitor = reportConflicts(coordinator, '/alerts');
  await coordinator.getAccessToken({ forceRefresh: true });

  await vi.waitFor(() => expect(sendBeacon).toHaveBeenCalledTimes(1));
  const [url, body] = sendBeacon.mock.calls[0]!;
  expect(url).toBe('/alerts');
  expect(body.type).toBe('application/json');
  monitor.close();
  vi.unstubAllGlobals();
  vi.stubGlobal('BroadcastChannel', NodeBroadcastChannel);
});

test('OpenTelemetry observes the whole origin, from the leader', async () => {
  const observed = new Map<string, number>();
  let observe: Parameters<Meter['addBatchObservableCallback']>[0] = () => {};
  const meter = {
    createObservableGauge: (name: string) => ({ name }),
    addBatchObservableCallback: (callback: typeof observe) => (observe = callback),
    removeBatchObservableCallback: () => {},
  };
  const stop = exportRefreshMetrics(coordinator, meter as unknown as Meter);
  await coordinator.getAccessToken({ forceRefresh: true });

  await vi.waitFor(async () => {
    await observe({
      observe: (gauge: unknown, value: number, attributes?: object) =>
        void observed.set(
          [(gauge as { name: string }).name, ...Object.values(attributes ?? {})].join(' '),
          value,
        ),
    });
    expect(observed.get('one_refresh.attempts')).toBe(2);
  });
  expect(observed.get('one_refresh.conflict_rate')).toBe(0.5);
  expect(observed.has('one_refresh.latency p95')).toBe(true);
  stop();
});
