import { TokenCoordinatorError } from '../../core/errors.js';
import { causeOf, messageOf } from '../../core/sanitise.js';

/** ES256 (RFC 7518 §3.4), which every server with DPoP knows and every browser can keep. */
export const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * A key that signs here and can be copied nowhere.
 * @throws `ERR_UNSUPPORTED` where there is no Web Crypto (plain http pages)
 */
export async function makeKeyPair(): Promise<CryptoKeyPair> {
  // Absent in insecure contexts, whatever the types say.
  const { subtle } = crypto as { subtle?: SubtleCrypto };
  if (!subtle) throw unsupported('there is no Web Crypto here; serve the page over https:');
  return subtle.generateKey(ES256, false, ['sign', 'verify']);
}

/**
 * The fault of a key for DPoP; `undefined` if nothing. A key that came out of the store may have been put there by a script: one that
 * can be exported, or whose halves do not belong together, is none that this library has made.
 */
export async function faultOf(keyPair: unknown): Promise<string | undefined> {
  try {
    const { privateKey, publicKey } = keyPair as CryptoKeyPair;
    // guard: boundary: a stored key that a script could carry off signs nothing
    if (privateKey.extractable) {
      return 'must be generated with extractable: false, or a script could carry it off';
    }
    // Not every public key may verify.
    const jwk = { ...(await crypto.subtle.exportKey('jwk', publicKey)), key_ops: ['verify'] };
    const verifying = await crypto.subtle.importKey('jwk', jwk, ES256, false, ['verify']);
    const data = crypto.getRandomValues(new Uint8Array(16));
    const signature = await crypto.subtle.sign(ES256, privateKey, data);
    if (await crypto.subtle.verify(ES256, verifying, signature, data)) return undefined;
  } catch {
    // No key, not for signing, of another kind, or its public half cannot be shown.
  }
  return 'must be an ECDSA P-256 key pair that can sign';
}

/**
 * Refuses a key that cannot do what DPoP promises.
 * @throws `ERR_CONFIGURATION`
 */
export async function checkKeyPair(keyPair: CryptoKeyPair): Promise<void> {
  const fault = await faultOf(keyPair);
  if (fault !== undefined) throw configurationError(`dpopKeyPair ${fault}.`);
}

/**
 * Proves that what came back from IndexedDB is a whole key, able to sign; WebKit gives back null in a SharedWorker.
 * @throws `ERR_UNSUPPORTED`
 */
export async function checkKept(kept: unknown): Promise<CryptoKeyPair> {
  if ((await faultOf(kept)) === undefined) return kept as CryptoKeyPair;
  throw unsupported('this browser gives back another key than it was given to keep');
}

/**
 * Does something in IndexedDB that must not fail unnoticed.
 * @throws `ERR_UNSUPPORTED` if there is none or it cannot keep keys, `ERR_STORAGE` if it failed
 */
export async function inStore<T>(operation: () => Promise<T>): Promise<T> {
  if (typeof indexedDB === 'undefined') throw unsupported('there is no IndexedDB here to keep its key');
  try {
    return await operation();
  } catch (cause) {
    // (An aborted transaction rejects with null.)
    const { name, message } = Object(cause) as Partial<Error>;
    if (name === 'DataCloneError') throw unsupported('this browser keeps no keys in IndexedDB');
    const why = message ? `: ${messageOf(message)}` : '';
    throw new TokenCoordinatorError('ERR_STORAGE', `The DPoP key could not be stored or read${why}`, {
      cause: causeOf(cause),
    });
  }
}

export function configurationError(message: string): TokenCoordinatorError {
  return new TokenCoordinatorError('ERR_CONFIGURATION', `DPoP: ${message}`);
}

function unsupported(message: string): TokenCoordinatorError {
  return new TokenCoordinatorError('ERR_UNSUPPORTED', `DPoP is not possible: ${message}.`);
}
