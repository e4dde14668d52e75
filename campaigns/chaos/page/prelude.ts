// Runs in a page and in the refresh worker before anything else. It tells the server of the moments of a refresh, and waits there for as
// long as the server likes: as if a disk, a device or a network were slow. Interception by a driver would not reach a worker.

/** The server's possible action on the participant that waits at a moment. */
interface Orders {
  /** Nothing can be written for so long. */
  failStoreMs?: number;
}

export const by = new URLSearchParams(location.search).get('tab') ?? 'nobody';

const { fetch: send } = globalThis;

/** Leaves word at the server, also when this page is about to go. */
export function note(what: string, details: object = {}): void {
  const body = JSON.stringify({ by, what, ...details });
  void send('/__chaos/notes', { method: 'POST', body, keepalive: true }).catch(() => {});
}

async function moment(at: string): Promise<void> {
  const answer = await send(`/__chaos/moment?at=${at}&by=${by}`, { method: 'POST' }).catch(() => undefined);
  const { failStoreMs = 0 } = ((await answer?.json().catch(() => undefined)) ?? {}) as Orders;
  if (failStoreMs > 0) failsUntil = performance.now() + failStoreMs;
}

// The answer is here, and not yet committed.
globalThis.fetch = async (input, init) => {
  const response = await send(input, init);
  const url = input instanceof Request ? input.url : String(input);
  const body = init?.body;
  const isRefresh = url.endsWith('/token') && body instanceof URLSearchParams && body.has('refresh_token');
  if (isRefresh && response.ok) await moment('before-commit');
  return response;
};

/** The parts of the library's record that tell its writes apart. */
interface Written {
  sessionId?: string;
  version?: number;
  term?: number;
  journal?: { term: number; failure?: object };
}

let failsUntil = 0;
let known: Written = {};
const moments = new WeakMap<IDBTransaction, string>();

function momentAfter(written: Written): string | undefined {
  const { sessionId, version = 0, term, journal } = written;
  const before = known;
  known = written;
  // An attempt is written ahead with the term that it begins.
  if (journal && !journal.failure && journal.term === term) return 'before-send';
  const isNew = sessionId !== before.sessionId || version > (before.version ?? 0);
  return version > 1 && !journal && isNew ? 'before-broadcast' : undefined;
}

const { put } = IDBObjectStore.prototype;
IDBObjectStore.prototype.put = function (value: unknown, key?: IDBValidKey) {
  if (performance.now() < failsUntil) {
    note('store-failed');
    throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
  }
  const at = momentAfter(Object(value) as Written);
  if (at !== undefined) moments.set(this.transaction, at);
  return put.call(this, value, key);
};

// Committed, and its writer does not know it yet.
const complete = Object.getOwnPropertyDescriptor(IDBTransaction.prototype, 'oncomplete')!;
Object.defineProperty(IDBTransaction.prototype, 'oncomplete', {
  ...complete,
  set(this: IDBTransaction, listener: ((event: Event) => void) | null) {
    complete.set!.call(this, (event: Event) => {
      const at = moments.get(this);
      if (at === undefined) listener?.call(this, event);
      else void moment(at).then(() => listener?.call(this, event));
    });
  },
});

// Cleared from outside.
const { open } = IDBFactory.prototype;
IDBFactory.prototype.open = function (name: string, version?: number) {
  const request = open.call(this, name, version);
  request.addEventListener('success', () => {
    request.result.addEventListener('close', () => note('store-closed'));
  });
  return request;
};
