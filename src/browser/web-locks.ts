import type { LockPort } from '../core/ports.js';

/** Locks of the origin through the Web Locks API; `undefined` where there is none (insecure contexts, old web views). */
export function webLocks(prefix: string): LockPort | undefined {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (!locks) return undefined;
  return {
    request(name, mode, listener) {
      const withdrawal = new AbortController();
      let released = false;
      let granted = false;
      let release = (): void => {};
      const options: LockOptions =
        mode === 'try'
          ? { ifAvailable: true }
          : mode === 'steal'
            ? { steal: true }
            : { signal: withdrawal.signal };
      const hold = (lock: Lock | null): Promise<void> | undefined => {
        // The request may have been withdrawn while its grant was on the way.
        if (released) return undefined;
        if (!lock) {
          // Only a request that waits for nothing may be refused (Web Locks §4.1); a platform that refuses another one serves no locks.
          listener(mode === 'try' ? 'refused' : 'failed');
          return undefined;
        }
        granted = true;
        const held = new Promise<void>((resolve) => (release = resolve));
        listener('granted');
        return held;
      };
      // (Some platforms throw instead of rejecting.)
      const request = async (): Promise<void> => locks.request(prefix + name, options, hold);
      request().catch((error: unknown) => {
        // Only a lock that is held can be stolen.
        const lost = granted && (error as Error | undefined)?.name === 'AbortError';
        if (!released) listener(lost ? 'lost' : 'failed');
      });
      return () => {
        released = true;
        withdrawal.abort();
        release();
      };
    },
  };
}
