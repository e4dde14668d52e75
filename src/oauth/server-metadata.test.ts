import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { json, startLoopbackServer, type LoopbackServer } from '../../test/support/loopback-server.js';
import { RefreshUnavailableError } from '../core/errors.js';
import type { RefreshRequest } from '../types.js';
import { refreshTokenGrant } from './index.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await startLoopbackServer();
});
afterAll(() => server.close());

const pair = { access_token: 'access-2', token_type: 'Bearer' };
const request: RefreshRequest = {
  refreshToken: 'refresh-1',
  sessionId: 'session',
  version: 1,
  attempt: 1,
  idempotencyKey: 'key',
  signal: new AbortController().signal,
};

/** A server that publishes `metadata` (a path of its own for OpenID providers, RFC 8414's otherwise). */
function publish(metadata: object, wellKnown = '/.well-known/openid-configuration'): void {
  server.answer(({ url, method }, response) => {
    if (url === wellKnown) return json(200, metadata)({} as never, response);
    if (method === 'POST') return json(200, pair)({} as never, response);
    return json(404, {})({} as never, response);
  });
}
const metadata = (): object => ({
  issuer: server.origin,
  token_endpoint: `${server.origin}/token`,
  revocation_endpoint: `${server.origin}/revoke`,
});
const paths = (): string[] => server.received.map(({ url }) => url);

describe('discovery', () => {
  test('happens once, when first needed, and never again', async () => {
    publish(metadata());
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app' });
    expect(paths()).toEqual([]);
    await Promise.all([client.refresh(request), client.refresh(request)]);
    await client.refresh(request);
    expect(paths()).toEqual(['/.well-known/openid-configuration', '/token', '/token', '/token']);
  });

  test('goes to RFC 8414 where there is no OpenID document', async () => {
    publish(metadata(), '/.well-known/oauth-authorization-server');
    await refreshTokenGrant({ issuer: server.origin, clientId: 'app' }).refresh(request);
    expect(paths().at(-1)).toBe('/token');
  });

  // To a page a 404 without CORS headers is a network error.
  test('goes there as well where the answer cannot be read', async () => {
    publish(metadata(), '/.well-known/oauth-authorization-server');
    const strict: typeof fetch = (input, init) =>
      new Request(input).url.endsWith('openid-configuration')
        ? Promise.reject(new TypeError('Failed to fetch'))
        : fetch(input, init);
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app', fetch: strict });
    expect(await client.refresh(request)).toEqual(pair);
  });

  test('does not go there when time is up', async () => {
    const late = vi
      .fn<typeof fetch>()
      .mockRejectedValue(new DOMException('The operation timed out.', 'TimeoutError'));
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app', fetch: late });
    await expect(client.refresh(request)).rejects.toMatchObject({ refreshOutcome: 'unavailable' });
    expect(late).toHaveBeenCalledTimes(1);
  });

  test('is not done for a token endpoint that was given', async () => {
    publish(metadata());
    const tokenEndpoint = `${server.origin}/given`;
    await refreshTokenGrant({ issuer: server.origin, tokenEndpoint, clientId: 'app' }).refresh(request);
    expect(paths()).toEqual(['/given']);
  });

  test('a failed one is tried again by the next refresh', async () => {
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app' });
    server.answer(json(503, {}, { 'retry-after': '3' }));
    await expect(client.refresh(request)).rejects.toMatchObject({
      refreshOutcome: 'unavailable',
      status: 503,
      retryAfterMs: 3_000,
    });
    expect(server.received.map(({ method }) => method)).toEqual(['GET']);
    publish(metadata());
    expect(await client.refresh(request)).toEqual(pair);
  });

  const unusable: [string, () => object, object][] = [
    ['no answer that can be read', () => [], { refreshOutcome: 'unavailable', status: 200 }],
    [
      'another issuer',
      () => ({ ...metadata(), issuer: 'https://else.example' }),
      { code: 'ERR_CONFIGURATION' },
    ],
    ['no token endpoint', () => ({ issuer: server.origin }), { code: 'ERR_CONFIGURATION' }],
    [
      'a token endpoint on plain http',
      () => ({ ...metadata(), token_endpoint: 'http://login.example/token' }),
      { code: 'ERR_CONFIGURATION' },
    ],
  ];
  test.each(unusable)('%s', async (_name, published, expected) => {
    publish(published());
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app' });
    await expect(client.refresh(request)).rejects.toMatchObject(expected);
    expect(server.received.map(({ method }) => method)).toEqual(['GET']);
  });

  const grantOf = (issuer: string): Promise<unknown> =>
    refreshTokenGrant({ issuer, clientId: 'app' })
      .refresh(request)
      .catch((error: unknown) => error);
  const wellKnown = '.well-known/openid-configuration';

  test.each([
    ['', '/'],
    ['/', ''],
    ['', ''],
    ['/realm', '/realm'],
    ['/realm/', '/realm/'],
  ])('an issuer at %j may be published as %j', async (asked, published) => {
    publish({ ...metadata(), issuer: server.origin + published }, `${asked.replace(/\/$/, '')}/${wellKnown}`);
    expect(await grantOf(server.origin + asked)).toEqual(pair);
  });

  test.each([
    ['/realm', '/realm/'],
    ['/realm/', '/realm'],
    ['/realm', ''],
    ['', '/realm'],
    ['/', '//'],
    ['/tenant/v2.0', '/{tenantid}/v2.0'],
  ])('an issuer at %j may not be published as %j', async (asked, published) => {
    publish({ ...metadata(), issuer: server.origin + published }, `${asked.replace(/\/$/, '')}/${wellKnown}`);
    const error = await grantOf(server.origin + asked);
    expect(error).toMatchObject({ code: 'ERR_CONFIGURATION' });
    expect(String(error)).toContain(
      `${server.origin}${asked} names another issuer, ${server.origin}${published}.`,
    );
    expect(String(error)).toContain('give tokenEndpoint');
  });

  test.each([301, 302, 307])('a redirect (%i) of the metadata is said, not followed', async (status) => {
    server.answer((_request, response) => void response.writeHead(status, { location: '/moved' }).end());
    const error = await grantOf(server.origin);
    expect(error).toMatchObject({ code: 'ERR_CONFIGURATION' });
    expect(String(error)).toMatch(/has moved.*give tokenEndpoint/);
    expect(paths()).not.toContain('/moved');
  });

  test('so is one that a page cannot look into', async () => {
    const opaque = new Response(null, { status: 200 });
    Object.defineProperties(opaque, { type: { value: 'opaqueredirect' }, status: { value: 0 } });
    const client = refreshTokenGrant({
      issuer: server.origin,
      clientId: 'app',
      fetch: () => Promise.resolve(opaque),
    });
    await expect(client.refresh(request)).rejects.toThrow(/has moved/);
  });

  test('an issuer without metadata is only unavailable', async () => {
    server.answer(json(404, {}));
    const error = await grantOf(server.origin);
    expect(error).toMatchObject({ refreshOutcome: 'unavailable', status: 404, unspent: true });
    expect(String((error as Error).cause)).toContain('give tokenEndpoint');
  });

  test('one that took too long leads to no request', async () => {
    publish(metadata());
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app' });
    const assertSendable = (): never => {
      throw new RefreshUnavailableError();
    };
    await expect(client.refresh({ ...request, assertSendable })).rejects.toMatchObject({
      refreshOutcome: 'unavailable',
      unspent: true,
    });
    expect(paths()).toEqual(['/.well-known/openid-configuration']);
    expect(await client.refresh(request)).toEqual(pair);
  });
});

