import { configurationError } from './key-pair.js';
import { loginKeyPair } from './session-keys.js';

/**
 * The key that a sign-in binds its tokens to (RFC 9449): give it to the OAuth library that exchanges the code. An authorization server binds
 * a public client's refresh token there, once and for all. `setSession` then makes it the session's key; sign-out removes it.
 *
 * It is an ECDSA P-256 key that cannot be exported, a new one for each sign-in: the same for all calls of this page until a session has come of
 * it, in memory only. Ask for it where the code is exchanged, on the page that the server redirects to. Where the authorization request names
 * the key already (`dpop_jkt`, RFC 9449 §10), give the attempt on both pages: then the key is kept in IndexedDB meanwhile, for at most an hour.
 *
 * @param name - the coordinator's `name`
 * @param attempt - what tells this sign-in from all others and cannot be guessed, such as its `state`; default: the sign-in does not leave the page with its key
 * @throws `ERR_UNSUPPORTED` if this browser cannot make or keep such a key, `ERR_STORAGE` if it cannot be stored now, `ERR_CONFIGURATION` without a
 * name, or for an attempt of less than 16 characters
 */
export async function getDPoPKeyPair(name: string, attempt?: string): Promise<CryptoKeyPair> {
  if (typeof name !== 'string' || name === '') {
    throw configurationError('getDPoPKeyPair() takes the name that the coordinator was created with.');
  }
  if (attempt !== undefined && !(typeof attempt === 'string' && attempt.length >= 16)) {
    throw configurationError('getDPoPKeyPair() takes a random text for an attempt, such as its state.');
  }
  return loginKeyPair(name, attempt);
}
