import { ES256 } from './key-pair.js';

/** The subject of a proof. */
export interface ProofClaims {
  readonly url: string;
  readonly method: string;
  /** Of a request to an API; its hash goes into the proof. */
  readonly accessToken?: string | undefined;
  /** The nonce that the server wants to see again. */
  readonly nonce?: string | undefined;
  /** The server's time; epoch milliseconds. */
  readonly now: number;
}

/**
 * A DPoP proof (RFC 9449 §4.2): a JWT that says which request it belongs to, signed by the key that the token is bound to. Written out here
 * because `oauth4webapi` gives no proof for a request that it does not send itself.
 */
export async function createProof(keyPair: CryptoKeyPair, claims: ProofClaims): Promise<string> {
  const { origin, pathname } = new URL(claims.url);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', keyPair.publicKey);
  const header = encodeJson({ alg: 'ES256', typ: 'dpop+jwt', jwk: { kty, crv, x, y } });
  const payload = encodeJson({
    jti: crypto.randomUUID(),
    htm: claims.method,
    htu: origin + pathname,
    iat: Math.floor(claims.now / 1000),
    ...(claims.accessToken !== undefined && { ath: await sha256(claims.accessToken) }),
    ...(claims.nonce !== undefined && { nonce: claims.nonce }),
  });
  const signature = await crypto.subtle.sign(ES256, keyPair.privateKey, utf8(`${header}.${payload}`));
  return `${header}.${payload}.${encode(signature)}`;
}

/** The JWK thumbprint of a key (RFC 7638), as access tokens name it in `cnf.jkt`. */
export async function thumbprint({ publicKey }: CryptoKeyPair): Promise<string> {
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  return sha256(JSON.stringify({ crv, kty, x, y }));
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const sha256 = async (text: string): Promise<string> =>
  encode(await crypto.subtle.digest('SHA-256', utf8(text)));
const encodeJson = (value: object): string => encode(utf8(JSON.stringify(value)).buffer);

/** Base64url without padding (RFC 7515 §2). */
function encode(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
