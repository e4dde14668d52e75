// A token response that is kept for some seconds. Its key is derived from the refresh token that it answers, and the database has only a
// digest of that token. So a copy of the database opens no answer.
import { base64url, digest, fromBase64url } from './digest.js';
import { node } from './node-crypto.js';

/** A box is the initialization vector, the ciphertext and the tag. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const TAG = { authTagLength: TAG_BYTES };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export async function seal(text: string, refreshToken: string): Promise<string> {
  const key = await keyFor(refreshToken);
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  if (node) {
    const cipher = node.createCipheriv('aes-256-gcm', key, iv, TAG);
    return base64url(join(iv, cipher.update(text), cipher.final(), cipher.getAuthTag()));
  }
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv },
    await webKey(key),
    encoder.encode(text),
  );
  return base64url(join(iv, new Uint8Array(sealed)));
}

/** @throws if it was sealed with another token, or changed since */
export async function unseal(text: string, refreshToken: string): Promise<string> {
  const key = await keyFor(refreshToken);
  const box = fromBase64url(text);
  const iv = box.slice(0, IV_BYTES);
  if (node) {
    const decipher = node.createDecipheriv('aes-256-gcm', key, iv, TAG);
    decipher.setAuthTag(box.slice(-TAG_BYTES));
    return decoder.decode(join(decipher.update(box.slice(IV_BYTES, -TAG_BYTES)), decipher.final()));
  }
  const sealed = box.slice(IV_BYTES);
  return decoder.decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await webKey(key), sealed));
}

/**
 * The token is a long random secret, so one hash derives a key from it (the one-step derivation of NIST SP 800-56C). A token is spent once, so
 * its key seals one answer, or a few copies of it that differ in their age.
 */
async function keyFor(refreshToken: string): Promise<Uint8Array<ArrayBuffer>> {
  return fromBase64url(await digest('sealing key', refreshToken));
}

const webKey = (key: Uint8Array<ArrayBuffer>): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']);

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
