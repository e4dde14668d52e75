import type { LockPort } from '../core/ports.js';

/** Locks of the origin through the Web Locks API; `undefined` where there is none (insecure contexts, old web views). */
export function webLocks(prefix: string): LockPort | undefined {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (!locks) return undefined;
  return {
    request(name, mode, listener) {
      const withdrawal = new AbortController();
      let released = false;
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
          listener('refused');
          return undefined;
        }
        const held = new Promise<void>((resolve) => (release = resolve));
        listener('granted');
        return held;
      };
      locks.request(prefix + name, options, hold).catch((error: unknown) => {
        if (!released) listener((error as Error).name === 'AbortError' ? 'lost' : 'failed');
      });
      return () => {
        released = true;
        withdrawal.abort();
        release();
      };
    },
  };
}
