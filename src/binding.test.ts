import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Origin, pass, watch } from '../test/support/tabs.js';
import { refreshTokenGrant } from './oauth/index.js';
import type { RefreshRequest, TokenCoordinatorOptions } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An app whose server gives tokens that begin with its name, and sees what it is sent. */
function app(binding: string) {
  const sent: RefreshRequest[] = [];
  const revoked: string[] = [];
  let n = 1;
  const pair = () => ({
    access_token: `${binding} at ${n}`,
    refresh_token: `${binding} rt ${n}`,
    expires_in: 10,
  });
  const options: Pick<TokenCoordinatorOptions, 'refresh' | 'proactive'> = {
    proactive: 'never',
    refresh: {
      binding,
      refresh: async (request) => {
        sent.push(request);
        n++;
        return pair();
      },
      revoke: async (token) => void revoked.push(token),
    },
  };
  return { sent, revoked, pair, options };
}

async function signedIn() {
  const origin = new Origin();
  const [a, b] = [app('A'), app('B')];
  const tab = origin.open(a.options);
  void tab.setSession(a.pair());
  await pass(50);
  return { origin, a, b, tab };
}

describe('a session of another binding', () => {
  test('is shown as signed out, with both bindings', async () => {
    const { origin, b } = await signedIn();
    const other = origin.open(b.options);
    await pass(50);
    expect(other.getSnapshot()).toMatchObject({
      status: 'signed-out',
      version: 0,
      error: { code: 'ERR_CONFIGURATION', message: expect.stringMatching(/"A".*"B"/) as string },
    });
    expect(other.getSnapshot().sessionId).toBeUndefined();
    const call = watch(other.getAccessToken());
    await pass(50);
    expect(call.outcome()).toBe('ERR_CONFIGURATION');
    expect(other.peekAccessToken()).toBeUndefined();
  });

  test('is neither sent, revoked, told, nor ended', async () => {
    const { origin, a, b, tab } = await signedIn();
    const other = origin.open({ ...b.options, proactive: 'always' });
    await pass(50);
    origin.messages.length = 0;
    const { record } = origin;
    void other.signOut();
    await pass(20_000);
    origin.storeFailures = 3;
    const stranger = origin.open(b.options);
    await pass(500);
    expect(stranger.getSnapshot().storage).toBe('memory');
    expect(stranger.getSnapshot().status).toBe('signed-out');
    expect(origin.record).toEqual(record);
    expect([...b.sent, ...b.revoked]).toEqual([]);
    expect(origin.messages.filter((message) => 'record' in message)).toEqual([]);
    const call = watch(tab.getAccessToken());
    await pass(50);
    expect(call.outcome()).toBe('A at 2');
    expect(a.sent).toHaveLength(1);
  });

  test('a sign-in replaces it, and its tabs know at once', async () => {
    const { origin, a, b, tab } = await signedIn();
    const other = origin.open(b.options);
    await pass(50);
    void other.setSession(b.pair(), { ifSignedOut: true });
    await pass(50);
    expect(other.getSnapshot()).toMatchObject({ status: 'signed-in', error: undefined });
    expect(tab.getSnapshot()).toMatchObject({ status: 'signed-out', error: { code: 'ERR_CONFIGURATION' } });
    expect(tab.events.map(({ type }) => type)).toContain('signed-out');
    await pass(20_000);
    // Neither a timer nor a wake-up of the stale tab writes its own session back.
    tab.lifecycle('visible');
    await pass(2_000);
    expect(origin.record?.binding).toBe('B');
    expect(a.sent).toEqual([]);
  });

  test('is forgotten when the store loses it', async () => {
    const { origin, b } = await signedIn();
    const other = origin.open(b.options);
    await pass(50);
    origin.record = undefined;
    other.lifecycle('visible');
    await pass(50);
    expect(other.getSnapshot().error).toBeUndefined();
  });

  test('shows nothing unreadable of its binding', async () => {
    const { origin, b, tab } = await signedIn();
    await tab.close();
    origin.record = { ...origin.record!, binding: `\n\u202e${'x'.repeat(1_000)}` };
    const other = origin.open(b.options);
    await pass(50);
    const { message } = other.getSnapshot().error!;
    expect(message).toMatch(/^[\x20-\x7e]+$/);
    expect(message.length).toBeLessThan(400);
  });
});

test('a refresh worker of another binding is asked in vain', async () => {
  const { origin, a, b, tab } = await signedIn();
  await tab.close();
  origin.installWorker(b.options);
  const page = origin.open({ ...a.options, worker: 'worker.js', leaderTimeoutMs: 300 });
  await pass(50);
  const call = watch(page.getAccessToken({ forceRefresh: true }));
  await pass(500);
  expect(call.outcome()).toBe('A at 2');
  expect([a.sent.length, b.sent.length]).toEqual([1, 0]);
});

describe('a record without a binding', () => {
  test('is used at once, and bound by the first write', async () => {
    const { origin, a, b, tab } = await signedIn();
    await tab.close();
    const { binding: _, ...unbound } = origin.record!;
    origin.record = unbound;
    const [one, other] = [origin.open(a.options), origin.open(b.options)];
    await pass(50);
    expect([one, other].map((each) => each.getSnapshot().status)).toEqual(['signed-in', 'signed-in']);
    const calls = [one, other].map((each) => watch(each.getAccessToken({ forceRefresh: true })));
    await pass(500);
    expect(calls.map((call) => call.outcome())).toEqual(['A at 2', 'ERR_CONFIGURATION']);
    expect(origin.record).toMatchObject({ binding: 'A', version: 2 });
    expect(b.sent).toEqual([]);
  });

  test('a coordinator without one compares nothing', async () => {
    const { origin } = await signedIn();
    const any = origin.open({ refresh: async () => ({ access_token: 'any', expires_in: 10 }) });
    await pass(50);
    const call = watch(any.getAccessToken({ forceRefresh: true }));
    await pass(200);
    expect(call.outcome()).toBe('any');
    expect(origin.record?.binding).toBe('A');
  });
});

describe('refreshTokenGrant', () => {
  const bindingOf = (options: object): string | undefined =>
    refreshTokenGrant({ clientId: 'shop', ...options }).binding;

  test('names its issuer, else its token endpoint, and the client', () => {
    const tokenEndpoint = 'https://login.example/token?p=b2c';
    expect(bindingOf({ issuer: 'https://login.example', tokenEndpoint })).toBe('https://login.example/ shop');
    expect(bindingOf({ tokenEndpoint })).toBe('https://login.example/token?p=b2c shop');
  });

  test('gives one server one name, and two servers two', () => {
    expect(bindingOf({ issuer: 'https://LOGIN.example:443' })).toBe(
      bindingOf({ issuer: 'https://login.example/' }),
    );
    expect(bindingOf({ issuer: 'https://login.example/a' })).not.toBe(
      bindingOf({ issuer: 'https://login.example/b' }),
    );
    expect(bindingOf({ issuer: 'https://u:secret@login.example' })).not.toContain('secret');
  });
});
