import { decodeJwt, exportJWK, generateKeyPair, importJWK, jwtVerify } from 'jose';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { startLoopbackServer, type LoopbackServer } from '../../test/support/loopback-server.js';
import type { RefreshRequest } from '../types.js';
import { refreshTokenGrant, type ClientAuthentication } from './index.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
});
afterAll(() => server.close());
afterEach(() => vi.unstubAllGlobals());

const secret = 'näive: secret+1';

function request(more: Partial<RefreshRequest> = {}): RefreshRequest {
  return {
    refreshToken: 'r1',
    sessionId: 's',
    version: 1,
    attempt: 1,
    idempotencyKey: 's.1',
    signal: new AbortController().signal,
    ...more,
  };
}

function clientWith(clientAuth: ClientAuthentication) {
  server.answer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ access_token: 'a2', token_type: 'Bearer', refresh_token: 'r2' }));
  });
  return refreshTokenGrant({
    tokenEndpoint: `${server.origin}/token`,
    revocationEndpoint: `${server.origin}/revoke`,
    clientId: 'web app',
    clientAuth,
  });
}

test('client_secret_basic stands in the header alone', async () => {
  const client = clientWith({ method: 'client_secret_basic', clientSecret: secret });
  expect(await client.refresh(request())).toMatchObject({ access_token: 'a2', refresh_token: 'r2' });
  await client.revoke!('r2', 'refresh_token');
  expect(server.received.map(({ url }) => url)).toEqual(['/token', '/revoke']);
  for (const { headers, form } of server.received) {
    const [user, password] = atob(headers.authorization!.replace('Basic ', '')).split(':');
    // Form-encoded first (RFC 6749 §2.3.1).
    expect(new URLSearchParams(`u=${user}&p=${password}`).get('u')).toBe('web app');
    expect(new URLSearchParams(`u=${user}&p=${password}`).get('p')).toBe(secret);
    expect(form.has('client_id') || form.has('client_secret')).toBe(false);
  }
  expect(server.received[0]!.form.get('refresh_token')).toBe('r1');
});

test('client_secret_post stands in the form alone', async () => {
  const client = clientWith({ method: 'client_secret_post', clientSecret: secret });
  await client.refresh(request());
  const [{ headers, form }] = server.received as [(typeof server.received)[0]];
  expect(headers.authorization).toBeUndefined();
  expect(Object.fromEntries(form)).toMatchObject({
    grant_type: 'refresh_token',
    refresh_token: 'r1',
    client_id: 'web app',
    client_secret: secret,
  });
});

test('private_key_jwt signs one assertion per request', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const client = clientWith({ method: 'private_key_jwt', privateKey, keyId: 'k1' });
  await client.refresh(request());
  await client.refresh(request());
  const [one, two] = server.received.map(({ form }) => form.get('client_assertion')!);
  const key = await importJWK(await exportJWK(publicKey), 'ES256');
  const { payload, protectedHeader } = await jwtVerify(one!, key, {
    issuer: 'web app',
    subject: 'web app',
    audience: `${server.origin}/token`,
  });
  expect(protectedHeader).toEqual({ alg: 'ES256', kid: 'k1' });
  expect(payload.jti).not.toBe(decodeJwt(two!).jti);
  expect(server.received[0]!.form.get('client_assertion_type')).toBe(
    'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  );
});

test('does not send an overdue request', async () => {
  const { privateKey } = await generateKeyPair('ES256');
  const client = clientWith({ method: 'private_key_jwt', privateKey });
  let checks = 0;
  const assertSendable = (): void => {
    // The first check is the grant's own, before it signs.
    if (++checks > 1)
      throw Object.assign(new Error('late'), { refreshOutcome: 'unavailable', unspent: true });
  };
  await expect(client.refresh(request({ assertSendable }))).rejects.toMatchObject({ unspent: true });
  expect(server.received).toHaveLength(0);
});

test('without clientAuth it is a public client', async () => {
  const client = clientWith(undefined as never);
  await client.refresh(request());
  expect(server.received[0]!.form.get('client_id')).toBe('web app');
  expect(server.received[0]!.headers.authorization).toBeUndefined();
});

test.each([
  ['an unknown method', { method: 'tls_client_auth' }],
  ['no secret', { method: 'client_secret_post' }],
  ['an empty secret', { method: 'client_secret_basic', clientSecret: '' }],
  ['no key', { method: 'private_key_jwt' }],
  ['a text', 'secret'],
])('refuses %s', (_, clientAuth) => {
  expect(() => clientWith(clientAuth as never)).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIGURATION' }),
  );
});

test.each(['document', 'location'])('refuses to be in a browser, which has a %s', (name) => {
  vi.stubGlobal(name, {});
  expect(() => clientWith({ method: 'client_secret_post', clientSecret: secret })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIGURATION', message: expect.stringContaining('browser') }),
  );
});

test('refuses dpop, whose keys live in browsers', () => {
  const options = { tokenEndpoint: `${server.origin}/token`, clientId: 'web', dpop: true } as never;
  expect(() => refreshTokenGrant(options)).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION' }));
});

test.each([
  ['as it is published', (origin: string) => origin],
  ['with a slash', (origin: string) => `${origin}/`],
  ['as a URL', (origin: string) => new URL(origin)],
])('an assertion is for the published issuer: %s', async (_, issuer) => {
  const { privateKey } = await generateKeyPair('ES256');
  const { origin } = server;
  server.answer(({ url }, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const metadata = {
      issuer: origin,
      token_endpoint: `${origin}/token`,
      revocation_endpoint: `${origin}/revoke`,
    };
    const tokens = { access_token: 'a2', token_type: 'Bearer', refresh_token: 'r2' };
    response.end(JSON.stringify(url.startsWith('/.well-known') ? metadata : tokens));
  });
  const client = refreshTokenGrant({
    issuer: issuer(origin),
    clientId: 'web app',
    clientAuth: { method: 'private_key_jwt', privateKey },
  });
  await client.refresh(request());
  await client.revoke!('r2', 'refresh_token');
  const assertions = server.received.flatMap(({ form }) => form.get('client_assertion') ?? []);
  expect(assertions.map((one) => decodeJwt(one).aud)).toEqual([origin, origin]);
});
