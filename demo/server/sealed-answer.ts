// A token response that must be kept for some seconds, readable only to whoever presents the refresh token that it was given for: the
// key is made from that token, of which the database has no more than a hash.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const SALT = 16;
const IV = 12;
const TAG = 16;

export function seal(text: string, refreshToken: string): Uint8Array {
  const salt = randomBytes(SALT);
  const iv = randomBytes(IV);
  const cipher = createCipheriv('aes-256-gcm', keyOf(refreshToken, salt), iv);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([salt, iv, cipher.getAuthTag(), sealed]);
}

/** @throws if it was sealed with another token, or changed since */
export function unseal(box: Uint8Array, refreshToken: string): string {
  const part = (from: number, length?: number) => box.subarray(from, length && from + length);
  const decipher = createDecipheriv('aes-256-gcm', keyOf(refreshToken, part(0, SALT)), part(SALT, IV));
  decipher.setAuthTag(part(SALT + IV, TAG));
  const sealed = part(SALT + IV + TAG);
  return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
}

function keyOf(refreshToken: string, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', refreshToken, salt, 'one-refresh sealed answer', 32));
}
