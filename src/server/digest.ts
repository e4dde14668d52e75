import { buffers, node } from './node-crypto.js';

const encoder = new TextEncoder();

/** SHA-256 of several texts, base64url. The first one names the purpose, so that no digest can stand for another. */
export async function digest(...parts: (string | null)[]): Promise<string> {
  const text = JSON.stringify(parts);
  if (node?.hash) return node.hash('sha256', text, 'base64url');
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text))));
}

export function base64url(bytes: Uint8Array): string {
  if (buffers)
    return buffers.Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @throws if the text is not base64url */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) =>
    character.charCodeAt(0),
  );
}
