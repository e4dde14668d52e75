// Counts what a page does: each function of the platform is replaced by one that counts and calls it.

export interface Counts {
  messages: number;
  messageBytes: number;
  /** Writes to localStorage reach every tab of the origin, as messages do. */
  storageWrites: number;
  storageWriteBytes: number;
  storageReads: number;
  databaseOperations: number;
  lockRequests: number;
  requests: number;
  timersFired: number;
}

export const counts: Counts = {
  messages: 0,
  messageBytes: 0,
  storageWrites: 0,
  storageWriteBytes: 0,
  storageReads: 0,
  databaseOperations: 0,
  lockRequests: 0,
  requests: 0,
  timersFired: 0,
};
/** Timers that will fire. */
export const armed = new Set<unknown>();

type Method = (this: unknown, ...args: unknown[]) => unknown;

function before(target: object, names: readonly string[], count: (args: unknown[]) => void): void {
  const methods = target as Record<string, Method>;
  for (const name of names) {
    const original = methods[name]!;
    methods[name] = function (...args) {
      count(args);
      return original.apply(this, args);
    };
  }
}

export function installCounters(): void {
  before(BroadcastChannel.prototype, ['postMessage'], ([message]) => {
    counts.messages++;
    counts.messageBytes += JSON.stringify(message).length;
  });
  before(LockManager.prototype, ['request', 'query'], () => counts.lockRequests++);
  before(IDBFactory.prototype, ['open'], () => counts.databaseOperations++);
  before(
    IDBObjectStore.prototype,
    ['get', 'getAll', 'getAllKeys', 'put', 'add', 'delete', 'openCursor'],
    () => {
      counts.databaseOperations++;
    },
  );
  before(window, ['fetch'], () => counts.requests++);
  before(XMLHttpRequest.prototype, ['send'], () => counts.requests++);
  countTimers();
  countStorage();
}

function countTimers(): void {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = window;
  window.setTimeout = ((callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer = setTimeout(() => {
      counts.timersFired++;
      armed.delete(timer);
      callback(...args);
    }, ms);
    armed.add(timer);
    return timer;
  }) as typeof window.setTimeout;
  window.setInterval = ((callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer = setInterval(() => {
      counts.timersFired++;
      callback(...args);
    }, ms);
    armed.add(timer);
    return timer;
  }) as typeof window.setInterval;
  window.clearTimeout = (timer) => (armed.delete(timer), clearTimeout(timer));
  window.clearInterval = (timer) => (armed.delete(timer), clearInterval(timer));
}

/** One of the peers uses localStorage's items as properties, which only a proxy sees. */
function countStorage(): void {
  const real = localStorage;
  const wrote = (key: string, value: string): void => {
    counts.storageWrites++;
    counts.storageWriteBytes += key.length + value.length;
  };
  const methods: Record<string, (key: string, value: string) => unknown> = {
    getItem: (key) => (counts.storageReads++, real.getItem(key)),
    setItem: (key, value) => (wrote(key, value), real.setItem(key, value)),
    removeItem: (key) => (wrote(key, ''), real.removeItem(key)),
    key: (index) => real.key(Number(index)),
    clear: () => real.clear(),
  };
  const proxy = new Proxy(real, {
    get(_, key: string) {
      if (key in methods) return methods[key];
      if (key === 'length') return real.length;
      counts.storageReads++;
      return real.getItem(key) ?? undefined;
    },
    set: (_, key: string, value: string) => (wrote(key, value), real.setItem(key, value), true),
    deleteProperty: (_, key: string) => (wrote(key, ''), real.removeItem(key), true),
  });
  Object.defineProperty(window, 'localStorage', { value: proxy });
}
