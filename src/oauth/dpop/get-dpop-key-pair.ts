import { configurationError } from './key-pair.js';
import { loginKeyPair } from './session-keys.js';

/**
 * The key that a sign-in binds its tokens to (RFC 9449): give it to the OAuth library that exchanges the code. An authorization server binds
 * a public client's refresh token there, once and for all. `setSession` then makes it the session's key; sign-out removes it.
 *
 * It is an ECDSA P-256 key that cannot be exported, kept in IndexedDB, and the same in all tabs until a session has come of it.
 *
 * @param name - the coordinator's `name`
 * @throws `ERR_UNSUPPORTED` if this browser cannot make or keep such a key, `ERR_STORAGE` if keeping it failed, `ERR_CONFIGURATION` without a name
 */
export async function getDPoPKeyPair(name: string): Promise<CryptoKeyPair> {
  if (typeof name !== 'string' || name === '') {
    throw configurationError('getDPoPKeyPair() takes the name that the coordinator was created with.');
  }
  return loginKeyPair(name);
}
