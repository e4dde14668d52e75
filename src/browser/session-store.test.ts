import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { SessionRecord } from '../core/record.js';
import { indexedDbStore } from './indexed-db.js';
import { withRevocations } from '../revocations.js';
import { sessionStore, type KeyPlace, type SessionStore } from './session-store.js';
import { patiently } from '../../test/support/patiently.js';

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

/** One browser: tabs that hear each other, each with a place for its key. */
function createBrowser() {
  const tabs = new Set<SessionStore>();
  const said: object[] = [];
  function open(place: KeyPlace | null = createPlace()) {
    const store = sessionStore(
      'shop',
      indexedDbStore('shop'),
      {
        post(message) {
          said.push(message);
          for (const other of tabs)
            if (other !== store) queueMicrotask(() => other.hear(structuredClone(message)));
        },
      },
      place,
    );
    tabs.add(store);
    return Object.assign(store, {
      place,
      close: () => void tabs.delete(store),
      wake: () => void tabs.add(store),
    });
  }
  return { open, said };
}

function createPlace(): KeyPlace & { kept: string | null } {
  const place = {
    kept: null as string | null,
    get: () => place.kept,
    set: (key: string) => void (place.kept = key),
  };
  return place;
}

const record = (refreshToken: string): SessionRecord => ({
  schema: 1,
  startedAt: 1,
  term: 1,
  sessionId: 'session',
  version: 1,
  refreshToken,
  accessTokens: {},
});
const put = (store: SessionStore, refreshToken: string): Promise<void> =>
  store.update(() => record(refreshToken));

/** All that the database holds, as text. */
async function atRest(): Promise<string> {
  const stored = await indexedDbStore('shop').read();
  const bytes = Object.values(Object(stored) as object).map((value: unknown) =>
    value instanceof ArrayBuffer ? new TextDecoder('latin1').decode(value) : String(value),
  );
  return `${JSON.stringify(stored)} ${bytes.join(' ')}`;
}

describe('a session that ends with the last tab', () => {
  test('reaches a new tab and survives a reload', async () => {
    const { open } = createBrowser();
    const first = open();
    await put(first, 'secret-refresh');
    const second = open();
    expect(await second.read()).toEqual(record('secret-refresh'));
    first.close();
    second.close();
    expect(await open(second.place).read()).toEqual(record('secret-refresh'));
  });

  test('neither it nor its key is in clear', async () => {
    const { open } = createBrowser();
    const tab = open();
    await put(tab, 'secret-refresh');
    const text = await atRest();
    expect(Object.keys(Object(await indexedDbStore('shop').read()) as object)).toEqual(['key', 'iv', 'data']);
    const { secret } = JSON.parse((tab.place as ReturnType<typeof createPlace>).kept!) as { secret: string };
    for (const word of ['secret-refresh', 'session', 'refreshToken', secret])
      expect(text).not.toContain(word);
  });

  test('is gone when all tabs are closed', async () => {
    const { open } = createBrowser();
    const tab = open();
    await put(tab, 'secret-refresh');
    tab.close();
    const late = open();
    expect(await late.read()).toBeUndefined();
    await put(late, 'next-refresh');
    expect(await late.read()).toEqual(record('next-refresh'));
  });

  test('comes back with a tab that could not answer', async () => {
    const { open, said } = createBrowser();
    const discarded = open();
    await put(discarded, 'secret-refresh');
    discarded.close();
    const late = open();
    expect(await late.read()).toBeUndefined();
    expect(await late.read()).toBeUndefined();
    // (It does not wait twice for what nobody has.)
    expect(said).toHaveLength(1);
    discarded.wake();
    late.hear({ type: 'hello' });
    expect(await late.read()).toEqual(record('secret-refresh'));
  });

  test('asks once for all that read at the same time', async () => {
    const { open, said } = createBrowser();
    await put(open(), 'secret-refresh');
    const late = open();
    const reads = await Promise.all([late.read(), late.read(), late.read()]);
    expect(reads).toEqual([1, 2, 3].map(() => record('secret-refresh')));
    expect(said.filter((message) => !('secret' in message))).toHaveLength(1);
  });

  test('seals the tokens that wait to be revoked, too', async () => {
    const { open } = createBrowser();
    const clock = { wall: () => 1_000_000 };
    const client = async (): Promise<void> => {
      throw new TypeError('offline');
    };
    const tab = withRevocations(open(), clock, undefined, client);
    await tab.store.update(() => record('next'));
    tab.revoke('old-refresh');
    await patiently(async () => expect(await kept()).toMatchObject([{ token: 'old-refresh' }]));
    expect(await atRest()).not.toContain('old-refresh');

    async function kept(): Promise<unknown> {
      return Object((await tab.store.read()) as object).revocations;
    }
  });

  test('a participant that is no tab does not keep it', async () => {
    const { open } = createBrowser();
    const tab = open();
    await put(tab, 'secret-refresh');
    const post = vi.fn<(message: object) => void>();
    const other = sessionStore('shop', indexedDbStore('shop'), { post }, null);
    const reading = other.read();
    await patiently(() => expect(post).toHaveBeenCalledTimes(1));
    const [{ oneRefreshKey }] = post.mock.calls[0] as [{ oneRefreshKey: string }];
    const { secret } = JSON.parse((tab.place as ReturnType<typeof createPlace>).kept!) as { secret: string };
    other.hear({ oneRefreshKey, secret });
    expect(await reading).toEqual(record('secret-refresh'));
    other.hear({ oneRefreshKey });
    expect(post).toHaveBeenCalledTimes(1);
  });
});

