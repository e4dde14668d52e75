import { IDBFactory, IDBObjectStore } from 'fake-indexeddb';
import { createStore, keys, promisifyRequest, set } from 'idb-keyval';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, UnsecuredJWT } from 'jose';
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

const P256 = { name: 'ECDSA', namedCurve: 'P-256' };
const tokens = { access_token: 'a', token_type: 'DPoP' };
/** Tokens that say which key they are bound to. */
async function tokensFor(keyPair: CryptoKeyPair): Promise<typeof tokens> {
  const jkt = await calculateJwkThumbprint(await jwkOf(keyPair));
  return { ...tokens, access_token: new UnsecuredJWT({ cnf: { jkt } }).encode() };
}
/** The key that a new tab signs with for a session. */
async function boundKey(sessionId: string): Promise<JsonWebKey> {
  const { dpopSupport } = await openTab();
  const proof = await dpopSupport.prove({ sessionId, url: 'https://api.example', method: 'GET' });
  const { protectedHeader } = await jwtVerify(proof ?? '', EmbeddedJWK);
  return { ...protectedHeader.jwk, key_ops: ['verify'], ext: true };
}
const keysAtRest = (): Promise<IDBValidKey[]> => keys(createStore('one-refresh-dpop', 'dpop'));

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

  test('is the same for all calls of one page', async () => {
    const [tab, other] = [await openTab(), await openTab()];
    const pairs = await Promise.all([tab.getDPoPKeyPair('app'), tab.getDPoPKeyPair('app')]);
    expect(await tab.getDPoPKeyPair('app')).toBe(pairs[0]);
    expect(pairs[1]).toBe(pairs[0]);
    expect(await jwkOf(await other.getDPoPKeyPair('app'))).not.toEqual(await jwkOf(pairs[0]));
  });

  test('is not at rest before its session', async () => {
    const { getDPoPKeyPair } = await openTab();
    await getDPoPKeyPair('app');
    expect(await keysAtRest()).toEqual([]);
  });

  // By a script that ran before anybody signed in, and kept a copy.
  test.each([true, false])('is no planted key (extractable: %s)', async (extractable) => {
    const planted = await crypto.subtle.generateKey(P256, extractable, ['sign', 'verify']);
    const store = createStore('one-refresh-dpop', 'dpop');
    for (const id of ['login:app', 'trial', 'attempt:["app"]', 'session:1'])
      await set(id, { keyPair: planted, privateKey: planted.privateKey, madeAt: Date.now() }, store);
    const made = await (await openTab()).getDPoPKeyPair('app');
    expect(made.privateKey.extractable).toBe(false);
    expect(await jwkOf(made)).not.toEqual(await jwkOf(planted));
  });

  test('is another one for another name', async () => {
    const { getDPoPKeyPair } = await openTab();
    const [a, b] = await Promise.all(['a', 'b'].map(async (name) => jwkOf(await getDPoPKeyPair(name))));
    expect(a).not.toEqual(b);
  });

  test('is a new one after its session', async () => {
    const tab = await openTab();
    const first = await tab.getDPoPKeyPair('app');
    await tab.dpopSupport.bind({ name: 'app', sessionId: '1', tokens });
    expect(await jwkOf(await tab.getDPoPKeyPair('app'))).not.toEqual(await jwkOf(first));
  });

  test('serves a second sign-in of the same page', async () => {
    const tab = await openTab();
    const first = await tab.getDPoPKeyPair('app');
    await tab.dpopSupport.bind({ name: 'app', sessionId: '1', tokens });
    await tab.dpopSupport.bind({ name: 'app', sessionId: '2', tokens });
    expect(await boundKey('2')).toEqual(await jwkOf(first));
    const second = await tab.getDPoPKeyPair('app');
    await tab.dpopSupport.bind({ name: 'app', sessionId: '3', tokens: await tokensFor(first) });
    await tab.dpopSupport.bind({ name: 'app', sessionId: '4', tokens: await tokensFor(second) });
    expect([await boundKey('3'), await boundKey('4')]).toEqual([await jwkOf(first), await jwkOf(second)]);
  });

  test('is gone after sign-out', async () => {
    const { getDPoPKeyPair, dpopSupport } = await openTab();
    await getDPoPKeyPair('app');
    await dpopSupport.bind({ name: 'app', sessionId: '1', tokens });
    await dpopSupport.unbind({ name: 'app', sessionId: '1' });
    const request = { sessionId: '1', url: 'https://api.example', method: 'GET', accessToken: 'a' };
    expect(await dpopSupport.prove(request)).toBeUndefined();
    expect(await (await openTab()).dpopSupport.prove(request)).toBeUndefined();
  });

  test('leaves nothing behind', async () => {
    const { getDPoPKeyPair, dpopSupport } = await openTab();
    const issued = { ...tokens, access_token: new UnsecuredJWT({}).setIssuedAt().encode() };
    for (const dpopKeyPair of [await getDPoPKeyPair('app'), await getDPoPKeyPair('other')]) {
      await dpopSupport.bind({ name: 'app', sessionId: '1', tokens: issued, dpopKeyPair });
      expect(await keysAtRest()).toEqual(['issued:1', 'session:1']);
      await dpopSupport.unbind({ name: 'app', sessionId: '1' });
      expect(await keysAtRest()).toEqual([]);
    }
  });
});

