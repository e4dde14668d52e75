/** ky takes a fetch, and retries on its own what is worth it: 401 is not among that, so nothing is asked for twice. */
import ky, { type KyInstance } from 'ky';

/** @param fetch - `createFetch(coordinator)` of `one-refresh/fetch` */
export function createClient(prefixUrl: string, fetch: typeof globalThis.fetch): KyInstance {
  return ky.create({ prefixUrl, fetch });
}
