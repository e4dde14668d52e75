// Somebody outside the browser, who has a token and no key but their own.
import { createHash } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** A sound proof (RFC 9449 §4.2) by a key that was just made. */
export async function generateDPoP(method: string, url: string, accessToken?: string): Promise<string> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const ath = accessToken !== undefined && createHash('sha256').update(accessToken).digest('base64url');
  return new SignJWT({ htm: method, htu: url, jti: crypto.randomUUID(), ...(ath && { ath }) })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(publicKey) })
    .setIssuedAt()
    .sign(privateKey);
}

export async function post(
  url: string,
  parameters: Record<string, string>,
  headers: Record<string, string>,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(parameters) });
  return { status: response.status, body: await response.json() };
}
