export { createMonitor } from './create-monitor.js';
export type { Monitor, MonitorOptions } from './create-monitor.js';
export type { LogEntry } from './conflict-log.js';
export type { MonitorMetrics } from './metrics.js';
export type { ObservationType } from './observation.js';