describe('revocation (RFC 7009)', () => {
  test('goes to the given endpoint, and outlives the page', async () => {
    server.answer(json(200, ''));
    const inits: RequestInit[] = [];
    const client = refreshTokenGrant({
      tokenEndpoint: `${server.origin}/token`,
      revocationEndpoint: `${server.origin}/revoke`,
      clientId: 'app',
      fetch: (input, init = {}) => (inits.push(init), globalThis.fetch(input, init)),
    });
    await client.revoke?.('refresh-1', 'refresh_token');
    expect(paths()).toEqual(['/revoke']);
    expect(Object.fromEntries(server.received[0]?.form ?? [])).toStrictEqual({
      token: 'refresh-1',
      token_type_hint: 'refresh_token',
      client_id: 'app',
    });
    expect(inits[0]).toMatchObject({ keepalive: true, method: 'POST' });
  });

  test('goes to the discovered endpoint', async () => {
    publish(metadata());
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app' });
    await client.revoke?.('refresh-1', 'refresh_token');
    expect(paths()).toEqual(['/.well-known/openid-configuration', '/revoke']);
  });

  test('knows where to go before a page signs out', async () => {
    publish(metadata());
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app' });
    await Promise.all([client.prepareRevocation?.(), client.prepareRevocation?.()]);
    expect(paths()).toEqual(['/.well-known/openid-configuration']);
    await client.revoke?.('refresh-1', 'refresh_token');
    expect(paths()).toEqual(['/.well-known/openid-configuration', '/revoke']);
  });

  test('does nothing where the issuer has no such endpoint', async () => {
    publish({ issuer: server.origin, token_endpoint: `${server.origin}/token` });
    const client = refreshTokenGrant({ issuer: server.origin, clientId: 'app' });
    await client.revoke?.('refresh-1', 'refresh_token');
    expect(paths()).toEqual(['/.well-known/openid-configuration']);
  });

  test.each([
    ['503', json(503, ''), { refreshOutcome: 'unavailable', status: 503 }],
    ['400', json(400, { error: 'unsupported_token_type' }), { error: 'unsupported_token_type', status: 400 }],
  ])('a failure is said: %s', async (_name, answer, expected) => {
    server.answer(answer);
    const client = refreshTokenGrant({
      tokenEndpoint: `${server.origin}/token`,
      revocationEndpoint: `${server.origin}/revoke`,
      clientId: 'app',
    });
    await expect(client.revoke?.('refresh-1', 'refresh_token')).rejects.toMatchObject(expected);
  });
});
