// The authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636) by hand, for tests that have no browser.
import { createHash, randomBytes } from 'node:crypto';
import type { TokenResponse } from '../../src/core/types.js';
import type { ClientSettings } from './servers/real-server.js';

/** Sends one request, without following redirects. */
export type Send = (request: Request) => Promise<Response>;

/** The same with a cookie jar, as a browser has one. A request with `credentials: 'omit'` gets no cookies. */
export function withCookies(send: Send): Send {
  const jar = new Map<string, string>();
  return async (request) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    if (cookie !== '' && request.credentials !== 'omit') request.headers.set('cookie', cookie);
    const response = await send(request);
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    return response;
  };
}

export const sendOverNetwork: Send = (request) => fetch(request, { redirect: 'manual' });

/** A new session. The user behind `send` is signed in at the server already, or the server asks nobody. */
export async function signInByHand(
  send: Send,
  client: ClientSettings,
  redirectUri: string,
): Promise<TokenResponse> {
  const { authorization_endpoint: authorizationEndpoint, token_endpoint: tokenEndpoint } = await endpointsOf(
    client,
    send,
  );
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL(authorizationEndpoint);
  const parameters = {
    ...client.parameters,
    response_type: 'code',
    client_id: client.clientId,
    redirect_uri: redirectUri,
    scope: client.scope,
    state: randomBytes(16).toString('base64url'),
    nonce: randomBytes(16).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  };
  // The endpoint may have a query of its own (RFC 6749 §3.1).
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: client.clientId,
    redirect_uri: redirectUri,
    code: await codeBehind(send, url, redirectUri),
    code_verifier: verifier,
  });
  // A page has no cookies of the server. better-auth refuses a token request that has them.
  const response = await send(new Request(tokenEndpoint, { method: 'POST', body, credentials: 'omit' }));
  if (!response.ok) throw new Error(`The code exchange was answered ${response.status}`);
  return (await response.json()) as TokenResponse;
}

/** Where the server is, as the app would find out. */
export async function endpointsOf(
  { issuer, endpoints }: ClientSettings,
  send: Send = sendOverNetwork,
): Promise<{
  authorization_endpoint: string;
  token_endpoint: string;
  revocation_endpoint?: string | undefined;
}> {
  if (endpoints) return endpoints;
  const response = await send(new Request(`${issuer}/.well-known/openid-configuration`));
  return (await response.json()) as { authorization_endpoint: string; token_endpoint: string };
}

/** The code at the end of the redirects. */
async function codeBehind(send: Send, start: URL, redirectUri: string): Promise<string> {
  let url = start;
  for (let hops = 0; hops < 10; hops++) {
    const response = await send(new Request(url));
    const location = response.headers.get('location') ?? (await addressIn(response));
    if (location === undefined)
      throw new Error(`Signing in stopped at ${url.pathname} with ${response.status}`);
    url = new URL(location, url);
    const code = url.href.startsWith(redirectUri) && url.searchParams.get('code');
    if (code) return code;
  }
  throw new Error('Signing in went in circles');
}

/** better-auth answers a `fetch` with the address in a JSON body, for the script to go there. */
async function addressIn(response: Response): Promise<string | undefined> {
  const text = await response.text();
  return text.startsWith('{') ? (JSON.parse(text) as { url?: string }).url : undefined;
}
