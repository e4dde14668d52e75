import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { TokenCoordinatorError } from '../core/errors.js';
import { LATEST } from '../core/record.js';
import type { Shared } from './shared.js';

/** Ninety days. */
const KEEP_MS = 7_776_000_000;

/** A key for AES-256-GCM: 32 bytes. */
export type SealingKey = Uint8Array;

/** A key with a name, so that it can be replaced by another one. */
export interface NamedSealingKey {
  /** Stored with every record that this key seals. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: SealingKey;
}

/** How records are encrypted at rest: one key, or several of which the first one seals and all of them open. */
export type EncryptWith = SealingKey | readonly NamedSealingKey[];

/** Options of the shared parts that keep records. */
export interface SealingOptions {
  /** Encrypts records at rest (AES-256-GCM, bound to their session); default: none, they are stored as text. */
  readonly encryptWith?: EncryptWith | undefined;
}

/**
 * How long a record is kept after its last write, in whole milliseconds.
 * @throws `ERR_CONFIGURATION`
 */
export function checkKeepMs(given: unknown = KEEP_MS): number {
  if (typeof given === 'number' && given >= 1 && given <= LATEST) return Math.ceil(given);
  throw new TokenCoordinatorError(
    'ERR_CONFIGURATION',
    '`keepMs` must be a number of milliseconds, 1 or more',
  );
}

/** How sealed text begins; no record that is stored as text does. */
const FORMAT = '1';

/**
 * The same shared part with its records encrypted. A record that none of the keys opens cannot be read, which is not the same as no record;
 * nor is a sealed record in a process that was given no key.
 * @throws `ERR_CONFIGURATION` if a key is not usable
 */
export function sealed(shared: Shared, options: SealingOptions): Shared {
  const { encryptWith } = Object(options) as SealingOptions;
  if (encryptWith === undefined) {
    return {
      ...shared,
      async read(key) {
        const stored = await shared.read(key);
        if (stored?.text.startsWith(`${FORMAT}.`))
          throw new Error('The record is sealed, and this process has no `encryptWith`');
        return stored;
      },
    };
  }
  const keys = checkKeys(encryptWith);
  const [sealing] = keys as [NamedSealingKey];

  function seal(key: string, text: string): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', sealing.key, iv).setAAD(Buffer.from(key));
    const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    const id = Buffer.from(sealing.id).toString('base64url');
    return `${FORMAT}.${id}.${iv.toString('base64url')}.${data.toString('base64url')}`;
  }

  function open(key: string, text: string): string {
    const [format, id = '', iv = '', data = ''] = text.split('.');
    const named = keys.find((one) => one.id === Buffer.from(id, 'base64url').toString());
    if (format !== FORMAT || !named) throw new Error('The record was not sealed with any of these keys');
    const bytes = Buffer.from(data, 'base64url');
    const tag = bytes.subarray(-16);
    const decipher = createDecipheriv('aes-256-gcm', named.key, Buffer.from(iv, 'base64url'), {
      authTagLength: 16,
    })
      .setAAD(Buffer.from(key))
      .setAuthTag(tag);
    return decipher.update(bytes.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8');
  }

  return {
    ...shared,
    async read(key) {
      const stored = await shared.read(key);
      return stored && { mark: stored.mark, text: open(key, stored.text) };
    },
    write: async (key, mark, text) => shared.write(key, mark, seal(key, text)),
  };
}

function checkKeys(given: EncryptWith): readonly NamedSealingKey[] {
  const keys: readonly NamedSealingKey[] = given instanceof Uint8Array ? [{ id: '', key: given }] : given;
  const sound =
    Array.isArray(keys) &&
    keys.length > 0 &&
    keys.every(
      (one: NamedSealingKey | undefined) =>
        typeof one?.id === 'string' && one.key instanceof Uint8Array && one.key.length === 32,
    ) &&
    new Set(keys.map(({ id }) => id)).size === keys.length;
  if (sound) return keys;
  throw new TokenCoordinatorError(
    'ERR_CONFIGURATION',
    '`encryptWith` must be a key of 32 bytes, or a list of { id, key } with different ids, the first of which seals',
  );
}
