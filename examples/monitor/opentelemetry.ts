/**
 * Refresh metrics as OpenTelemetry instruments. Observed when your exporter asks, so nothing runs in between; the exporter and its
 * MeterProvider are your application's own.
 */
import { metrics, type Meter } from '@opentelemetry/api';
import type { TokenCoordinator } from 'one-refresh';
import { createMonitor } from 'one-refresh/monitor';

export function exportRefreshMetrics(
  coordinator: TokenCoordinator,
  meter: Meter = metrics.getMeter('one-refresh'),
): () => void {
  const monitor = createMonitor(coordinator, { windowMs: 5 * 60_000 });

  const gauges = {
    attempts: meter.createObservableGauge('one_refresh.attempts', { unit: '{request}' }),
    conflictRate: meter.createObservableGauge('one_refresh.conflict_rate', { unit: '1' }),
    failovers: meter.createObservableGauge('one_refresh.failovers', { unit: '{failover}' }),
    inDoubtRecoveries: meter.createObservableGauge('one_refresh.in_doubt_recoveries', { unit: '{recovery}' }),
    sessionsLost: meter.createObservableGauge('one_refresh.sessions_lost', { unit: '{session}' }),
  };
  const latency = meter.createObservableGauge('one_refresh.latency', { unit: 'ms' });

  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    // Every tab counts the whole origin: one of them speaks, or the backend would add them up.
    if (coordinator.getSnapshot().role !== 'leader') return;
    const seen = monitor.getMetrics();
    for (const name of Object.keys(gauges) as (keyof typeof gauges)[])
      result.observe(gauges[name], seen[name]);
    for (const [percentile, ms] of Object.entries(seen.latency)) {
      if (ms !== undefined) result.observe(latency, ms, { percentile });
    }
  };
  const instruments = [...Object.values(gauges), latency];
  meter.addBatchObservableCallback(observe, instruments);

  return () => {
    meter.removeBatchObservableCallback(observe, instruments);
    monitor.close();
  };
}
