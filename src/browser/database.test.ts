import { IDBDatabase, IDBFactory } from 'fake-indexeddb';
import { get, promisifyRequest, set, type UseStore } from 'idb-keyval';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { setImmediate as turn } from 'node:timers/promises';
import { database } from './database.js';

const LIMIT_MS = 3_000;

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory());
  // The fake database runs on setImmediate().
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** A connection of other code, which has made the stores that are named. */
async function openElsewhere(version?: number, ...stores: string[]): Promise<IDBDatabase> {
  const request = indexedDB.open('db', version);
  request.onupgradeneeded = () => stores.forEach((store) => request.result.createObjectStore(store));
  return promisifyRequest(request);
}

async function prepare(version?: number, ...stores: string[]): Promise<void> {
  (await openElsewhere(version, ...stores)).close();
}

async function versionNow(): Promise<number | undefined> {
  return (await indexedDB.databases()).find(({ name }) => name === 'db')?.version;
}

/** The value read after a write. */
async function written(store: UseStore, value = 'kept'): Promise<string | undefined> {
  await set('key', value, store);
  return get('key', store);
}

/** Its error once its limit has passed. */
async function afterLimit(work: Promise<unknown>): Promise<unknown> {
  const failure = work.then(
    () => 'it worked',
    (error: unknown) => error,
  );
  for (let n = 0; n < 20; n++) await turn();
  await vi.advanceTimersByTimeAsync(LIMIT_MS);
  return failure;
}

describe('whatever database is found', () => {
  test.each([
    ['none', async () => {}, 1],
    ['the one of an earlier bundle', () => prepare(1, 'store'), 1],
    ['a later version', () => prepare(99, 'other', 'store'), 99],
    ['one without a store', () => prepare(), 2],
    ['a later version without the store', () => prepare(99, 'other'), 100],
  ])('%s is used at once', async (_, found, version) => {
    await found();
    expect(await written(database('db', 'store'))).toBe('kept');
    expect(await versionNow()).toBe(version);
  });

  test('an upgrade keeps the data of other code', async () => {
    const other = await openElsewhere(7, 'other');
    await promisifyRequest(other.transaction('other', 'readwrite').objectStore('other').put('theirs', 'key'));
    other.close();
    expect(await written(database('db', 'store'))).toBe('kept');
    expect(await get('key', database('db', 'other'))).toBe('theirs');
  });

  test('two tabs upgrade at the same moment', async () => {
    await prepare();
    const [one, two] = [database('db', 'store'), database('db', 'store')];
    await Promise.all([set('one', 1, one), set('two', 2, two)]);
    expect(await Promise.all([get('two', one), get('one', two)])).toEqual([2, 1]);
    expect(await versionNow()).toBe(2);
  });

  test('one whose version cannot be raised is unusable', async () => {
    await prepare(Number.MAX_SAFE_INTEGER);
    await expect(get('key', database('db', 'store'))).rejects.toMatchObject({ storeUnusable: true });
  });
});

describe('other code keeps it open', () => {
  test('and closes it for the upgrade: nobody waits', async () => {
    const other = await openElsewhere();
    other.onversionchange = () => other.close();
    expect(await written(database('db', 'store'))).toBe('kept');
  });

  test('for good: each operation ends, and says why', async () => {
    await openElsewhere();
    const store = database('db', 'store');
    expect(await afterLimit(set('key', 1, store))).toMatchObject({
      storeUnusable: true,
      message: expect.stringContaining('keeps the database open'),
    });
    expect(await afterLimit(get('key', store))).toBeInstanceOf(Error);
    expect(await afterLimit(get('key', database('db', 'store')))).toBeInstanceOf(Error);
  });

  test('and closes it late: the next operation works', async () => {
    const other = await openElsewhere();
    const store = database('db', 'store');
    await afterLimit(set('key', 1, store));
    other.close();
    expect(await written(store)).toBe('kept');
  });
});

describe('a connection that is of no more use', () => {
  test.each(['InvalidStateError', 'UnknownError', 'NotFoundError', 'AbortError', 'TypeError'])(
    '%s: opened anew within the same operation',
    async (name) => {
      const store = database('db', 'store');
      expect(await written(store)).toBe('kept');
      const broken = vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => {
        throw name === 'TypeError' ? new TypeError() : new DOMException('lost', name);
      });
      const close = vi.spyOn(IDBDatabase.prototype, 'close');
      expect(await written(store, 'again')).toBe('again');
      expect(close.mock.contexts[0], 'it holds up no later upgrade').toBe(broken.mock.contexts[0]);
    },
  );

  test('the error of the second one is told', async () => {
    const store = database('db', 'store');
    expect(await written(store)).toBe('kept');
    const broken = vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(() => {
      throw new DOMException('lost', 'UnknownError');
    });
    await expect(get('key', store)).rejects.toMatchObject({ name: 'UnknownError' });
    broken.mockRestore();
    expect(await get('key', store)).toBe('kept');
  });

  test('the database was deleted, and made without the store', async () => {
    const store = database('db', 'store');
    expect(await written(store)).toBe('kept');
    await promisifyRequest(indexedDB.deleteDatabase('db'));
    await prepare();
    expect(await written(store)).toBe('kept');
  });

  test('a failed request: the next operation has a new one', async () => {
    const store = database('db', 'store');
    expect(await written(store)).toBe('kept');
    const open = vi.spyOn(indexedDB, 'open');
    await expect(store('readwrite', (records) => records.add('twice', 'key'))).resolves.toBeDefined();
    await expect(
      store('readwrite', (records) => promisifyRequest(records.add('twice', 'key'))),
    ).rejects.toMatchObject({ name: 'ConstraintError' });
    expect(await written(store)).toBe('kept');
    expect(open).toHaveBeenCalledOnce();
  });
});

describe('no answer', () => {
  test('an operation is given up and writes nothing', async () => {
    const store = database('db', 'store');
    expect(await written(store)).toBe('kept');
    let complete = false;
    const hanging = store('readwrite', (records) => {
      records.put('too late', 'key');
      // Keeps the transaction open.
      const ask = (): void => void (records.get('key').onsuccess = ask);
      ask();
      return new Promise((resolve) => (records.transaction.oncomplete = resolve)).then(
        () => (complete = true),
      );
    });
    expect(await afterLimit(hanging)).toMatchObject({ message: 'IndexedDB did not answer' });
    expect(await get('key', store)).toBe('kept');
    expect(complete).toBe(false);
  });

  test('a connection that comes too late is closed', async () => {
    const open = indexedDB.open.bind(indexedDB);
    const late = new EventTarget() as IDBOpenDBRequest;
    vi.spyOn(indexedDB, 'open').mockReturnValueOnce(late);
    const store = database('db', 'store');
    expect(await afterLimit(get('key', store))).not.toHaveProperty('storeUnusable');
    await prepare(1, 'store');
    const db = await promisifyRequest(open('db'));
    const close = vi.spyOn(db, 'close');
    Object.assign(late, { result: db });
    late.onsuccess?.(new Event('success'));
    await turn();
    expect(close).toHaveBeenCalledOnce();
  });
});
