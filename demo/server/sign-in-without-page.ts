// The authorization code flow over plain HTTP, for tests: the server's own redirects, followed by hand, with a fresh cookie jar.
import { createHash, randomBytes } from 'node:crypto';

export interface TokenResponse {
  access_token: string;
  token_type: string;
  expires_in: number;
  refresh_token: string;
  id_token: string;
  scope: string;
}

export interface SignInRequest {
  issuer: string;
  clientId: string;
  redirectUri: string;
  scope: string;
  user: string;
}

export async function signInWithoutPage(request: SignInRequest): Promise<TokenResponse> {
  const verifier = randomBytes(32).toString('base64url');
  const code = await authorize(request, createHash('sha256').update(verifier).digest('base64url'));
  const response = await fetch(new URL('/token', request.issuer), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: request.clientId,
      redirect_uri: request.redirectUri,
      code,
      code_verifier: verifier,
    }),
  });
  if (!response.ok) throw new Error(`The code exchange was answered ${response.status}`);
  return (await response.json()) as TokenResponse;
}

async function authorize(request: SignInRequest, challenge: string): Promise<string> {
  const { issuer, clientId, redirectUri, scope, user } = request;
  let url = new URL('/auth', issuer);
  url.search = new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope,
    prompt: 'login consent',
    login_hint: user,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  }).toString();

  const cookies = new Map<string, string>();
  for (let hops = 0; hops < 10; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
    await response.body?.cancel();
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location === null) throw new Error(`Signing in stopped at ${url.pathname} with ${response.status}`);
    url = new URL(location, url);
    if (url.href.startsWith(redirectUri)) return url.searchParams.get('code') ?? '';
  }
  throw new Error('Signing in went in circles');
}