describe('the key of a sign-in that leaves the page', () => {
  const attempt = 'a-state-nobody-can-guess';
  const attemptKey = async (which = attempt): Promise<CryptoKeyPair> =>
    (await openTab()).getDPoPKeyPair('app', which);

  test('is the same on the page that comes back', async () => {
    const [before, after] = [await attemptKey(), await attemptKey()];
    expect(await jwkOf(after)).toEqual(await jwkOf(before));
    expect(after.privateKey.extractable).toBe(false);
  });

  test('is none of another attempt or of none', async () => {
    const before = await jwkOf(await attemptKey());
    expect(await jwkOf(await attemptKey(`${attempt}-2`))).not.toEqual(before);
    expect(await jwkOf(await (await openTab()).getDPoPKeyPair('app'))).not.toEqual(before);
  });

  test('is no longer kept as such after its session', async () => {
    await attemptKey();
    const tab = await openTab();
    await tab.getDPoPKeyPair('app', attempt);
    await tab.dpopSupport.bind({ name: 'app', sessionId: '1', tokens });
    expect(await keysAtRest()).toEqual(['session:1']);
  });

  test('goes after an hour, when another sign-in begins', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const before = await jwkOf(await attemptKey());
    await attemptKey('given-up-long-ago');
    vi.advanceTimersByTime(3_599_000);
    expect(await jwkOf(await attemptKey())).toEqual(before);
    vi.advanceTimersByTime(2_000);
    expect(await jwkOf(await attemptKey())).not.toEqual(before);
    expect(await keysAtRest()).toEqual([`attempt:["app","${attempt}"]`]);
  });

  test('is refused if a script replaced it', async () => {
    await attemptKey();
    const keyPair = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const store = createStore('one-refresh-dpop', 'dpop');
    await set(`attempt:["app","${attempt}"]`, { keyPair, madeAt: Date.now() }, store);
    await expect(attemptKey()).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test.each([['short'], [7]])('does not go by a guess: %j', async (guess) => {
    await expect(attemptKey(guess as string)).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' });
  });
});

describe('a key in the store that is not ours', () => {
  const halves = async (): Promise<[CryptoKeyPair, CryptoKeyPair]> => [
    await crypto.subtle.generateKey(P256, false, ['sign', 'verify']),
    await crypto.subtle.generateKey(P256, false, ['sign', 'verify']),
  ];
  const foreign: [string, () => Promise<unknown>][] = [
    ['can be exported', () => crypto.subtle.generateKey(P256, true, ['sign', 'verify'])],
    [
      'does not match its public half',
      async () => {
        const [one, other] = await halves();
        return { privateKey: one.privateKey, publicKey: other.publicKey };
      },
    ],
    [
      'is of another curve',
      () => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign', 'verify']),
    ],
    [
      'is for another purpose',
      () => crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']),
    ],
    ['is a secret', () => crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])],
    ['is text', () => Promise.resolve('key')],
  ];
  test.each(foreign)('signs nothing: it %s', async (_name, make) => {
    const { getDPoPKeyPair, dpopSupport } = await openTab();
    await getDPoPKeyPair('app');
    await dpopSupport.bind({ name: 'app', sessionId: '1', tokens });
    await set('session:1', await make(), createStore('one-refresh-dpop', 'dpop'));
    const request = { sessionId: '1', url: 'https://api.example', method: 'GET', accessToken: 'a' };
    expect(await dpopSupport.prove(request)).toEqual(expect.any(String));
    expect(await (await openTab()).dpopSupport.prove(request)).toBeUndefined();
  });

  // WebKit in a SharedWorker: the session is not over for that.
  test('an unreadable one is no verdict on the session', async () => {
    await set('session:1', null, createStore('one-refresh-dpop', 'dpop'));
    const proving = (await openTab()).dpopSupport.prove({
      sessionId: '1',
      url: 'https://api.example',
      method: 'GET',
    });
    await expect(proving).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });
});

test('the key is kept where the store was missing', async () => {
  (await promisifyRequest(indexedDB.open('one-refresh-dpop', 3))).close();
  const { getDPoPKeyPair, dpopSupport } = await openTab();
  const made = await getDPoPKeyPair('app');
  await dpopSupport.bind({ name: 'app', sessionId: '1', tokens });
  expect(await boundKey('1')).toEqual(await jwkOf(made));
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
      clone(typeof value === 'object' && value && 'privateKey' in value ? keyPair : value),
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
