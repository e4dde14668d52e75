/** axios takes a fetch since 1.12. No interceptor is needed: they are where refreshes get doubled. */
import { create, type AxiosInstance } from 'axios';

/** @param fetch - `createFetch(coordinator)` of `one-refresh/fetch` */
export function createClient(baseURL: string, fetch: typeof globalThis.fetch): AxiosInstance {
  return create({ baseURL, adapter: 'fetch', env: { fetch } });
}
