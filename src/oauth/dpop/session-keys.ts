import { del, get, set } from 'idb-keyval';
import { checkKept, inStore, makeKeyPair } from './key-pair.js';
import { changeStored, keyStore } from './key-store.js';

/** For so long after a sign-in its key stays the one for other tabs that are in the middle of theirs. */
const GRACE_MS = 600_000;

/** The key for the sign-in under way, and the session that came of it, if one has. */
interface LoginKey {
  readonly keyPair: CryptoKeyPair;
  readonly sessionId?: string;
  /** Epoch milliseconds of that session's beginning. */
  readonly usedAt?: number;
}

const loginId = (name: string): string => `login:${name}`;
const sessionKeyId = (sessionId: string): string => `session:${sessionId}`;

/** What this page has used for its own sign-in; right even if another tab has signed out since. */
const handedOut = new Map<string, CryptoKeyPair>();

/** The key for the next sign-in under this coordinator name, the same in all tabs; made if there is none. */
export async function loginKeyPair(name: string): Promise<CryptoKeyPair> {
  const made = await makeKeyPair();
  const isUsable = (found: LoginKey | undefined): boolean =>
    found !== undefined && Date.now() - (found.usedAt ?? Infinity) < GRACE_MS;
  const kept = await inStore(async () => {
    // The first of several tabs wins.
    const choose = (found?: LoginKey): LoginKey => (found && isUsable(found) ? found : { keyPair: made });
    await changeStored(loginId(name), choose);
    return get<LoginKey>(loginId(name), keyStore);
  });
  const keyPair = await checkKept(kept?.keyPair);
  handedOut.set(name, keyPair);
  return keyPair;
}

/** The key of the sign-in that has just led to a session, or `undefined` if there was none. */
export async function usedKeyPair(name: string): Promise<CryptoKeyPair | undefined> {
  return handedOut.get(name) ?? (await inStore(() => get<LoginKey>(loginId(name), keyStore)))?.keyPair;
}

/** Keeps a session's key where every tab finds it. @throws `ERR_UNSUPPORTED`, `ERR_STORAGE` */
export async function keepKeyPair(name: string, sessionId: string, keyPair: CryptoKeyPair): Promise<void> {
  const kept = await inStore(async () => {
    await set(sessionKeyId(sessionId), keyPair, keyStore);
    const mark = (found?: LoginKey): LoginKey | undefined =>
      found && { ...found, sessionId, usedAt: Date.now() };
    await changeStored(loginId(name), mark);
    return get<CryptoKeyPair>(sessionKeyId(sessionId), keyStore);
  });
  await checkKept(kept);
  handedOut.delete(name);
}

/** The key of a session, or `undefined` if this browser has none (any more). */
export function sessionKeyPair(sessionId: string): Promise<CryptoKeyPair | undefined> {
  return inStore(() => get<CryptoKeyPair>(sessionKeyId(sessionId), keyStore));
}

/** Removes the key of a session that is over, and that of the sign-in which led to it. */
export function forgetKeyPair(name: string, sessionId: string): Promise<void> {
  return inStore(async () => {
    await del(sessionKeyId(sessionId), keyStore);
    const unless = (found?: LoginKey): LoginKey | undefined =>
      found?.sessionId === sessionId ? undefined : found;
    await changeStored(loginId(name), unless);
  });
}
