import { generateKeyPair, SignJWT } from 'jose';
import { createHash } from 'node:crypto';
import { startLoopbackServer, type LoopbackServer } from './loopback-server.js';

/** As much of an authorization server as the code flow of a test needs; the test answers for its token endpoint. */
export interface SignInServer extends LoopbackServer {
  readonly metadata: {
    readonly issuer: string;
    readonly authorization_endpoint: string;
    readonly token_endpoint: string;
  };
  /** A token response for `ada`, with an ID token for the client `app`. */
  readonly tokens: () => object;
  /** The user agrees: where the browser is sent back to. */
  readonly approve: (authorization: URL) => URL;
  /** Whether the newest token request has the verifier of the newest authorization (RFC 7636). */
  readonly isVerified: () => boolean;
}

export async function startSignInServer(): Promise<SignInServer> {
  const server = await startLoopbackServer();
  const { privateKey } = await generateKeyPair('RS256');
  const idToken = await new SignJWT({ sub: 'ada' })
    .setProtectedHeader({ alg: 'RS256' })
    .setIssuer(server.origin)
    .setAudience('app')
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(privateKey);
  let challenge: string | null;
  return {
    ...server,
    metadata: {
      issuer: server.origin,
      authorization_endpoint: `${server.origin}/authorize`,
      token_endpoint: `${server.origin}/token`,
    },
    tokens: () => ({
      access_token: 'access-1',
      refresh_token: 'refresh-1',
      token_type: 'Bearer',
      expires_in: 60,
      scope: 'openid offline_access',
      id_token: idToken,
    }),
    approve({ searchParams }) {
      challenge = searchParams.get('code_challenge');
      const callback = new URL(searchParams.get('redirect_uri') ?? '');
      callback.searchParams.set('code', 'code-1');
      callback.searchParams.set('state', searchParams.get('state') ?? '');
      return callback;
    },
    isVerified() {
      const verifier = server.received.at(-1)?.form.get('code_verifier') ?? '';
      return createHash('sha256').update(verifier).digest('base64url') === challenge;
    },
  };
}
