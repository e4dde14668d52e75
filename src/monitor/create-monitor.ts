import type { CoordinatorEvent, EventType } from '../core/types.js';
import { TokenCoordinatorError } from '../core/errors.js';
import type { TokenCoordinator } from '../types.js';
import { conflictLog, type LogEntry } from './conflict-log.js';
import { addUp, type MonitorMetrics } from './metrics.js';
import { createReader, readEvents, sessionLost, type Observation } from './observation.js';

/** Options of `createMonitor`. */
export interface MonitorOptions {
  /** How far back the metrics look, milliseconds; default 300_000. */
  readonly windowMs?: number | undefined;
  /** The conflict rate from which on `onAlert` is called, above 0 and up to 1; default 0.003, the best rate that was ever published. */
  readonly conflictRateThreshold?: number | undefined;
  /** Called when the rate reaches the threshold, and again only after it was below. Every tab with a monitor is told. Default: nothing is called. */
  readonly onAlert?: ((metrics: MonitorMetrics) => void) | undefined;
}

/** The result of `createMonitor`. Every method can be destructured. */
export interface Monitor {
  /** Frozen; the same object until something changes or leaves the window. */
  readonly getMetrics: () => MonitorMetrics;
  /** Calls `listener` after everything that was observed. Returns how to stop. */
  readonly subscribe: (listener: () => void) => () => void;
  /** The conflict log of the origin, oldest first, ready for JSON: at most 500 entries, kept across reloads. Never rejects. */
  readonly exportLog: () => Promise<LogEntry[]>;
  /** Stops listening; idempotent. The coordinator and the log stay. */
  readonly close: () => void;
}

/** A window in which more happens than that is judged by its end. */
const LIMIT = 10_000;

/**
 * Watches the refreshes of the whole origin from one tab: every participant's messages carry what it saw of its own token
 * requests, so nothing depends on which tab the monitor lives in, and several monitors count the same. Sends nothing, and keeps
 * no timer. Where the browser has no BroadcastChannel, it sees its own tab only.
 *
 * @param coordinator - any coordinator of the login to watch
 * @param options - window, threshold and what to do when it is reached
 * @throws `ERR_CONFIGURATION` if `coordinator` is none, or an option is not usable
 * @example
 * createMonitor(coordinator, { onAlert: ({ conflictRate }) => report('refresh conflicts', conflictRate) })
 */
export function createMonitor(coordinator: TokenCoordinator, options: MonitorOptions = {}): Monitor {
  const { windowMs = 300_000, conflictRateThreshold = 0.003, onAlert } = Object(options) as MonitorOptions;
  check('coordinator', typeof Object(coordinator).on === 'function', 'what createTokenCoordinator() returns');
  check('windowMs', typeof windowMs === 'number' && windowMs > 0, 'a number of milliseconds above 0');
  check(
    'conflictRateThreshold',
    typeof conflictRateThreshold === 'number' && conflictRateThreshold > 0 && conflictRateThreshold <= 1,
    'above 0 and up to 1',
  );
  check('onAlert', ['undefined', 'function'].includes(typeof onAlert), 'a function');

  const { name, on } = coordinator;
  const startedAt = Date.now();
  const log = conflictLog(name);
  const subscribers = new Set<() => void>();
  const read = createReader();
  let seen: readonly Observation[] = [];
  let metrics: MonitorMetrics | undefined;
  let alerted = false;

  function getMetrics(): MonitorMetrics {
    const start = Date.now() - windowMs;
    const inside = seen.filter(({ at }) => at > start).slice(-LIMIT);
    if (metrics && inside.length === seen.length) return metrics;
    seen = inside;
    return (metrics = addUp(seen, Math.max(start, startedAt)));
  }

  function take(observations: readonly Observation[]): void {
    if (observations.length === 0) return;
    // The window may have passed since.
    alerted &&= getMetrics().conflictRate >= conflictRateThreshold;
    seen = [...seen, ...observations];
    metrics = undefined;
    log.add(observations);
    const now = getMetrics();
    const tooMany = now.conflictRate >= conflictRateThreshold;
    const alert = tooMany && !alerted;
    alerted = tooMany;
    // Of a copy: one may leave and come back meanwhile.
    for (const subscriber of Array.from(subscribers)) guarded(subscriber);
    if (alert) guarded(() => onAlert?.(now));
  }

  const stop = name === '' ? () => {} : listen(name, on, take, read);
  return {
    getMetrics,
    subscribe(listener) {
      check('listener', typeof listener === 'function', 'a function');
      const subscriber = (): void => listener();
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },
    exportLog: log.read,
    close: stop,
  };
}

function listen(
  name: string,
  on: TokenCoordinator['on'],
  take: (observations: readonly Observation[]) => void,
  read: ReturnType<typeof createReader>,
): () => void {
  if (typeof BroadcastChannel === 'undefined') return listenToOwn(on, take);
  let channel: BroadcastChannel | undefined;
  let stopOwn: (() => void) | undefined;
  const close = (): void => {
    channel?.close();
    channel = undefined;
    stopOwn?.();
    stopOwn = undefined;
  };
  // The coordinator's own channel: a second object of that name hears this tab as well as the others.
  const open = (): void => {
    close();
    try {
      channel = new BroadcastChannel(`one-refresh:${name}`);
    } catch {
      // An opaque origin: there is nobody else to hear.
      stopOwn = listenToOwn(on, take);
      return;
    }
    channel.onmessage = ({ data }) => take(read(data, Date.now()));
    (channel as { unref?(): void }).unref?.();
  };
  open();
  // A message to a page in the back/forward cache would evict it.
  globalThis.addEventListener?.('pagehide', close);
  globalThis.addEventListener?.('pageshow', open);
  return () => {
    globalThis.removeEventListener?.('pagehide', close);
    globalThis.removeEventListener?.('pageshow', open);
    close();
  };
}

/** This tab's own token requests, and the loss of its session. */
function listenToOwn(
  on: TokenCoordinator['on'],
  take: (observations: readonly Observation[]) => void,
): () => void {
  const types: EventType[] = [
    'refresh-started',
    'refresh-succeeded',
    'refresh-failed',
    'conflict',
    'in-doubt',
  ];
  const stops = types.map((type) => on(type, (event) => take(readEvents([event]))));
  const lost = ({ at, sessionId = '', version = 0, reason }: CoordinatorEvent): void =>
    take([sessionLost({ at, sessionId, version }, reason)]);
  stops.push(on('reauth-required', lost));
  return () => stops.forEach((stop) => stop());
}

function check(
  option: keyof MonitorOptions | 'coordinator' | 'listener',
  sound: boolean,
  expected: string,
): void {
  if (!sound)
    throw new TokenCoordinatorError('ERR_CONFIGURATION', `createMonitor: \`${option}\` must be ${expected}`);
}

/** A listener's fault is its own: reported as uncaught, it stops nobody else. */
function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
