import { promisifyRequest } from 'idb-keyval';
import type { StorePort } from '../core/ports.js';
import { database } from './database.js';

/** One record of the origin's database, every change one strict, atomic read-modify-write transaction. */
export function indexedDbStore(name: string): StorePort {
  const records = database('one-refresh', 'records');
  return {
    read: () => records('readonly', (store) => promisifyRequest(store.get(name))),
    update: (change) =>
      records('readwrite', async (store) => {
        const { transaction } = store;
        const changed = change(await promisifyRequest(store.get(name)));
        if (changed) store.put(changed, name);
        // Without waiting for another turn of the event loop.
        transaction.commit?.();
        await promisifyRequest(transaction);
      }),
  };
}
