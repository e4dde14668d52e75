/**
 * An alert to your own backend as soon as too many refreshes conflict, and the conflict log for support. `sendBeacon` outlives the page, is
 * never waited for, and carries no token: there is none in metrics and log.
 */
import type { TokenCoordinator } from 'one-refresh';
import { createMonitor, type Monitor } from 'one-refresh/monitor';

export function reportConflicts(coordinator: TokenCoordinator, url: string): Monitor {
  const monitor = createMonitor(coordinator, {
    windowMs: 10 * 60_000,
    conflictRateThreshold: 0.003,
    onAlert(metrics) {
      // Every tab is told at the same time; the first tells the backend. (Not the leader: after a loss there may be none for a moment.)
      void navigator.locks.request(
        `conflict-alert:${coordinator.name}`,
        { ifAvailable: true },
        async (lock) => {
          if (lock) await send(metrics);
        },
      );
    },
  });

  async function send(metrics: object): Promise<void> {
    const log = await monitor.exportLog();
    const body = JSON.stringify({ metrics, log: log.slice(-50) });
    navigator.sendBeacon(url, new Blob([body], { type: 'application/json' }));
  }
  return monitor;
}
