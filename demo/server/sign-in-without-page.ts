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
  resources: readonly string[];
  user: string;
}

/** A code, and what else its exchange takes. */
export interface CodeGrant {
  issuer: string;
  clientId: string;
  redirectUri: string;
  code: string;
  verifier: string;
}

export async function exchangeCode(grant: CodeGrant): Promise<TokenResponse> {
  const response = await fetch(new URL('/token', grant.issuer), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: grant.clientId,
      redirect_uri: grant.redirectUri,
      code: grant.code,
      code_verifier: grant.verifier,
    }),
  });
  if (!response.ok) throw new Error(`The code exchange was answered ${response.status}`);
  return (await response.json()) as TokenResponse;
}

export async function authorizeWithoutPage(request: SignInRequest): Promise<CodeGrant> {
  const { issuer, clientId, redirectUri, scope, resources, user } = request;
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL('/auth', issuer);
  url.search = new URLSearchParams([
    ['client_id', clientId],
    ['response_type', 'code'],
    ['redirect_uri', redirectUri],
    ['scope', scope],
    ...resources.map((resource) => ['resource', resource] as [string, string]),
    ['prompt', 'login consent'],
    ['login_hint', user],
    ['code_challenge', createHash('sha256').update(verifier).digest('base64url')],
    ['code_challenge_method', 'S256'],
  ]).toString();
  const code = await follow(url, redirectUri);
  return { issuer, clientId, redirectUri, code, verifier };
}

/** The code at the end of the redirects. */
async function follow(url: URL, redirectUri: string): Promise<string> {
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
