// Changes to a page before its first script runs, in any engine: the server writes it into the page itself. Chosen in the page's
// address: `?before=noLocks,noChannel`.

/** Each runs in the page, alone: nothing from outside its braces is known there. */
const changes = {
  noLocks() {
    Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });
  },

  /** As in a frame without storage access. */
  locksRefused() {
    LockManager.prototype.request = async () => {
      throw new DOMException('Storage access is denied', 'SecurityError');
    };
  },

  noChannel() {
    Object.defineProperty(window, 'BroadcastChannel', { value: undefined });
  },

  noIndexedDb() {
    Object.defineProperty(window, 'indexedDB', { value: undefined });
  },

  noLocalStorage() {
    Object.defineProperty(window, 'localStorage', { value: undefined });
  },

  noServiceWorker() {
    Object.defineProperty(Navigator.prototype, 'serviceWorker', { value: undefined });
  },

  /** Cookies and site data are blocked; `mend()` allows them. */
  indexedDbBlocked() {
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = () => {
      throw new DOMException('The operation is insecure.', 'SecurityError');
    };
    window.mend = () => (IDBFactory.prototype.open = open);
  },

  /** Private windows of older browsers. */
  indexedDbFails() {
    const { open } = IDBFactory.prototype;
    open.call(indexedDB, 'newer', 2);
    // A real request that really fails, with a VersionError.
    IDBFactory.prototype.open = function () {
      return open.call(this, 'newer', 1);
    };
    window.mend = () => (IDBFactory.prototype.open = open);
  },

  /** Safari, sometimes. */
  indexedDbHangs() {
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = () => new EventTarget() as IDBOpenDBRequest;
    window.mend = () => (IDBFactory.prototype.open = open);
  },

  /** Other code, idb-keyval for one, has opened the databases without a version: they have no object store. */
  databaseTaken() {
    for (const name of ['one-refresh', 'one-refresh-dpop', 'one-refresh-monitor']) {
      const request = indexedDB.open(name);
      request.onsuccess = () => request.result.close();
    }
  },

  /** The same, and it stays open until `mend()`. */
  databaseHeld() {
    const request = indexedDB.open('one-refresh');
    window.mend = () => request.result.close();
  },

  quotaFull() {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
    };
    window.mend = () => (IDBObjectStore.prototype.put = put);
  },

  /** The same, found out later: not by the call but by its transaction. */
  quotaFullAtCommit() {
    const { commit } = IDBTransaction.prototype;
    IDBTransaction.prototype.commit = function () {
      this.abort();
    };
    window.mend = () => (IDBTransaction.prototype.commit = commit);
  },

  /** A wall clock that can be put forward and back. */
  clock() {
    const { now } = Date;
    let ahead = 0;
    Date.now = () => now() + ahead;
    window.putClockForward = (ms) => (ahead += ms);
  },

  /** Does what the test's server says, for a page that no driver is attached to. */
  followOrders() {
    const follow = async (): Promise<void> => {
      const script = document.createElement('script');
      script.textContent = await (await fetch(`/__lab/orders${location.search}`)).text();
      document.head.append(script);
      await follow();
    };
    void follow();
  },

  /** Knows which timers are armed. */
  countTimers() {
    const { setTimeout: set, clearTimeout: clear } = window;
    const timers = (window.timers = new Set<number>());
    window.setTimeout = ((run: () => void, ms?: number) => {
      const timer = set(() => {
        timers.delete(timer);
        run();
      }, ms);
      timers.add(timer);
      return timer;
    }) as typeof window.setTimeout;
    window.clearTimeout = ((timer?: number) => {
      timers.delete(timer ?? -1);
      clear(timer);
    }) as typeof window.clearTimeout;
  },

  /**
   * Time that a test lets pass: the clocks go forward, and the armed timers that are due by then fire in their order. Those armed
   * meanwhile wait for the next time, or for the real clock. Knows which are armed.
   */
  timePasses() {
    const { now } = Date;
    const { setTimeout: set, clearTimeout: clear } = window;
    const armed = new Map<number, { at: number; fire: () => void }>();
    const monotonic = performance.now.bind(performance);
    let ahead = 0;
    Date.now = () => now() + ahead;
    performance.now = () => monotonic() + ahead;
    window.timers = armed;
    window.setTimeout = ((run: () => void, ms = 0) => {
      // A driver may have timers in the page: those are of real time.
      if (!new Error().stack?.includes('/assets/')) return set(run, ms);
      const fire = (): void => {
        if (armed.delete(timer)) run();
      };
      const timer = set(fire, ms);
      armed.set(timer, { at: Date.now() + ms, fire });
      return timer;
    }) as typeof window.setTimeout;
    window.clearTimeout = ((timer?: number) => {
      armed.delete(timer ?? -1);
      clear(timer);
    }) as typeof window.clearTimeout;
    window.putClockForward = (ms) => {
      const end = Date.now() + ms;
      const due = [...armed.values()].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      for (const { at, fire } of due) {
        ahead = Math.max(ahead, at - now());
        fire();
      }
      ahead = Math.max(ahead, end - now());
    };
  },

  /** Counts the messages on channels of the platform. */
  countMessages() {
    const { postMessage } = BroadcastChannel.prototype;
    window.messages = 0;
    BroadcastChannel.prototype.postMessage = function (message: unknown) {
      window.messages = (window.messages ?? 0) + 1;
      postMessage.call(this, message);
    };
  },

  /** Keeps a copy of whatever is written to localStorage. */
  watchLocalStorage() {
    const { setItem } = Storage.prototype;
    const kept: string[] = (window.kept = []);
    Storage.prototype.setItem = function (key: string, value: string) {
      kept.push(`${key} ${value}`);
      setItem.call(this, key, value);
    };
  },
} satisfies Record<string, () => void>;

export type Change = keyof typeof changes;

/** The value of `before` in a page's address. */
export function before(...names: Change[]): { before: string } {
  return { before: names.join() };
}

declare global {
  interface Window {
    /** Undoes the change, where it can be undone. */
    mend?: () => unknown;
    putClockForward?: (ms: number) => unknown;
    kept?: string[];
    /** The armed timers. */
    timers?: { readonly size: number };
    /** Messages that this page has sent. */
    messages?: number;
  }
}

/** Uncaught errors of any tab are the test's business, also where no driver tells of them. */
function reportErrors(): void {
  const report = (message: string): void => {
    const tab = new URLSearchParams(location.search).get('tab');
    void fetch('/__lab/complaints', { method: 'POST', body: `${tab}: ${message}`, keepalive: true }).catch(
      () => {},
    );
  };
  window.addEventListener('error', (event) => report(event.message));
  window.addEventListener('unhandledrejection', (event) => report(String(event.reason)));
}

/** The page with its changes in front of everything else. */
export function withChanges(html: string, chosen: string | null): string {
  const names = (chosen ?? '').split(',').filter(Boolean) as Change[];
  const source = names.map((name) => `({ ${changes[name].toString()} }).${name}();`);
  // esbuild, where it runs the caller, names functions through a helper of its own.
  const script = `<script>var __name = (value) => value;\n(${reportErrors.toString()})();\n${source.join('\n')}</script>`;
  return html.replace('<meta charset="utf-8" />', (meta) => meta + script);
}
