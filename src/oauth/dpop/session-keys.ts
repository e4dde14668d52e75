import { del, get, promisifyRequest, set } from 'idb-keyval';
import { checkKept, faultOf, inStore, makeKeyPair } from './key-pair.js';
import { keyStore } from './key-store.js';
import { thumbprint } from './proof.js';

/** A sign-in that takes longer than this has failed. */
const ATTEMPT_MS = 3_600_000;

/** A key that a sign-in of this page was given. */
interface HandedOut {
  readonly name: string;
  readonly attempt: string | undefined;
  readonly keyPair: Promise<CryptoKeyPair>;
}

/** A key that has to outlive its page, since the sign-in leaves it. */
interface AttemptKey {
  readonly keyPair: CryptoKeyPair;
  /** Epoch milliseconds. */
  readonly madeAt: number;
}

const ATTEMPT = 'attempt:';
const attemptId = (name: string, attempt: string): string => `${ATTEMPT}${JSON.stringify([name, attempt])}`;
const sessionKeyId = (sessionId: string): string => `session:${sessionId}`;

/** Those that no session has come of yet, the newest last. */
let handedOut: readonly HandedOut[] = [];
/** The one that the last session came of, by name: for another sign-in of this page that was begun with it. */
const lastUsed = new Map<string, CryptoKeyPair>();

/**
 * The key for the sign-in that this page does next, or for a certain one. It is new: one that lay in the store before could have been put there
 * by a script that is long gone, with a copy of it elsewhere. So it stays in memory until a session has come of it; only a key whose sign-in
 * leaves the page is stored before, under an id that nobody can know in advance.
 */
export function loginKeyPair(name: string, attempt?: string): Promise<CryptoKeyPair> {
  const known = handedOut.find((entry) => entry.name === name && entry.attempt === attempt);
  if (known) return known.keyPair;
  const keyPair = attempt === undefined ? newKeyPair() : attemptKeyPair(attemptId(name, attempt));
  const entry = { name, attempt, keyPair };
  handedOut = [...handedOut, entry];
  keyPair.catch(() => (handedOut = handedOut.filter((other) => other !== entry)));
  return keyPair;
}

/** Made, and found fit to be kept: it is better to know that before the server binds tokens to it. Nothing is left of the trial. */
async function newKeyPair(): Promise<CryptoKeyPair> {
  const keyPair = await makeKeyPair();
  const kept = await inStore(() =>
    keyStore('readwrite', async (store) => {
      store.put(keyPair, 'trial');
      const found = await promisifyRequest<unknown>(store.get('trial'));
      store.delete('trial');
      await promisifyRequest(store.transaction);
      return found;
    }),
  );
  await checkKept(kept);
  return keyPair;
}

async function attemptKeyPair(id: string): Promise<CryptoKeyPair> {
  const made: AttemptKey = { keyPair: await makeKeyPair(), madeAt: Date.now() };
  const isRecent = (found: unknown): boolean =>
    Math.abs(Date.now() - Number(Object(found).madeAt)) < ATTEMPT_MS;
  const kept = await inStore(() =>
    keyStore('readwrite', async (store) => {
      for (const other of await promisifyRequest(store.getAllKeys())) {
        if (typeof other !== 'string' || !other.startsWith(ATTEMPT)) continue;
        // A sign-in that was given up.
        if (!isRecent(await promisifyRequest<unknown>(store.get(other)))) store.delete(other);
      }
      if (!isRecent(await promisifyRequest<unknown>(store.get(id)))) store.put(made, id);
      const kept = await promisifyRequest<Partial<AttemptKey> | null>(store.get(id));
      await promisifyRequest(store.transaction);
      return kept;
    }),
  );
  return checkKept(kept?.keyPair);
}

/**
 * The key of the sign-in that has just led to a session, or `undefined` if this page has given none.
 * @param jkt - thumbprint of the key that the tokens are bound to, where they say it
 */
export async function usedKeyPair(name: string, jkt: unknown): Promise<CryptoKeyPair | undefined> {
  const own = handedOut.filter((entry) => entry.name === name).map(({ keyPair }) => keyPair);
  const settled = (await Promise.allSettled(own)).flatMap((key) =>
    key.status === 'fulfilled' ? [key.value] : [],
  );
  const keys = [lastUsed.get(name), ...settled].filter((key) => key !== undefined);
  for (const key of keys) if (jkt === (await thumbprint(key))) return key;
  return keys.at(-1);
}

/** Keeps a session's key where every tab finds it. @throws `ERR_UNSUPPORTED`, `ERR_STORAGE` */
export async function keepKeyPair(name: string, sessionId: string, keyPair: CryptoKeyPair): Promise<void> {
  const kept = await inStore(async () => {
    await set(sessionKeyId(sessionId), keyPair, keyStore);
    return get<unknown>(sessionKeyId(sessionId), keyStore);
  });
  await checkKept(kept);
  for (const entry of handedOut) {
    if (entry.name !== name || (await entry.keyPair) !== keyPair) continue;
    handedOut = handedOut.filter((other) => other !== entry);
    lastUsed.set(name, keyPair);
    const { attempt } = entry;
    if (attempt !== undefined) await inStore(() => del(attemptId(name, attempt), keyStore));
  }
}

/**
 * The key of a session, or `undefined` if this browser has none (any more), or another than it was given.
 * @throws `ERR_UNSUPPORTED` if this context cannot read it, `ERR_STORAGE`
 */
export async function sessionKeyPair(sessionId: string): Promise<CryptoKeyPair | undefined> {
  const found = await inStore(() => get<unknown>(sessionKeyId(sessionId), keyStore));
  if (found === undefined) return undefined;
  if (found === null) return checkKept(found);
  return (await faultOf(found)) === undefined ? (found as CryptoKeyPair) : undefined;
}

/** Removes the key of a session that is over. */
export function forgetKeyPair(sessionId: string): Promise<void> {
  return inStore(() => del(sessionKeyId(sessionId), keyStore));
}
