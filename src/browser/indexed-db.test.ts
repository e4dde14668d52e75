import { IDBFactory } from 'fake-indexeddb';
import { promisifyRequest } from 'idb-keyval';
import { afterEach, expect, test, vi } from 'vitest';
import type { SessionRecord } from '../core/record.js';
import { indexedDbStore } from './indexed-db.js';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const record: SessionRecord = {
  schema: 1,
  startedAt: 1,
  term: 1,
  sessionId: 's',
  version: 1,
  accessTokens: {},
};

const failed = async (operation: Promise<unknown>): Promise<unknown> =>
  operation.then(
    () => 'it worked',
    (error: unknown) => error,
  );

test('a database that cannot be opened is tried again later', async () => {
  vi.stubGlobal('indexedDB', {
    open() {
      throw new DOMException('denied', 'SecurityError');
    },
  });
  const store = indexedDbStore('app');
  expect(await failed(store.read())).toMatchObject({ storeUnusable: true });
  vi.stubGlobal('indexedDB', new IDBFactory());
  expect(await store.read()).toBeUndefined();
});

// A browser that has just been started may need seconds; taken for unusable, its user would be taken for signed out.
test('one that is not open in time is not', async () => {
  vi.useFakeTimers();
  vi.stubGlobal('indexedDB', { open: () => ({}) });
  const outcome = failed(indexedDbStore('app').read());
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await outcome).toBeInstanceOf(Error);
  expect(await outcome).not.toHaveProperty('storeUnusable');
});

test('a session is kept where the store was missing', async () => {
  vi.stubGlobal('indexedDB', new IDBFactory());
  (await promisifyRequest(indexedDB.open('one-refresh'))).close();
  await indexedDbStore('app').update(() => record);
  expect(await indexedDbStore('app').read()).toEqual(record);
});
