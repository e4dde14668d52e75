import type { ChannelPort, StoreOpenError, StorePort } from '../core/ports.js';
import type { SessionRecord } from '../core/record.js';

/** How long a tab waits for another one to hand over the key; milliseconds. */
const ASK_MS = 500;
/** So many other writers may be in between. */
const MOST_WRITES = 20;

/** The contents of the database: nothing that can be read without the key. */
interface Sealed {
  /** Names the key. */
  readonly key: string;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly data: ArrayBuffer;
}

interface Key {
  readonly id: string;
  /** 32 bytes, as base64. */
  readonly secret: string;
}

/** Where a tab keeps the key: `sessionStorage`, which ends with the tab. */
export interface KeyPlace {
  readonly get: () => string | null;
  readonly set: (key: string) => void;
}

/** A store whose tabs hand each other the key. */
export interface SessionStore extends StorePort {
  /** Is told everything that comes over the channel. */
  readonly hear: (data: unknown) => void;
}

/**
 * A store that ends with the last tab. The record is in `store`, encrypted (AES-256-GCM), so that all tabs share it and every change is
 * compared in a transaction. All that is kept next to the session is in it as well (revocations). The key is in each tab's `sessionStorage`
 * only: it survives a reload, and goes with the tab. A new tab asks the others for it on the coordinator's channel.
 *
 *     A  {key} signs in ─ writes ⚿ ──────────────── answers: key ─╮
 *     B                              opens ─ reads ⚿ ─ asks ──────╰▶ {key}
 *     C                                                                      (all closed) opens ─ reads ⚿ ─ asks, in vain: signed out
 *
 * A record that this tab cannot read stays until the next sign-in replaces it: a tab that the browser discarded has the key, and comes back.
 * @param channel - to the other tabs; `undefined`: there is none for a key
 * @param place - `null`: this participant is no tab. It hands the key to nobody, so it does not keep a session alive between two tabs.
 */
