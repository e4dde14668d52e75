import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFakeSession, type FakeSession } from '../../test/support/fake-session.js';
import {
  json,
  startLoopbackServer,
  type Answer,
  type LoopbackServer,
} from '../../test/support/loopback-server.js';
import { createFetch, type CreateFetchOptions } from './index.js';

/** Two origins: the same machine under two names. */
let api: LoopbackServer;
let stranger: LoopbackServer;
let session: FakeSession;
let authFetch: typeof globalThis.fetch;
beforeAll(async () => {
  api = await startLoopbackServer('127.0.0.1');
  stranger = await startLoopbackServer('localhost');
});
afterAll(() => Promise.all([api.close(), stranger.close()]));
beforeEach(() => {
  session = createFakeSession();
  authFetch = createFetch(session, { allowedOrigins: [api.origin] });
  api.answer(json(200, {}));
  stranger.answer(json(200, {}));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const redirect =
  (status: number, location: string): Answer =>
  (_request, response) =>
    void response.writeHead(status, { location }).end();
const tokensAt = (server: LoopbackServer): unknown[] =>
  server.received.map(({ headers }) => headers.authorization);

describe('an origin that is not listed', () => {
  test("is called with exactly the caller's arguments", async () => {
    const fetch = vi.fn<typeof globalThis.fetch>().mockResolvedValue(new Response());
    session.start(undefined);
    const init = { method: 'POST', body: 'x' };
    const request = new Request(stranger.origin);
    const passing = createFetch(session, { allowedOrigins: [api.origin], fetch });
    await passing(stranger.origin, init);
    await passing(request);
    expect(fetch.mock.calls[0]?.[1]).toBe(init);
    expect(fetch.mock.calls[1]?.[0]).toBe(request);
  });

  test('is left alone after a 401', async () => {
    stranger.answer(json(401, {}));
    expect((await authFetch(stranger.origin)).status).toBe(401);
    expect(session.refreshes).toBe(0);
  });

  test('does not become one by its name', async () => {
    const { port } = new URL(stranger.origin);
    const tricks = [
      `http://127.0.0.1@localhost:${port}/`,
      `http://127.0.0.1:${new URL(api.origin).port}@localhost:${port}/`,
      `http:\\\\localhost:${port}/`,
      ` http://localhost:${port}/`,
      `HTTP://LOCALHOST:${port}/?${api.origin}#${api.origin}`,
      new URL(`//localhost:${port}/`, api.origin),
    ];
    for (const trick of tricks) await authFetch(trick).catch(() => undefined);
    expect(stranger.received.length).toBeGreaterThanOrEqual(4);
    expect(new Set(tokensAt(stranger))).toEqual(new Set([undefined]));
  });

  test.each(['//stranger/', '\\\\stranger/', '/\\stranger/', 'http:\\/stranger/', '\t//stranger/'])(
    'does not become one by a relative URL: %j',
    async (path) => {
      vi.stubGlobal('document', { baseURI: `${api.origin}/deep/path/` });
      const relative = path.replace('stranger', new URL(stranger.origin).host);
      await authFetch(relative).catch(() => undefined);
      expect(tokensAt(stranger).filter(Boolean)).toEqual([]);
      expect(tokensAt(api).filter(Boolean).length + stranger.received.length).toBeLessThanOrEqual(1);
    },
  );

  test('an input that changes its word becomes none', async () => {
    let asked = 0;
    const input = { toString: () => (asked++ ? stranger.origin : api.origin) };
    await authFetch(input as unknown as URL);
    expect([asked, tokensAt(api), stranger.received]).toEqual([1, ['Bearer first-1'], []]);
  });

  test('a Request that lies about its URL becomes none', async () => {
    class Lie extends Request {
      override get url(): string {
        return api.origin;
      }
    }
    await authFetch(new Lie(stranger.origin));
    expect(tokensAt(stranger)).toEqual([undefined]);
  });

  test('a copy of a listed Request gets no token', async () => {
    const request = new Request(api.origin, { method: 'POST', body: 'x' });
    const before = request.clone();
    await authFetch(request);
    await authFetch(new Request(stranger.origin, before));
    await authFetch(new Request(stranger.origin, { headers: request.headers }));
    expect(tokensAt(api)).toEqual(['Bearer first-1']);
    expect(tokensAt(stranger)).toEqual([undefined, undefined]);
  });
});

describe('redirects', () => {
  test.each([301, 302, 303, 307, 308])(
    '%i to another origin is followed without the token',
    async (status) => {
      api.answer(redirect(status, `${stranger.origin}/there`));
      stranger.answer(json(401, { refused: true }));
      const response = await authFetch(`${api.origin}/here`);
      expect([response.status, response.redirected, await response.json()]).toEqual([
        401,
        true,
        { refused: true },
      ]);
      expect([tokensAt(api), tokensAt(stranger)]).toEqual([['Bearer first-1'], [undefined]]);
      expect(session.refreshes).toBe(0);
    },
  );

  test('there and back again: the token does not return', async () => {
    api.answer((request, response) =>
      request.url === '/here'
        ? redirect(302, `${stranger.origin}/there`)(request, response)
        : json(200, {})(request, response),
    );
    stranger.answer(redirect(302, `${api.origin}/back`));
    await authFetch(`${api.origin}/here`);
    expect([tokensAt(api), tokensAt(stranger)]).toEqual([['Bearer first-1', undefined], [undefined]]);
  });

  test('within the origin is followed with the token', async () => {
    api.answer((request, response) =>
      (request.url === '/here' ? redirect(307, '/there') : json(200, {}))(request, response),
    );
    const response = await authFetch(`${api.origin}/here`, { method: 'POST', body: 'x' });
    expect([response.status, response.url, tokensAt(api)]).toEqual([
      200,
      `${api.origin}/there`,
      ['Bearer first-1', 'Bearer first-1'],
    ]);
  });

  test('from another origin to a listed one: no token', async () => {
    stranger.answer(redirect(302, api.origin));
    await authFetch(stranger.origin);
    expect(tokensAt(api)).toEqual([undefined]);
  });

  test('are left to the caller who wants them so', async () => {
    api.answer(redirect(302, stranger.origin));
    expect((await authFetch(api.origin, { redirect: 'manual' })).status).toBe(302);
    await expect(authFetch(api.origin, { redirect: 'error' })).rejects.toBeInstanceOf(TypeError);
    expect(stranger.received).toEqual([]);
  });
});

describe('allowedOrigins', () => {
  const fetch: typeof globalThis.fetch = (_input, init) =>
    Promise.resolve(new Response(new Headers(init?.headers).get('authorization')));
  const sees = async (url: string, allowedOrigins?: CreateFetchOptions['allowedOrigins']): Promise<boolean> =>
    (await (await createFetch(session, { fetch, allowedOrigins })(url)).text()) !== '';

  test('by default is the page itself', async () => {
    vi.stubGlobal('location', new URL('https://app.example/page'));
    expect(await sees('/api')).toBe(true);
    expect(await sees('https://app.example:443/api')).toBe(true);
    expect(await sees('https://app.example:444/api')).toBe(false);
    expect(await sees('http://app.example/api')).toBe(false);
    expect(await sees('https://api.app.example/')).toBe(false);
    expect(await sees('blob:https://app.example/5b4f')).toBe(false);
    expect(await sees('data:text/plain,x')).toBe(false);
  });

  test('is nothing by default without a page and origin', async () => {
    expect(await sees('https://app.example/')).toBe(false);
    vi.stubGlobal('location', { origin: 'null', href: 'about:srcdoc' });
    expect(await sees('data:text/plain,x')).toBe(false);
  });

  // Pages of an app, of an extension, and those whose requests anybody can read.
  test.each([
    'capacitor://localhost/',
    'ionic://localhost/',
    'tauri://localhost/',
    'app://-/index.html',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop/popup.html',
    'moz-extension://5ad2/popup.html',
    'http://app.example/',
    'http://192.168.1.5:8081/',
  ])('by default is nothing at %s', async (href) => {
    const { protocol, host } = new URL(href);
    vi.stubGlobal('location', { href, origin: `${protocol}//${host}` });
    expect(await sees(new URL('/api', href).href)).toBe(false);
    expect(await sees('https://api.example/', ['https://api.example'])).toBe(true);
  });

  test('plain http: is possible on loopback only', async () => {
    for (const origin of ['http://localhost:1', 'http://127.0.0.1:1', 'http://[::1]:1'])
      expect(await sees(`${origin}/`, [origin])).toBe(true);
    for (const origin of ['http://api.example', 'http://10.0.0.1', 'http://localhost.example'])
      expect(() => createFetch(session, { allowedOrigins: [origin] })).toThrow(/must use https:/);
  });

  test('a given list replaces the default', async () => {
    vi.stubGlobal('location', new URL('https://app.example/page'));
    expect(await sees('https://app.example/', ['https://API.example/'])).toBe(false);
    expect(await sees('https://api.example/', ['https://API.example/'])).toBe(true);
    expect(await sees('https://app.example/', [])).toBe(false);
  });

  test.each([
    ['https://api.example/v1'],
    ['https://api.example?x'],
    ['https://user@api.example'],
    ['*'],
    ['https://'],
    ['api.example'],
    ['null'],
    ['file:///tmp'],
    [''],
    [undefined],
  ])('refuses %j', (origin) => {
    expect(() => createFetch(session, { allowedOrigins: [origin as string] })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIGURATION' }) as Error,
    );
  });

  test('refuses a selector that is no text', () => {
    const entry = { origin: api.origin, resource: new URL(api.origin) as never };
    expect(() => createFetch(createFakeSession(), { allowedOrigins: [entry] })).toThrow(/must be text/);
  });

  test('refuses an origin listed twice: which token would it get?', () => {
    const allowedOrigins = ['https://api.example', { origin: 'https://api.example/', scope: 'x' }];
    expect(() => createFetch(session, { allowedOrigins })).toThrow(/listed twice/);
  });
});
