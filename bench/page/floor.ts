// The platform's own limits: the least that a coordination on these means must cost.
import { epochNow } from './clock.js';

const STORE = 'floor';
let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('floor', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error!);
  });
}

/** A strict commit. */
export async function commit(value: unknown): Promise<void> {
  const transaction = (await (opened ??= open())).transaction(STORE, 'readwrite', { durability: 'strict' });
  transaction.objectStore(STORE).put(value, 'pair');
  transaction.commit();
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error!);
  });
}

/** Opens the database and reads one value: the least work of a new tab. How long it took. */
export async function openAndGet(): Promise<number> {
  const began = epochNow();
  const request = (await open()).transaction(STORE).objectStore(STORE).get('pair');
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(epochNow() - began);
    request.onerror = () => reject(request.error!);
  });
}

const channel = new BroadcastChannel('floor');
let listening: { heard: Promise<number>; hear: (instant: number) => void } | undefined;
channel.onmessage = () => listening?.hear(epochNow());

export function listen(): void {
  let hear = (_: number): void => {};
  const heard = new Promise<number>((resolve) => (hear = resolve));
  listening = { heard, hear };
}

/** When the first message since `listen()` arrived. */
export const heard = (): Promise<number> => listening!.heard;

/** One commit and one message; when it began. */
export async function commitAndPost(value: unknown): Promise<number> {
  const began = epochNow();
  await commit(value);
  channel.postMessage(value);
  return began;
}

/** Takes the lock and keeps it until the tab dies. */
export function holdLock(): Promise<void> {
  return new Promise((resolve) => {
    void navigator.locks.request('floor', () => {
      resolve();
      return new Promise(() => {});
    });
  });
}

/** A commit under the lock: when it was made, and how long both took together. */
export async function lockAndCommit(value: unknown): Promise<{ at: number; tookMs: number }> {
  const began = epochNow();
  return navigator.locks.request('floor', async () => {
    await commit(value);
    const at = epochNow();
    return { at, tookMs: at - began };
  });
}
