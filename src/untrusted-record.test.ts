import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Origin, pass, watch } from '../test/support/tabs.js';
import type { SessionRecord } from './core/record.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const CENTURY_MS = 100 * 365 * 86_400_000;
const refresh = async () => ({ access_token: 'refreshed', refresh_token: 'next', expires_in: 60 });
const token = () => ({
  token: 'found',
  type: 'Bearer',
  version: 1,
  obtainedAt: Date.now(),
  expiresAt: Date.now() + 60_000,
});

function record(): SessionRecord {
  return {
    schema: 1,
    startedAt: Date.now(),
    term: 1,
    sessionId: 's',
    version: 1,
    refreshToken: 'r',
    accessTokens: { '': token() },
  };
}

/** Two tabs that find this in the store. */
async function found(stored: object) {
  const origin = new Origin();
  origin.record = stored as SessionRecord;
  const tabs = [0, 1].map(() => origin.open({ refresh, refreshTimeoutMs: 500, proactive: 'always' }));
  const ready = watch(Promise.all(tabs.map((tab) => tab.ready)));
  await pass(100);
  expect(ready.outcome()).not.toBe('pending');
  return { origin, tabs };
}

const forgeries: [string, (sound: SessionRecord) => object][] = [
  ['no object', () => [] as object],
  [
    'a token without a version',
    (one) => ({ ...one, accessTokens: { '': { ...token(), version: undefined } } }),
  ],
  [
    'a token without a time',
    (one) => ({ ...one, accessTokens: { '': { ...token(), obtainedAt: undefined } } }),
  ],
  [
    'a token that ends by a text',
    (one) => ({ ...one, accessTokens: { '': { ...token(), expiresAt: '2026' } } }),
  ],
  ['a journal without failures', (one) => ({ ...one, journal: { attempt: 1, by: 'z', term: 1, at: 1 } })],
  ['an unknown end', (one) => ({ ...one, ended: { kind: 'over' } })],
  ['the last start that is believed', (one) => ({ ...one, startedAt: Date.now() + CENTURY_MS })],
  ['the largest start', (one) => ({ ...one, startedAt: 2 ** 50 })],
  ['the largest term', (one) => ({ ...one, term: 2 ** 50 })],
  ['the largest version', (one) => ({ ...one, version: 2 ** 50 })],
  [
    'the largest attempt',
    (one) => ({ ...one, journal: { attempt: 2 ** 50, by: 'z', term: 1, at: 1, doubts: 0, failures: 0 } }),
  ],
  ['a later schema', (one) => ({ ...one, schema: 2 ** 50 })],
];

describe.each(forgeries)('a record with %s', (_, forge) => {
  test('hangs nothing, and a sign-in replaces it everywhere', async () => {
    const { tabs } = await found(forge(record()));
    const calls = tabs.map((tab) => watch(tab.getAccessToken({ timeoutMs: 400 })));
    for (const tab of tabs) expect(() => tab.peekAccessToken()).not.toThrow();
    await pass(3_000);
    for (const call of calls) expect(call.outcome()).not.toBe('pending');
    const signIn = watch(tabs[0]!.setSession({ access_token: 'mine', refresh_token: 'r1', expires_in: 60 }));
    await pass(1_000);
    expect(signIn.outcome()).toBeUndefined();
    const { sessionId } = tabs[0]!.getSnapshot();
    for (const tab of tabs) {
      expect(tab.getSnapshot()).toMatchObject({ status: 'signed-in', version: 1, sessionId });
      expect(tab.peekAccessToken()).toBe('mine');
    }
  });

  test('is replaced also if the first write fails', async () => {
    const { tabs, origin } = await found(forge(record()));
    await pass(3_000);
    origin.storeFailures = 1;
    const signIn = watch(tabs[0]!.setSession({ access_token: 'mine', refresh_token: 'r1', expires_in: 60 }));
    await pass(1_000);
    expect(signIn.outcome()).toBeUndefined();
    expect(tabs.map((tab) => tab.peekAccessToken())).toEqual(['mine', 'mine']);
  });
});

test('one audience that cannot be read costs no session', async () => {
  const odd = { ...token(), version: undefined } as never;
  const { tabs } = await found({ ...record(), accessTokens: { '': odd } });
  const call = watch(tabs[0]!.getAccessToken());
  await pass(1_000);
  expect(call.outcome()).toBe('refreshed');
});

test('a record of a later schema is not written', async () => {
  const { origin, tabs } = await found({ ...record(), schema: 2, more: 1, accessTokens: {} });
  // Somebody holds the lock and stands still, which is a reason to claim it.
  origin.hold('refresh');
  const call = watch(tabs[0]!.getAccessToken({ timeoutMs: 5_000 }));
  await pass(6_000);
  expect(call.outcome()).toBe('ERR_TIMEOUT');
  expect(origin.record).toHaveProperty('more');
  const signOut = watch(tabs[0]!.signOut());
  await pass(100);
  expect(signOut.outcome()).toBeUndefined();
  expect(origin.record).toMatchObject({ schema: 2, ended: { kind: 'signed-out' } });
});

test('a later start of the same session is not believed', async () => {
  const { tabs, origin } = await found(record());
  const later = { ...record(), term: 9, leader: 'z', startedAt: Date.now() + CENTURY_MS - 1_000_000 };
  const { sessionId, version, term } = later;
  const position = { sessionId, version, term };
  origin.tell(1, { protocol: 1, from: 'z', type: 'pair', ...position, record: later, unsaved: false });
  await pass(100);
  void tabs[0]!.setSession({ access_token: 'mine', refresh_token: 'r1', expires_in: 60 });
  await pass(1_000);
  expect(tabs.map((tab) => tab.peekAccessToken())).toEqual(['mine', 'mine']);
});

test('peekAccessToken takes anything', async () => {
  const { tabs } = await found(record());
  const peek = tabs[0]!.peekAccessToken as (audience: unknown) => string | undefined;
  expect([null, 5, { resource: 5 }, { scope: Symbol('s') }].map(peek)).toEqual([
    'found',
    'found',
    undefined,
    undefined,
  ]);
});

test('a sign-in with too much text is refused', async () => {
  const { tabs } = await found([]);
  const long = 'x'.repeat(2 ** 20 + 1);
  const ways = [
    tabs[0]!.setSession({ access_token: long }),
    tabs[0]!.setSession({ access_token: 'a' }, { subject: long }),
    tabs[0]!.getAccessToken({ resource: long }),
  ].map((call) => watch<unknown>(call));
  await pass(10);
  for (const one of ways) expect(one.outcome()).toBe('ERR_CONFIGURATION');
});
