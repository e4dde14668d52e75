import { IDBFactory } from 'fake-indexeddb';
import { calculateJwkThumbprint, decodeJwt } from 'jose';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RefreshRequest, TokenClient } from '../types.js';
import { getDPoPKeyPair, refreshTokenGrant, type RefreshTokenGrantOptions } from './index.js';

/** The certified provider itself, rotating, revoking the grant on replay, and wanting a nonce in every proof. */
let provider: Provider;
let server: Server;
let issuer: string;
let requests: string[];

beforeAll(async () => {
  // oidc-provider says on the console that its keys and cookies are for development only.
  vi.spyOn(console, 'info').mockReturnValue();
  vi.spyOn(console, 'warn').mockReturnValue();
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'app',
        token_endpoint_auth_method: 'none',
        redirect_uris: ['https://app.example/'],
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
    scopes: ['openid', 'offline_access'],
    rotateRefreshToken: true,
    ttl: { AccessToken: 60, RefreshToken: 3600, Grant: 3600, IdToken: 60 },
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    features: {
      revocation: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 1), requireNonce: () => true },
    },
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    requests.push(String(request.url));
    void handle(request, response);
  });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  vi.restoreAllMocks();
});
beforeEach(() => {
  requests = [];
  vi.stubGlobal('indexedDB', new IDBFactory());
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** A refresh token as the code exchange of a sign-in would have given it. */
async function issue(jkt?: string): Promise<string> {
  const client = await provider.Client.find('app');
  const grant = new provider.Grant({ accountId: 'ada', clientId: 'app' });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId: 'ada',
    client: client as NonNullable<typeof client>,
    grantId,
    gty: 'authorization_code',
    scope: 'openid offline_access',
    ...(jkt !== undefined && { jkt }),
  });
  return token.save();
}

const request = (refreshToken: string): RefreshRequest => ({
  refreshToken,
  sessionId: 'session',
  version: 1,
  attempt: 1,
  idempotencyKey: 'key',
  signal: new AbortController().signal,
});
const newClient = (options: Partial<RefreshTokenGrantOptions> = {}): TokenClient =>
  refreshTokenGrant({ issuer, clientId: 'app', ...options });

describe('oidc-provider, Bearer', () => {
  test('a refresh rotates; a replay revokes the family', async () => {
    const client = newClient();
    const first = await issue();
    const tokens = await client.refresh(request(first));
    expect(tokens).toMatchObject({ token_type: 'Bearer', expires_in: 60, scope: 'openid offline_access' });
    expect(decodeJwt(String(tokens.id_token)).sub).toBe('ada');
    const next = await client.refresh(request(String(tokens.refresh_token)));
    const refused = { refreshOutcome: 'rejected', error: 'invalid_grant', status: 400 };
    await expect(client.refresh(request(first))).rejects.toMatchObject(refused);
    await expect(client.refresh(request(String(next.refresh_token)))).rejects.toMatchObject(refused);
    expect(requests.filter((url) => url !== '/token')).toEqual(['/.well-known/openid-configuration']);
  });

  test('a revoked token is refused', async () => {
    const client = newClient();
    const token = await issue();
    await client.revoke?.(token, 'refresh_token');
    await expect(client.refresh(request(token))).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  test.each([
    [{ clientId: 'nobody' }, { error: 'invalid_client', status: 401 }],
    [{ scope: 'openid more' }, { error: 'invalid_scope', status: 400 }],
  ])('%j', async (options, refused) => {
    await expect(newClient(options).refresh(request(await issue()))).rejects.toMatchObject(refused);
  });
});

describe('oidc-provider, DPoP with nonces', () => {
  async function signIn(): Promise<{ client: TokenClient; refreshToken: string }> {
    const client = newClient({ dpop: true });
    const { publicKey } = await getDPoPKeyPair('app');
    const jkt = await calculateJwkThumbprint(await crypto.subtle.exportKey('jwk', publicKey));
    const tokens = { access_token: 'of the sign-in', token_type: 'DPoP' };
    await client.bind?.({ name: 'app', sessionId: 'session', tokens });
    return { client, refreshToken: await issue(jkt) };
  }

  test('asks for a nonce once, the refresh token untouched', async () => {
    const { client, refreshToken } = await signIn();
    const tokens = await client.refresh(request(refreshToken));
    expect(tokens).toMatchObject({ token_type: 'DPoP', expires_in: 60 });
    await client.refresh(request(String(tokens.refresh_token)));
    expect(requests).toEqual(['/.well-known/openid-configuration', '/token', '/token', '/token']);
  });

  test('refuses a stolen refresh token without the right proof', async () => {
    const { client, refreshToken } = await signIn();
    await expect(newClient().refresh(request(refreshToken))).rejects.toMatchObject({
      refreshOutcome: 'rejected',
    });
    vi.stubGlobal('indexedDB', new IDBFactory());
    vi.resetModules();
    const thief = await import('./index.js');
    await thief.getDPoPKeyPair('thief');
    const stolen = thief.refreshTokenGrant({ issuer, clientId: 'app', dpop: true });
    const tokens = { access_token: 'stolen', token_type: 'DPoP' };
    await stolen.bind?.({ name: 'thief', sessionId: 'session', tokens });
    await expect(stolen.refresh(request(refreshToken))).rejects.toMatchObject({ error: 'invalid_grant' });
    expect(await client.refresh(request(refreshToken))).toHaveProperty('access_token');
  });
});
