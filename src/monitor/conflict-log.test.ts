import { IDBFactory } from 'fake-indexeddb';
import { promisifyRequest } from 'idb-keyval';
import { expect, test, vi } from 'vitest';
import { conflictLog } from './conflict-log.js';

test('the log is kept where the store was missing', async () => {
  vi.stubGlobal('indexedDB', new IDBFactory());
  (await promisifyRequest(indexedDB.open('one-refresh-monitor', 3))).close();
  conflictLog('app').add([{ id: '1', type: 'conflict', at: 1, sessionId: 's', version: 1 }]);
  await expect.poll(() => conflictLog('app').read()).toHaveLength(1);
  vi.unstubAllGlobals();
});
