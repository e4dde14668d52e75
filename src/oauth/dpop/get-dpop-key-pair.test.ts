import { IDBFactory, IDBObjectStore } from 'fake-indexeddb';
import { createStore, keys, promisifyRequest } from 'idb-keyval';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type * as OAuthModule from '../index.js';

type OAuth = typeof OAuthModule;
/** A tab: the modules anew, over the same database. */
async function openTab(): Promise<OAuth> {
  vi.resetModules();
  return import('../index.js');
}
const jwkOf = async ({ publicKey }: CryptoKeyPair): Promise<JsonWebKey> =>
  crypto.subtle.exportKey('jwk', publicKey);

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory());
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('the key of a sign-in', () => {
  test('signs with P-256 and cannot be exported', async () => {
    const { getDPoPKeyPair } = await openTab();
    const { privateKey } = await getDPoPKeyPair('app');
    expect(privateKey).toMatchObject({ extractable: false, usages: ['sign'] });
    expect(privateKey.algorithm).toEqual({ name: 'ECDSA', namedCurve: 'P-256' });
    await expect(crypto.subtle.exportKey('jwk', privateKey)).rejects.toThrow(/not extractable/);
  });

  test('is the same in all tabs, also if several ask at once and after all were closed', async () => {
    const tabs = [await openTab(), await openTab(), await openTab()];
    const pairs = await Promise.all(
      tabs.flatMap((tab) => [tab.getDPoPKeyPair('app'), tab.getDPoPKeyPair('app')]),
    );
    const later = await (await openTab()).getDPoPKeyPair('app');
    const [first, ...others] = await Promise.all([...pairs, later].map(jwkOf));
    for (const other of others) expect(other).toEqual(first);
  });

  test('is another one for another name', async () => {
    const { getDPoPKeyPair } = await openTab();
    const [a, b] = await Promise.all(['a', 'b'].map(async (name) => jwkOf(await getDPoPKeyPair(name))));
    expect(a).not.toEqual(b);
  });

  test('serves the sign-ins of other tabs for a while after a session has come of it, then there is a new one', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { getDPoPKeyPair, dpopSupport } = await openTab();
    const first = await jwkOf(await getDPoPKeyPair('app'));
    await dpopSupport.bind({
      name: 'app',
      sessionId: '1',
      tokens: { access_token: 'a', token_type: 'DPoP' },
    });
    vi.advanceTimersByTime(599_000);
    expect(await jwkOf(await (await openTab()).getDPoPKeyPair('app'))).toEqual(first);
    vi.advanceTimersByTime(2_000);
    expect(await jwkOf(await (await openTab()).getDPoPKeyPair('app'))).not.toEqual(first);
  });

  test('is gone after sign-out', async () => {
    const { getDPoPKeyPair, dpopSupport } = await openTab();
    const first = await jwkOf(await getDPoPKeyPair('app'));
    await dpopSupport.bind({
      name: 'app',
      sessionId: '1',
      tokens: { access_token: 'a', token_type: 'DPoP' },
    });
    await dpopSupport.unbind({ name: 'app', sessionId: '1' });
    const request = { sessionId: '1', url: 'https://api.example', method: 'GET', accessToken: 'a' };
    expect(await dpopSupport.prove(request)).toBeUndefined();
    expect(await (await openTab()).dpopSupport.prove(request)).toBeUndefined();
    expect(await jwkOf(await getDPoPKeyPair('app'))).not.toEqual(first);
  });

  test('leaves nothing behind', async () => {
    const { getDPoPKeyPair, dpopSupport } = await openTab();
    await getDPoPKeyPair('app');
    const tokens = { access_token: 'a', token_type: 'DPoP' };
    await dpopSupport.bind({ name: 'app', sessionId: '1', tokens });
    await dpopSupport.unbind({ name: 'app', sessionId: '1' });
    await dpopSupport.bind({
      name: 'app',
      sessionId: '2',
      tokens,
      dpopKeyPair: await getDPoPKeyPair('other'),
    });
    await dpopSupport.unbind({ name: 'app', sessionId: '2' });
    expect(await keys(createStore('one-refresh-dpop', 'dpop'))).toEqual(['login:other']);
  });
});

test('the key is kept in a database that lacked its store', async () => {
  (await promisifyRequest(indexedDB.open('one-refresh-dpop', 3))).close();
  const made = await (await openTab()).getDPoPKeyPair('app');
  const found = await (await openTab()).getDPoPKeyPair('app');
  expect(await jwkOf(found)).toEqual(await jwkOf(made));
});

describe('a browser that cannot do it says so', () => {
  const failing = async (): Promise<unknown> =>
    (await openTab()).getDPoPKeyPair('app').catch((error: unknown) => error);

  test('no IndexedDB', async () => {
    vi.stubGlobal('indexedDB', undefined);
    expect(await failing()).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test('no Web Crypto, as on plain http pages', async () => {
    vi.stubGlobal('crypto', {});
    expect(await failing()).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test('keys cannot be cloned', async () => {
    vi.stubGlobal('structuredClone', () => {
      throw new DOMException('no keys', 'DataCloneError');
    });
    expect(await failing()).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test.each([
    ['nothing', null],
    ['an empty object', {}],
    ['a key without its private half', { publicKey: {}, privateKey: null }],
  ])('a stored key comes back as %s', async (_name, keyPair) => {
    const clone = structuredClone;
    vi.stubGlobal('structuredClone', (value: unknown) =>
      clone(typeof value === 'object' && value && 'keyPair' in value ? { keyPair } : value),
    );
    expect(await failing()).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test('IndexedDB fails: that is no verdict on the browser', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('disk full', 'QuotaExceededError');
    });
    expect(await failing()).toMatchObject({
      code: 'ERR_STORAGE',
      message: 'The DPoP key could not be stored or read: disk full',
    });
  });

  test('a transaction that was aborted without a reason is ERR_STORAGE', async () => {
    const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore) {
      this.transaction.abort();
      return {} as never;
    });
    expect(await failing()).toMatchObject({ code: 'ERR_STORAGE' });
    put.mockRestore();
  });

  test('IndexedDB never answers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vi.spyOn(indexedDB, 'open').mockReturnValue(new EventTarget() as IDBOpenDBRequest);
    const failed = failing();
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    vi.advanceTimersByTime(3_000);
    expect(await failed).toMatchObject({ code: 'ERR_STORAGE' });
  });

  test('no name', async () => {
    const { getDPoPKeyPair } = await openTab();
    await expect(getDPoPKeyPair('')).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' });
  });
});
