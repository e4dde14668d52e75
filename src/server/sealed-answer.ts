// A token response that is kept for some seconds. Its key is derived from the refresh token that it answers, and the database has only a
// digest of that token. So a copy of the database opens no answer.
import { base64url, fromBase64url } from './digest.js';

const SALT_BYTES = 16;
const IV_BYTES = 12;
const encoder = new TextEncoder();

export async function seal(text: string, refreshToken: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await deriveKey(refreshToken, salt);
  const sealed = new Uint8Array(
    await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, encoder.encode(text)),
  );
  const box = new Uint8Array(SALT_BYTES + IV_BYTES + sealed.length);
  box.set(salt);
  box.set(iv, SALT_BYTES);
  box.set(sealed, SALT_BYTES + IV_BYTES);
  return base64url(box);
}

/** @throws if it was sealed with another token, or changed since */
export async function unseal(text: string, refreshToken: string): Promise<string> {
  const box = fromBase64url(text);
  const key = await deriveKey(refreshToken, box.slice(0, SALT_BYTES));
  const iv = box.slice(SALT_BYTES, SALT_BYTES + IV_BYTES);
  const opened = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, box.slice(SALT_BYTES + IV_BYTES));
  return new TextDecoder().decode(opened);
}

/** HKDF (RFC 5869). The token is secret and long; the salt makes each answer's key its own. */
async function deriveKey(refreshToken: string, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const secret = await crypto.subtle.importKey('raw', encoder.encode(refreshToken), 'HKDF', false, [
    'deriveKey',
  ]);
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt, info: encoder.encode('one-refresh sealed answer') },
    secret,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  );
}