describe('a change', () => {
  test('is one compare-and-set, also beside other writers', async () => {
    const { open } = createBrowser();
    const tabs = [open(), open(), open(), open()];
    await put(tabs[0]!, '0');
    const add = (stored: unknown): SessionRecord => {
      const { refreshToken } = stored as SessionRecord;
      return record(String(Number(refreshToken) + 1));
    };
    await Promise.all(tabs.flatMap((tab) => [tab.update(add), tab.update(add)]));
    expect(await tabs[3]!.read()).toEqual(record('8'));
  });

  test('two tabs at once end with one key', async () => {
    const { open } = createBrowser();
    const [a, b] = [open(), open()];
    await Promise.all([put(a, 'a'), put(b, 'b')]);
    expect(await a.read()).toEqual(await b.read());
  });

  test('that says nothing writes nothing', async () => {
    const { open } = createBrowser();
    const tab = open();
    await put(tab, 'a');
    const before = await atRest();
    await tab.update(() => undefined);
    expect(await atRest()).toBe(before);
  });
});

test('a record in clear is sealed at the first read', async () => {
  await indexedDbStore('shop').update(() => record('secret-refresh'));
  const { open } = createBrowser();
  expect(await open().read()).toEqual(record('secret-refresh'));
  expect(await atRest()).not.toContain('secret-refresh');
});

test('a wrong key from a script is not believed', async () => {
  const { open } = createBrowser();
  const tab = open();
  await put(tab, 'secret-refresh');
  const post = vi.fn<(message: object) => void>();
  const late = sessionStore('shop', indexedDbStore('shop'), { post }, createPlace());
  const reading = late.read();
  await patiently(() => expect(post).toHaveBeenCalledTimes(1));
  const key = JSON.parse((tab.place as ReturnType<typeof createPlace>).kept!) as {
    id: string;
    secret: string;
  };
  late.hear({ oneRefreshKey: key.id, secret: btoa('x'.repeat(32)) });
  await new Promise((resolve) => setTimeout(resolve, 50));
  late.hear({ oneRefreshKey: key.id, secret: key.secret });
  expect(await reading).toEqual(record('secret-refresh'));
});

test.each([
  null,
  7,
  {},
  { oneRefreshKey: 7 },
  { oneRefreshKey: '' },
  { oneRefreshKey: 'x', secret: 'short' },
])('a message %o does nothing', (data) => {
  const { open, said } = createBrowser();
  open().hear(data);
  expect(said).toEqual([]);
});

test('without a channel the store cannot be used', async () => {
  const store = sessionStore('shop', indexedDbStore('shop'), undefined, createPlace());
  await expect(store.read()).rejects.toMatchObject({ storeUnusable: true });
});

test('without Web Cryptography it says that it cannot be used', async () => {
  vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
  await expect(createBrowser().open().read()).rejects.toMatchObject({ storeUnusable: true });
  vi.unstubAllGlobals();
});
