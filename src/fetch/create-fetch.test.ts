import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFakeSession, type FakeSession } from '../../test/support/fake-session.js';
import {
  json,
  startLoopbackServer,
  type Answer,
  type LoopbackServer,
} from '../../test/support/loopback-server.js';
import { TokenCoordinatorError } from '../core/errors.js';
import { createFetch } from './index.js';

let api: LoopbackServer;
let session: FakeSession;
let authFetch: typeof globalThis.fetch;
beforeAll(async () => {
  api = await startLoopbackServer();
});
afterAll(() => api.close());
beforeEach(() => {
  session = createFakeSession();
  authFetch = createFetch(session, { allowedOrigins: [api.origin] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An API that takes only this token, and says so with this challenge. */
const accepting =
  (token: string, challenge = 'Bearer error="invalid_token"'): Answer =>
  (request, response) =>
    request.headers.authorization === `Bearer ${token}`
      ? json(200, { fine: true })(request, response)
      : json(401, { refused: true }, { 'www-authenticate': challenge })(request, response);
const authorizations = (): unknown[] => api.received.map(({ headers }) => headers.authorization);

describe('an ordinary request', () => {
  test('carries the token, and everything the caller gave', async () => {
    api.answer(json(200, { fine: true }));
    const init = { method: 'put', headers: { 'x-mine': '1' }, body: 'hello' };
    const response = await authFetch(`${api.origin}/path?query#hash`, init);
    expect(await response.json()).toEqual({ fine: true });
    expect(api.received).toMatchObject([
      {
        method: 'PUT',
        url: '/path?query',
        body: 'hello',
        headers: { authorization: 'Bearer first-1', 'x-mine': '1' },
      },
    ]);
    expect(init.headers).toEqual({ 'x-mine': '1' });
  });

  test('may be a URL or a Request, with changes', async () => {
    api.answer(json(200, {}));
    const request = new Request(`${api.origin}/b`, {
      method: 'POST',
      body: 'old',
      headers: { 'x-old': '1' },
    });
    await authFetch(new URL('/a', api.origin));
    await authFetch(request, { body: 'new', headers: { 'x-new': '1' } });
    await authFetch(
      `${api.origin}/c`,
      new Request(api.origin, { method: 'DELETE', headers: { 'x-init': '1' } }),
    );
    expect(api.received).toMatchObject([
      { method: 'GET', url: '/a', headers: { authorization: 'Bearer first-1' } },
      { method: 'POST', url: '/b', body: 'new', headers: { authorization: 'Bearer first-1', 'x-new': '1' } },
      { method: 'DELETE', url: '/c', headers: { authorization: 'Bearer first-1', 'x-init': '1' } },
    ]);
    expect(api.received[1]?.headers).not.toHaveProperty('x-old');
    expect(request.headers.has('authorization')).toBe(false);
  });

  test('is what it was when fetch was called', async () => {
    api.answer(json(200, {}));
    const headers = new Headers({ 'x-mine': 'before' });
    const form = new URLSearchParams('a=before');
    const bytes = new TextEncoder().encode('before');
    const data = new FormData();
    data.set('a', 'before');
    const sent = [form, bytes, bytes.buffer, data].map((body) =>
      authFetch(api.origin, { method: 'POST', headers, body }),
    );
    headers.set('x-mine', 'after');
    form.set('a', 'after');
    bytes.fill(0);
    data.set('a', 'after');
    await Promise.all(sent);
    expect(api.received).toHaveLength(4);
    for (const { body, headers } of api.received) {
      expect(body).toContain('before');
      expect(headers['x-mine']).toBe('before');
    }
  });

  test('names the token of the API it goes to', async () => {
    api.answer(json(200, {}));
    const asked = vi.spyOn(session, 'getAuthorizationHeaders');
    const entry = { origin: api.origin, resource: 'https://api.example', scope: 'read' };
    await createFetch(session, { allowedOrigins: [entry] })(`${api.origin}/x`, { method: 'patch' });
    expect(asked).toHaveBeenCalledWith({
      url: `${api.origin}/x`,
      method: 'patch',
      resource: 'https://api.example',
      scope: 'read',
    });
  });

  test.each([
    ['null', null],
    ['signal', { signal: null }],
    ['body', { body: null }],
    ['headers', { headers: undefined }],
    ['method', { method: undefined }],
  ])('may be given nothing: %s', async (_name, init) => {
    api.answer(json(200, {}));
    expect((await authFetch(api.origin, init as RequestInit)).status).toBe(200);
    expect((await authFetch(new Request(api.origin), init as RequestInit)).status).toBe(200);
    expect(authorizations()).toEqual(['Bearer first-1', 'Bearer first-1']);
  });

  // As an iframe's are: of the same interface, but no instance of ours.
  test('may be given as a Request of another realm', async () => {
    const sent: unknown[] = [];
    const fetch = (...given: unknown[]) => (sent.push(given), Promise.resolve(new Response()));
    const foreign = {
      url: 'https://other.example/y',
      headers: { authorization: 'Basic eA==' },
      [Symbol.toStringTag]: 'Request',
    };
    vi.stubGlobal('location', new URL('https://app.example/'));
    await createFetch(session, { fetch })(foreign as unknown as Request);
    await createFetch(session, { fetch, allowedOrigins: ['https://other.example'] })(
      foreign as unknown as Request,
    );
    vi.unstubAllGlobals();
    expect(sent).toEqual([
      [foreign, undefined],
      [foreign, undefined],
    ]);
  });

  test('fails as fetch does', async () => {
    await expect(authFetch('no url')).rejects.toBeInstanceOf(TypeError);
    await expect(authFetch(api.origin, { headers: { 'no header': '' } })).rejects.toBeInstanceOf(TypeError);
    await expect(authFetch(new Request(api.origin), { method: 'no method' })).rejects.toBeInstanceOf(
      TypeError,
    );
  });

  test('without a session is not sent', async () => {
    api.answer(json(200, {}));
    session.start(undefined);
    await expect(authFetch(api.origin)).rejects.toMatchObject({ code: 'ERR_SIGNED_OUT' });
    expect(api.received).toEqual([]);
  });

  test('is sent without a token where that is optional', async () => {
    api.answer(json(401, {}));
    session.start(undefined);
    const optional = createFetch(session, { allowedOrigins: [api.origin], optional: true });
    expect((await optional(api.origin, { method: 'POST', body: 'x' })).status).toBe(401);
    session.start('first');
    expect((await optional(api.origin)).status).toBe(401);
    expect(authorizations()).toEqual([undefined, 'Bearer first-1', 'Bearer first-2']);
  });

  test('is not sent without a token for any other fault', async () => {
    api.answer(json(200, {}));
    const failed = new TokenCoordinatorError('ERR_REAUTH_REQUIRED', 'as the test wants it');
    vi.spyOn(session, 'getAuthorizationHeaders').mockRejectedValue(failed);
    const optional = createFetch(session, { allowedOrigins: [api.origin], optional: true });
    await expect(optional(api.origin)).rejects.toBe(failed);
    expect(api.received).toEqual([]);
  });

  test('with its own Authorization header is not touched', async () => {
    session.start(undefined);
    api.answer(json(401, {}));
    const headers = { authorization: 'Basic eA==' };
    expect((await authFetch(api.origin, { headers })).status).toBe(401);
    expect((await authFetch(new Request(api.origin, { headers }))).status).toBe(401);
    expect(authorizations()).toEqual(['Basic eA==', 'Basic eA==']);
  });
});

// A proof takes its time: the key, the nonce, the signature.
describe('a request belongs to the session of its call', () => {
  /** An event while the headers are made. */
  const meanwhile = (happens: () => void): void => {
    vi.spyOn(session, 'getAuthorizationHeaders').mockImplementation(async () => {
      const headers = { Authorization: `Bearer ${await session.getAccessToken()}` };
      await Promise.resolve();
      happens();
      return headers;
    });
    api.answer(json(200, {}));
  };
  const rejected = { code: 'ERR_SIGNED_OUT' };

  test.each([
    ['signed out', undefined],
    ['signed out, and another user in', 'second'],
  ])('it does not leave once that is %s', async (_name, next) => {
    meanwhile(() => session.start(next));
    await expect(authFetch(api.origin)).rejects.toMatchObject(rejected);
    expect(api.received).toEqual([]);
  });

  test('it leaves if that has been refreshed', async () => {
    meanwhile(() => session.advance());
    expect((await authFetch(api.origin)).status).toBe(200);
    expect(authorizations()).toEqual(['Bearer first-1']);
  });

  test("made by nobody, it gets no later user's token", async () => {
    session.start(undefined);
    vi.spyOn(session, 'getAuthorizationHeaders').mockImplementation(() => {
      session.start('second');
      return Promise.resolve({ Authorization: 'Bearer second-1' });
    });
    api.answer(json(200, {}));
    await expect(authFetch(api.origin)).rejects.toMatchObject(rejected);
    expect(api.received).toEqual([]);
    session.start(undefined);
    await createFetch(session, { allowedOrigins: [api.origin], optional: true })(api.origin);
    expect(authorizations()).toEqual([undefined]);
  });

  test('made by nobody, nor if that user has left again', async () => {
    session.start(undefined);
    vi.spyOn(session, 'getAuthorizationHeaders').mockResolvedValue({ Authorization: 'Bearer second-1' });
    api.answer(json(200, {}));
    await expect(authFetch(api.origin)).rejects.toMatchObject(rejected);
    expect(api.received).toEqual([]);
  });

  test('in a new tab the session is the stored one', async () => {
    const { getSnapshot } = session;
    let loaded = false;
    vi.spyOn(session, 'getSnapshot').mockImplementation(() =>
      loaded ? getSnapshot() : { ...getSnapshot(), status: 'loading', sessionId: undefined },
    );
    vi.spyOn(session, 'getAccessToken').mockImplementation(() => {
      loaded = true;
      return Promise.resolve(session.token() ?? '');
    });
    meanwhile(() => undefined);
    expect((await authFetch(api.origin)).status).toBe(200);
    loaded = false;
    meanwhile(() => session.start('second'));
    await expect(authFetch(api.origin)).rejects.toMatchObject(rejected);
    expect(api.received).toEqual([]);
  });

  test('its token ends with it, also for a prepared retry', async () => {
    let asked = 0;
    meanwhile(() => {
      if (++asked === 2) session.start(undefined);
    });
    api.answer(accepting('never'));
    expect((await authFetch(api.origin)).status).toBe(401);
    expect(api.received).toHaveLength(1);
  });
});

describe('waitMs', () => {
  const patient = (waitMs: number): typeof fetch =>
    createFetch(session, { allowedOrigins: [api.origin], waitMs });

  test('limits the wait for a token', async () => {
    vi.spyOn(session, 'getAuthorizationHeaders').mockReturnValue(new Promise(() => undefined));
    api.answer(json(200, {}));
    await expect(patient(5)(api.origin)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    expect(api.received).toEqual([]);
  });

  test('limits the wait for a newer token, too', async () => {
    session.beforeRefresh = () => new Promise(() => undefined);
    api.answer(accepting('never'));
    expect((await patient(5)(api.origin)).status).toBe(401);
    expect(api.received).toHaveLength(1);
  });

  test('of 0 ms sends with the token at hand', async () => {
    api.answer(json(200, {}));
    expect((await patient(0)(api.origin)).status).toBe(200);
  });

  // A timer set to these ends at once.
  test.each([2 ** 40, Infinity])('of %d ms does not end at once', async (waitMs) => {
    vi.spyOn(session, 'getAuthorizationHeaders').mockImplementation(async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return { Authorization: 'Bearer first-1' };
    });
    api.answer(json(200, {}));
    expect((await patient(waitMs)(api.origin)).status).toBe(200);
  });
});

describe('unauthorized', () => {
  const deciding = (unauthorized: (response: Response) => boolean): typeof fetch =>
    createFetch(session, { allowedOrigins: [api.origin], unauthorized });
  const isForbidden = ({ status }: Response): boolean => status === 403;

  test('decides which answers a newer token may change', async () => {
    api.answer((request, response) =>
      json(request.headers.authorization === 'Bearer first-2' ? 200 : 403, {})(request, response),
    );
    expect((await deciding(isForbidden)(api.origin)).status).toBe(200);
    api.answer(json(401, {}));
    expect((await deciding(isForbidden)(api.origin)).status).toBe(401);
    expect(api.received).toHaveLength(1);
    expect(session.refreshes).toBe(1);
  });

  test('true of every answer still ends in a pause', async () => {
    api.answer(json(403, {}));
    const deciding403 = deciding(isForbidden);
    for (let i = 0; i < 5; i++) expect((await deciding403(api.origin)).status).toBe(403);
    expect(session.refreshes).toBe(1);
  });

  test('is neither asked about another origin nor obeyed there', async () => {
    const stranger = await startLoopbackServer('localhost');
    stranger.answer(json(403, {}));
    api.answer((_request, response) => void response.writeHead(302, { location: stranger.origin }).end());
    const asked = vi.fn<typeof isForbidden>(isForbidden);
    expect((await deciding(asked)(api.origin)).status).toBe(403);
    expect(asked).not.toHaveBeenCalled();
    await stranger.close();
    api.answer(json(403, {}));
    const promising = (async () => Promise.resolve(true)) as unknown as typeof isForbidden;
    expect((await deciding(promising)(api.origin)).status).toBe(403);
    expect(session.refreshes).toBe(0);
  });
});

test.each([
  { optional: 'yes' },
  { unauthorized: [401] },
  { waitMs: -1 },
  { waitMs: NaN },
  { waitMs: '5' },
  { allowedOrigins: 'https://api.example' },
  { allowedOrigins: ['https://*.example'] },
])('refuses %j', (options) => {
  const create = (): unknown => createFetch(session, options as never);
  expect(create).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION' }) as Error);
});

describe('after a 401', () => {
  test('one refresh, one more try', async () => {
    api.answer(accepting('first-2'));
    const response = await authFetch(api.origin, { method: 'POST', body: 'hello' });
    expect(response.status).toBe(200);
    expect(authorizations()).toEqual(['Bearer first-1', 'Bearer first-2']);
    expect(api.received.map(({ body }) => body)).toEqual(['hello', 'hello']);
    expect(session.refreshes).toBe(1);
  });

  test('no refresh if the token was outdated by then', async () => {
    api.answer((...call) => {
      if (api.received.length === 1) session.advance();
      return accepting('first-2')(...call);
    });
    expect((await authFetch(api.origin)).status).toBe(200);
    expect(authorizations()).toEqual(['Bearer first-1', 'Bearer first-2']);
    expect(session.refreshes).toBe(0);
  });

  test('fifty at once share one refresh; latecomers cause none', async () => {
    api.answer(async (request, response) => {
      if (api.received.length % 2) await new Promise((resolve) => setTimeout(resolve, 30));
      await accepting('first-2')(request, response);
    });
    const responses = await Promise.all(Array.from({ length: 50 }, () => authFetch(api.origin)));
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(session.refreshes).toBe(1);
  });

  test('a second 401 is the answer', async () => {
    api.answer(accepting('never'));
    const response = await authFetch(api.origin);
    expect([response.status, await response.json()]).toEqual([401, { refused: true }]);
    expect(api.received).toHaveLength(2);
  });

  test('if the refresh fails, the 401 itself, body intact', async () => {
    api.answer(accepting('never'));
    session.beforeRefresh = () => Promise.reject(new Error('offline'));
    const response = await authFetch(api.origin);
    expect([response.status, response.bodyUsed, await response.json()]).toEqual([
      401,
      false,
      { refused: true },
    ]);
    expect(api.received).toHaveLength(1);
  });

  test('the same token again: the 401 itself', async () => {
    api.answer(accepting('never'));
    vi.spyOn(session, 'getAccessToken').mockResolvedValue('first-1');
    expect((await authFetch(api.origin)).status).toBe(401);
    expect(api.received).toHaveLength(1);
  });

  test('a signed-out session stays signed out', async () => {
    api.answer((...call) => {
      session.start(undefined);
      return accepting('never')(...call);
    });
    expect((await authFetch(api.origin)).status).toBe(401);
    expect(session.refreshes).toBe(0);
  });

  test.each(['before the answer', 'during the refresh'])(
    'a request is not repeated for another user %s',
    async (moment) => {
      const signIn = (): void => session.start('second');
      session.beforeRefresh = () => Promise.resolve(signIn());
      api.answer((...call) => {
        if (moment === 'before the answer') signIn();
        return accepting('never')(...call);
      });
      expect((await authFetch(api.origin)).status).toBe(401);
      expect(authorizations()).toEqual(['Bearer first-1']);
    },
  );

  test.each([
    'Bearer error="insufficient_scope"',
    'Bearer error="insufficient_user_authentication"',
    'Basic realm="x"',
    'Negotiate',
  ])('no refresh for what another token cannot mend: %s', async (challenge) => {
    api.answer(accepting('never', challenge));
    const response = await authFetch(api.origin);
    expect([response.status, await response.json()]).toEqual([401, { refused: true }]);
    expect([session.refreshes, api.received.length]).toEqual([0, 1]);
  });

  test.each([403, 400, 500])('no refresh for a %i', async (status) => {
    api.answer(json(status, {}));
    expect((await authFetch(api.origin)).status).toBe(status);
    expect(session.refreshes).toBe(0);
  });
});

describe('bodies', () => {
  const form = (): FormData => {
    const data = new FormData();
    data.set('name', 'value');
    data.set('file', new Blob(['content']), 'file.txt');
    return data;
  };
  const bodies: [string, () => BodyInit][] = [
    ['a string', () => 'content'],
    ['a Blob', () => new Blob(['content'], { type: 'text/x-test' })],
    ['bytes', () => new TextEncoder().encode('content')],
    ['a part of a buffer', () => new TextEncoder().encode('no content').subarray(3)],
    ['URLSearchParams', () => new URLSearchParams({ name: 'content' })],
    ['FormData', form],
  ];
  describe.each(bodies)('%s', (_name, body) => {
    test.each(['init', 'Request'])('is sent again, given in %s', async (where) => {
      api.answer(accepting('first-2'));
      const init = { method: 'POST', body: body() };
      const sent = where === 'init' ? authFetch(api.origin, init) : authFetch(new Request(api.origin, init));
      expect((await sent).status).toBe(200);
      const [first, second] = api.received.map(({ body, headers }) => ({
        body: body.replaceAll(/-+formdata-\S+/g, '--'),
        type: headers['content-type']?.replace(/boundary=.*/, ''),
      }));
      expect(first?.body).toContain('content');
      expect(first?.body).not.toContain('no content');
      expect(second).toEqual(first);
    });
  });

  test('a stream is sent once; its 401 stays', async () => {
    api.answer(accepting('first-2'));
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (pulled++ === 3) controller.close();
        else controller.enqueue(new TextEncoder().encode(`part ${pulled} `));
      },
    });
    const response = await authFetch(api.origin, { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(401);
    expect(api.received.map((request) => request.body)).toEqual(['part 1 part 2 part 3 ']);
    expect(session.refreshes).toBe(0);
  });

  // In Safari these are not even iterable.
  test('so is a stream of another realm', async () => {
    const body = { [Symbol.toStringTag]: 'ReadableStream' } as unknown as ReadableStream;
    const fetch = vi.fn<typeof globalThis.fetch>().mockResolvedValue(new Response('', { status: 401 }));
    await createFetch(session, { allowedOrigins: [api.origin], fetch })(api.origin, { method: 'POST', body });
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(fetch.mock.calls[0]?.[1]?.body).toBe(body);
  });
});

describe('signals', () => {
  // Safari 15, Chrome 94.
  test('in a browser without throwIfAborted and reason', async () => {
    api.answer(json(200, {}));
    const old = (signal: AbortSignal): AbortSignal =>
      new Proxy(signal, {
        has: (target, key) => key !== 'reason' && key in target,
        get: (target, key) => {
          if (key === 'throwIfAborted' || key === 'reason') return undefined;
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    const controller = new AbortController();
    const signal = old(controller.signal);
    const sending = createFetch(session, {
      allowedOrigins: [api.origin],
      fetch: (input, init) => fetch(input, { ...init, signal: null }),
    });
    expect((await sending(api.origin, { signal })).status).toBe(200);
    controller.abort();
    await expect(sending(api.origin, { signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('aborted before: nothing is asked for', async () => {
    api.answer(json(200, {}));
    const asked = vi.spyOn(session, 'getAuthorizationHeaders');
    const reason = new Error('mine');
    await expect(authFetch(api.origin, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(asked).not.toHaveBeenCalled();
  });

  test('aborted while waiting for a token', async () => {
    const controller = new AbortController();
    vi.spyOn(session, 'getAuthorizationHeaders').mockImplementation(() => {
      queueMicrotask(() => controller.abort());
      return new Promise(() => undefined);
    });
    const sent = authFetch(new Request(api.origin, { signal: controller.signal }));
    await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('aborted while the answer is awaited', async () => {
    const controller = new AbortController();
    api.answer(() => controller.abort());
    const sent = authFetch(api.origin, { signal: controller.signal });
    await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('aborted during the refresh after a 401', async () => {
    api.answer(accepting('never'));
    const controller = new AbortController();
    session.beforeRefresh = () => {
      controller.abort();
      return new Promise(() => undefined);
    };
    await expect(authFetch(api.origin, { signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(api.received).toHaveLength(1);
  });
});

describe('an API that refuses every token', () => {
  test('causes one refresh per pause, not one per call', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    api.answer(accepting('never'));
    const call = async (times: number): Promise<number> => {
      for (let i = 0; i < times; i++) expect((await authFetch(`${api.origin}/${i}`)).status).toBe(401);
      return session.refreshes;
    };
    expect(await call(10)).toBe(1);
    vi.advanceTimersByTime(29_000);
    expect(await call(3)).toBe(1);
    vi.advanceTimersByTime(1_000);
    expect(await call(3)).toBe(2);
    vi.advanceTimersByTime(59_000);
    expect(await call(3)).toBe(2);
    vi.advanceTimersByTime(1_000);
    expect(await call(3)).toBe(3);
    vi.advanceTimersByTime(3_600_000);
    expect(await call(3)).toBe(4);
    vi.advanceTimersByTime(300_000);
    expect(await call(3)).toBe(5);
  });

  test.each([
    ['brings the same token', () => Promise.resolve('first-1')],
    ['is refused', () => Promise.reject(new TokenCoordinatorError('ERR_REFRESH_REJECTED', 'invalid_client'))],
  ])('causes no more where the refresh %s', async (_, refresh) => {
    vi.useFakeTimers({ toFake: ['performance'] });
    api.answer(accepting('never'));
    const asked = vi
      .spyOn(session, 'getAccessToken')
      .mockImplementation(({ forceRefresh } = {}) => (forceRefresh ? refresh() : Promise.resolve('first-1')));
    const forced = (): number => asked.mock.calls.filter(([options]) => options?.forceRefresh).length;
    for (let i = 0; i < 5; i++) expect((await authFetch(api.origin)).status).toBe(401);
    expect(forced()).toBe(1);
    vi.advanceTimersByTime(30_000);
    for (let i = 0; i < 5; i++) await authFetch(api.origin);
    expect(forced()).toBe(2);
  });

  test('causes one per call during an outage', async () => {
    api.answer(accepting('never'));
    const forced = vi.fn<() => Promise<void>>().mockRejectedValue(new Error('offline'));
    session.beforeRefresh = forced;
    for (let i = 0; i < 10; i++) await authFetch(api.origin);
    expect(forced).toHaveBeenCalledTimes(10);
  });

  test('is forgiven as soon as a newer token helps', async () => {
    api.answer(accepting('never'));
    await authFetch(api.origin);
    expect(session.refreshes).toBe(1);
    // Refused with the version before, accepted with the one that another tab fetched meanwhile.
    api.answer((...call) => {
      if (api.received.length === 1) session.advance();
      return accepting('first-3')(...call);
    });
    expect((await authFetch(api.origin)).status).toBe(200);
    api.answer(accepting('first-4'));
    expect((await authFetch(api.origin)).status).toBe(200);
    expect(session.refreshes).toBe(2);
  });

  // It answers 401 to the second use of each token: every refresh helps, once.
  test('at once cause five, then one every 30 s', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const used = new Set<unknown>();
    api.answer((request, response) => {
      const { authorization } = request.headers;
      const isNew = !used.has(authorization);
      used.add(authorization);
      return json(isNew ? 200 : 401, {})(request, response);
    });
    const statuses = async (): Promise<number[]> => {
      const all = [];
      for (let i = 0; i < 20; i++) all.push((await authFetch(api.origin)).status);
      return all;
    };
    expect(await statuses()).toEqual(Array.from({ length: 20 }, (_, i) => (i < 6 ? 200 : 401)));
    expect(session.refreshes).toBe(5);
    vi.advanceTimersByTime(29_000);
    await statuses();
    expect(session.refreshes).toBe(5);
    vi.advanceTimersByTime(1_000);
    await statuses();
    expect(session.refreshes).toBe(6);
    vi.advanceTimersByTime(3_600_000);
    await statuses();
    expect(session.refreshes).toBe(11);
  });

  test('does not stop another origin', async () => {
    const other = await startLoopbackServer('localhost');
    authFetch = createFetch(session, { allowedOrigins: [api.origin, other.origin] });
    api.answer(accepting('never'));
    other.answer(accepting('first-3'));
    await authFetch(api.origin);
    expect((await authFetch(other.origin)).status).toBe(200);
    await other.close();
  });
});
