// A token response that is kept for some seconds. Its key is derived from the refresh token that it answers, and the database has only a
// digest of that token. So a copy of the database opens no answer.
import { base64url, fromBase64url } from './digest.js';
import { node } from './node-crypto.js';

/** A box is the salt, the initialization vector, the ciphertext and the tag. */
const SALT_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const TAG = { authTagLength: TAG_BYTES };
const KEY_BYTES = 32;
const HEAD_BYTES = SALT_BYTES + IV_BYTES;
/** The key is as long as one block of HKDF. */
const FIRST_BLOCK = Uint8Array.of(1);
const PURPOSE = 'one-refresh sealed answer';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export async function seal(text: string, refreshToken: string): Promise<string> {
  const head = crypto.getRandomValues(new Uint8Array(HEAD_BYTES));
  const [salt, iv] = partsOf(head);
  if (node) {
    const cipher = node.createCipheriv('aes-256-gcm', nodeKey(refreshToken, salt), iv, TAG);
    return base64url(join(head, cipher.update(text), cipher.final(), cipher.getAuthTag()));
  }
  const key = await deriveKey(refreshToken, salt);
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, encoder.encode(text));
  return base64url(join(head, new Uint8Array(sealed)));
}

/** @throws if it was sealed with another token, or changed since */
export async function unseal(text: string, refreshToken: string): Promise<string> {
  const box = fromBase64url(text);
  const [salt, iv] = partsOf(box);
  if (node) {
    const decipher = node.createDecipheriv('aes-256-gcm', nodeKey(refreshToken, salt), iv, TAG);
    decipher.setAuthTag(box.slice(-TAG_BYTES));
    return decoder.decode(join(decipher.update(box.slice(HEAD_BYTES, -TAG_BYTES)), decipher.final()));
  }
  const key = await deriveKey(refreshToken, salt);
  return decoder.decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, box.slice(HEAD_BYTES)));
}

function partsOf(box: Uint8Array<ArrayBuffer>): [salt: Uint8Array<ArrayBuffer>, iv: Uint8Array<ArrayBuffer>] {
  return [box.slice(0, SALT_BYTES), box.slice(SALT_BYTES, HEAD_BYTES)];
}

/** HKDF (RFC 5869). The token is secret and long; the salt makes each answer's key its own. */
async function deriveKey(refreshToken: string, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const secret = await crypto.subtle.importKey('raw', encoder.encode(refreshToken), 'HKDF', false, [
    'deriveKey',
  ]);
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt, info: encoder.encode(PURPOSE) },
    secret,
    { name: 'AES-GCM', length: 8 * KEY_BYTES },
    false,
    ['encrypt', 'decrypt'],
  );
}

/** The same key by `node:crypto`. Its `hkdfSync` takes longer than the two steps of RFC 5869 §2, extract and expand. */
function nodeKey(refreshToken: string, salt: Uint8Array): Uint8Array {
  const extracted = node!.createHmac('sha256', salt).update(refreshToken).digest();
  return node!.createHmac('sha256', extracted).update(PURPOSE).update(FIRST_BLOCK).digest();
}

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
