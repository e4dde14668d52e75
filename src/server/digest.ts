const encoder = new TextEncoder();

/** SHA-256 of several texts, base64url. The first one names the purpose, so that no digest can stand for another. */
export async function digest(...parts: (string | null)[]): Promise<string> {
  return base64url(
    new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(JSON.stringify(parts)))),
  );
}

export function base64url(bytes: Uint8Array): string {
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
