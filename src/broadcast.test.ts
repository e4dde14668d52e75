import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Origin, pass, watch, type Tab } from '../test/support/tabs.js';
import type { RefreshRequest } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Tabs that keep the refresh token off the channel, and a server that counts its pairs from the sign-in's on. */
function app() {
  const origin = new Origin();
  const sent: RefreshRequest[] = [];
  let n = 1;
  const open = (): Tab =>
    origin.open({
      broadcast: 'access-token',
      proactive: 'never',
      refreshTimeoutMs: 2_000,
      refresh: async (request) => {
        sent.push(request);
        n++;
        return { access_token: `access-${n}`, refresh_token: `refresh-${n}`, expires_in: 60 };
      },
    });
  return { origin, sent, open };
}

/** A tab that has signed in and refreshed once. */
async function signedIn() {
  const { origin, sent, open } = app();
  const tab = open();
  await pass(10);
  void tab.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 60 });
  await pass(50);
  void tab.getAccessToken({ forceRefresh: true });
  await pass(100);
  expect(tab.peekAccessToken()).toBe('access-2');
  return { origin, sent, open, tab };
}

/** One more tab, whose storage does not work; that of the others still does. */
async function openWithoutStore({ origin, open }: Pick<ReturnType<typeof app>, 'origin' | 'open'>) {
  origin.storeFailures = 3;
  const tab = open();
  await pass(400);
  expect(tab.getSnapshot().storage).toBe('memory');
  return tab;
}

const refreshTokens = ({ messages }: Origin) =>
  messages.flatMap((message) => JSON.stringify(message).match(/refresh-\d/g) ?? []);

test.each([
  ['hello', { type: 'hello', memory: true, sessionId: '', version: 0 }],
  ['hello of this session', { type: 'hello', memory: true, version: 1 }],
  ['refresh-request', { type: 'refresh-request', memory: true, version: 1 }],
  [
    'reauth-required',
    { type: 'reauth-required', version: 1, ended: { kind: 'reauth-required', reason: 'refresh_rejected' } },
  ],
])('`access-token`: a %s is answered without the refresh token', async (_, question) => {
  const { origin, tab } = await signedIn();
  const { sessionId } = tab.getSnapshot();
  origin.messages.length = 0;
  origin.tell(0, { protocol: 1, from: 'x', term: 1, sessionId, ...question });
  await pass(100);
  expect(origin.messages).toMatchObject([{ type: 'pair', version: 2, withheld: true, unsaved: false }]);
  expect(refreshTokens(origin)).toEqual([]);
});

test.each([
  ['refresh-request', { memory: true }],
  ['reauth-required', { ended: { kind: 'reauth-required', reason: 'refresh_rejected' } }],
])('a %s of an older version is answered at once', async (type, question) => {
  const { origin, tab } = await signedIn();
  const { sessionId } = tab.getSnapshot();
  origin.messages.length = 0;
  origin.storeMs = 3_000;
  origin.tell(0, { protocol: 1, from: 'x', term: 1, sessionId, version: 1, type, ...question });
  await pass(50);
  expect(origin.messages).toMatchObject([{ type: 'pair', version: 2, withheld: true }]);
});

test('`access-token`: a tab without a store is served', async () => {
  const { origin, sent, open } = await signedIn();
  const { record } = origin;
  const frame = await openWithoutStore({ origin, open });
  expect(frame.peekAccessToken()).toBe('access-2');
  const call = watch(frame.getAccessToken({ forceRefresh: true }));
  await pass(1_000);
  expect(frame.getSnapshot().storage).toBe('memory');
  expect(call.outcome()).toBe('access-3');
  expect(sent.map((request) => request.refreshToken)).toEqual(['refresh-1', 'refresh-2']);
  expect(origin.record).toMatchObject({ sessionId: record!.sessionId, refreshToken: 'refresh-3' });
  expect(refreshTokens(origin)).toEqual([]);
});

test('`access-token`: a withheld pair is neither sent nor stored', async () => {
  const { origin, sent, open, tab } = await signedIn();
  const frame = await openWithoutStore({ origin, open });
  const { record } = origin;
  tab.kill();
  origin.storeFailures = 1_000;
  const call = watch(frame.getAccessToken({ forceRefresh: true, timeoutMs: 5_000 }));
  await pass(6_000);
  expect(call.outcome()).toMatch(/ERR_STORAGE|ERR_TIMEOUT/);
  expect(frame.getSnapshot().status).toBe('signed-in');
  expect(sent).toHaveLength(1);
  origin.storeFailures = 0;
  await pass(60_000);
  expect(origin.record).toEqual(record);
  // With a store that works it has the whole pair.
  const again = watch(frame.getAccessToken({ forceRefresh: true }));
  await pass(1_000);
  expect(again.outcome()).toBe('access-3');
});

test('`access-token`: a pair that no store holds travels whole', async () => {
  const { origin, open, tab } = await signedIn();
  const other = open();
  await pass(100);
  origin.messages.length = 0;
  const call = watch(tab.getAccessToken({ forceRefresh: true }));
  // After its write-ahead nothing is stored any more.
  await pass(2);
  origin.storeFailures = 1_000;
  await pass(1_000);
  expect(call.outcome()).toBe('access-3');
  expect(refreshTokens(origin)).toContain('refresh-3');
  expect(other.peekAccessToken()).toBe('access-3');
});

test('a lost refresh token is asked for once in T', async () => {
  const { origin, sent, open, tab } = await signedIn();
  const frame = await openWithoutStore({ origin, open });
  void tab.close();
  origin.record = undefined;
  await pass(10_000);
  origin.messages.length = 0;
  const call = watch(frame.getAccessToken({ forceRefresh: true, timeoutMs: 19_000 }));
  await pass(20_000);
  expect(origin.messages.filter(({ type }) => type === 'refresh-request').length).toBeLessThanOrEqual(10);
  expect(call.outcome()).toBe('ERR_STORAGE');
  expect(sent).toHaveLength(1);
});
