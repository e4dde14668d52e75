import { IDBFactory } from 'fake-indexeddb';
// @ts-expect-error It brings no types.
import { JSDOM as UntypedJSDOM } from 'jsdom';
import { afterEach, expect, test, vi } from 'vitest';
import { createTokenCoordinator } from './index.js';
import { refreshTokenGrant } from './oauth/index.js';
import { outcomeOf } from './outcome.js';

const JSDOM = UntypedJSDOM as new (
  html?: string,
  options?: { url: string },
) => { window: Window & typeof globalThis };

afterEach(() => {
  vi.unstubAllGlobals();
});

const events = { addEventListener() {}, removeEventListener() {} };
const options = { name: 'here', refresh: async () => ({ access_token: 'fresh', expires_in: 60 }) };
const reactNative = {
  location: { href: 'http://192.168.1.5:8081/', origin: 'http://192.168.1.5:8081' },
  window: globalThis,
  navigator: { product: 'ReactNative' },
};

function stub(globals: object): void {
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
}

test.each([
  ['a server', {}],
  ['an empty document', { document: {} }],
  ['a document without a window', { document: { ...events, visibilityState: 'visible' } }],
  ['an empty window and document', { window: {}, document: {} }],
  ['a shim', { window: events, document: events, location: { href: 'http://x/', origin: 'http://x' } }],
  ['a shim with a database', { document: {}, location: {}, indexedDB: new IDBFactory() }],
  ['Deno or an edge runtime', { location: new URL('https://edge.example/') }],
  ['React Native', reactNative],
  ['React Native without crypto', { ...reactNative, crypto: undefined }],
  [
    'a page without crypto',
    { window: events, document: { ...events, visibilityState: 'visible' }, crypto: {} },
  ],
  ['a worker without crypto', { location: {}, indexedDB: new IDBFactory(), crypto: undefined }],
])('inert: %s', async (_, globals) => {
  stub(globals);
  const coordinator = createTokenCoordinator(options);
  await coordinator.ready;
  expect(coordinator.getSnapshot().status).toBe('loading');
  await expect(coordinator.getAccessToken()).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  await expect(coordinator.setSession({ access_token: 'a' })).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
  });
  await coordinator.close();
});

test.each([
  ['a worker', { location: new URL('https://app.example/'), indexedDB: new IDBFactory() }, 'indexeddb'],
  [
    'jsdom without a database',
    (({ window }) => ({ window, document: window.document }))(new JSDOM('', { url: 'https://app.example/' })),
    'memory',
  ],
])('works: %s', async (_, globals, storage) => {
  stub(globals);
  const coordinator = createTokenCoordinator(options);
  await coordinator.setSession({ access_token: 'first', expires_in: 60 });
  expect(await coordinator.getAccessToken({ forceRefresh: true })).toBe('fresh');
  expect(coordinator.getSnapshot().storage).toBe(storage);
  await coordinator.close();
});

// Jest runs tests in a realm of their own, with the `URL`, `fetch` and errors of another.
test('takes a URL of another realm as `worker`', () => {
  const { URL: Foreign } = new JSDOM().window;
  const worker = new Foreign('https://app.example/worker.js');
  expect(worker).not.toBeInstanceOf(URL);
  expect(() => createTokenCoordinator({ ...options, worker })).not.toThrow();
});

test('an async `isSessionLost` of another realm loses no session', () => {
  // oxlint-disable-next-line unicorn/no-thenable -- it is what is tried
  const foreign = Object.assign(Object.create(null), { then() {} });
  expect(outcomeOf(new Error('x'), () => foreign as boolean).kind).toBe('unavailable');
});

test('keeps the cause that a `fetch` of another realm throws', async () => {
  const cause = Object.assign(new Error('fetch failed'), { name: 'TypeError' });
  const client = refreshTokenGrant({
    tokenEndpoint: 'https://id.example/token',
    clientId: 'app',
    fetch: async () => {
      throw cause;
    },
  });
  const { signal } = new AbortController();
  const request = { refreshToken: 'r', sessionId: 's', version: 1, attempt: 1, idempotencyKey: 'k', signal };
  await expect(client.refresh(request)).rejects.toMatchObject({
    refreshOutcome: 'unavailable',
    cause: { name: 'TypeError', message: 'fetch failed' },
  });
});

test('takes a signal of another realm', async () => {
  const { AbortController: Foreign } = new JSDOM().window;
  const { signal } = new Foreign();
  const given: unknown[] = [];
  const client = refreshTokenGrant({
    tokenEndpoint: 'https://id.example/token',
    clientId: 'app',
    fetch: async (_url, init) => {
      given.push(init?.signal);
      return Response.json({ access_token: 'a', token_type: 'Bearer' });
    },
  });
  await client.refresh({
    refreshToken: 'r',
    sessionId: 's',
    version: 1,
    attempt: 1,
    idempotencyKey: 'k',
    signal,
  });
  expect(given).toEqual([signal]);
});