export function sessionStore(
  name: string,
  store: StorePort,
  channel: Pick<ChannelPort, 'post'> | undefined,
  place: KeyPlace | null = tabStorage(name),
): SessionStore {
  const keys = new Map<string, string>();
  const asking = new Map<string, Promise<void>>();
  const waiting = new Set<(key: Key) => void>();
  /** The keys that nobody had. A tab that speaks afterwards may have them. */
  const missing = new Set<string>();
  let mine = parseKey(place?.get());
  if (mine) keys.set(mine.id, mine.secret);

  function keep(key: Key): void {
    keys.set(key.id, key.secret);
    if (mine?.id === key.id) return;
    mine = key;
    place?.set(JSON.stringify(key));
  }

  /** Resolves when another tab has handed over the right key, or none did in time. Any script of the origin can answer. */
  async function askFor(sealed: Sealed): Promise<void> {
    const { key: id } = sealed;
    if (missing.has(id)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        waiting.delete(hear);
        resolve();
      };
      const hear = (key: Key): void => {
        if (key.id !== id) return;
        void unsealWith(key.secret, sealed).then((record) => {
          if (record === undefined) return;
          keep(key);
          done();
        });
      };
      const timer = setTimeout(() => {
        missing.add(id);
        done();
      }, ASK_MS);
      waiting.add(hear);
      channel?.post({ oneRefreshKey: id });
    });
  }

  async function unsealWith(secret: string, { iv, data }: Sealed): Promise<unknown> {
    try {
      const key = await importKey(secret);
      const text = await subtle().decrypt({ name: 'AES-GCM', iv, additionalData: encode(name) }, key, data);
      return JSON.parse(new TextDecoder().decode(text));
    } catch {
      return undefined;
    }
  }

  /** The record; `undefined` also where nobody has the key any more. */
  async function unseal(found: unknown): Promise<unknown> {
    if (!isSealed(found)) return found;
    const { key: id } = found;
    if (!keys.has(id)) {
      const asked = asking.get(id) ?? askFor(found).finally(() => asking.delete(id));
      asking.set(id, asked);
      await asked;
    }
    const secret = keys.get(id);
    if (secret === undefined) return undefined;
    keep({ id, secret });
    return unsealWith(secret, found);
  }

  async function seal(record: unknown): Promise<Sealed> {
    if (!mine) keep({ id: random(16), secret: random(32) });
    const { id, secret } = mine!;
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const key = await importKey(secret);
    const text = encode(JSON.stringify(record));
    const data = await subtle().encrypt({ name: 'AES-GCM', iv, additionalData: encode(name) }, key, text);
    return { key: id, iv, data };
  }

  function find(): Promise<unknown> {
    subtle();
    if (!channel) throw unusable('No BroadcastChannel here');
    return store.read();
  }

  /** Compares and writes in one transaction: encryption takes a while, so others may have written since. Resolves to whether it did. */
  async function replace(found: unknown, next: Sealed): Promise<boolean> {
    let isSame = false;
    await store.update((stored: unknown) => {
      isSame = markOf(stored) === markOf(found);
      return isSame ? (next as unknown as SessionRecord) : undefined;
    });
    return isSame;
  }

  return {
    async read() {
      const found = await find();
      const record = await unseal(found);
      // In clear, of an app that kept its session before.
      if (found !== undefined && !isSealed(found)) await replace(found, await seal(record));
      return record;
    },
    async update(change) {
      for (let tries = 0; tries < MOST_WRITES; tries++) {
        const found = await find();
        const next = change(await unseal(found));
        if (!next || (await replace(found, await seal(next)))) return;
      }
      throw new Error('The record changes all the time');
    },
    hear(data) {
      missing.clear();
      const { oneRefreshKey, secret } = Object(data) as { oneRefreshKey?: unknown; secret?: unknown };
      if (typeof oneRefreshKey !== 'string') return;
      if (isSecret(secret)) waiting.forEach((hear) => hear({ id: oneRefreshKey, secret }));
      else if (place && keys.has(oneRefreshKey))
        channel?.post({ oneRefreshKey, secret: keys.get(oneRefreshKey) });
    },
  };
}

function tabStorage(name: string): KeyPlace {
  const item = `one-refresh:${name}:key`;
  return {
    get() {
      try {
        return sessionStorage.getItem(item);
      } catch {
        return null;
      }
    },
    set(key) {
      try {
        sessionStorage.setItem(item, key);
      } catch {
        // Blocked or full: the key lives until the next reload.
      }
    },
  };
}

function isSealed(value: unknown): value is Sealed {
  const { key, iv, data } = Object(value) as Sealed;
  return typeof key === 'string' && ArrayBuffer.isView(iv) && data instanceof ArrayBuffer;
}

/** Tells one stored value from another. */
function markOf(value: unknown): string | undefined {
  return isSealed(value) ? `${value.key} ${value.iv.join()}` : JSON.stringify(value);
}

function isSecret(value: unknown): value is string {
  return typeof value === 'string' && /^[\w+/]{43}=$/.test(value);
}

function parseKey(text: string | null | undefined): Key | undefined {
  try {
    const { id, secret } = JSON.parse(text ?? 'null') as Key;
    return typeof id === 'string' && isSecret(secret) ? { id, secret } : undefined;
  } catch {
    return undefined;
  }
}

function unusable(message: string): Error {
  return Object.assign(new Error(message), { storeUnusable: true } satisfies StoreOpenError);
}

/** Only in secure contexts (Web Cryptography §10). Without it the tabs keep their session in memory, and never in clear. */
function subtle(): SubtleCrypto {
  const { subtle: api } = crypto as Partial<Crypto>;
  if (api) return api;
  throw unusable('No crypto.subtle here');
}

function importKey(secret: string): Promise<CryptoKey> {
  const bytes = Uint8Array.from(atob(secret), (character) => character.charCodeAt(0));
  return subtle().importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
}

function random(bytes: number): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
