/** Several users of one session in a process, and calls in a process that nothing else wakes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RefreshRejectedError, RefreshUnavailableError } from '../core/errors.js';
import type { TokenResponse } from '../core/types.js';
import { createSessions, folderShared, redisShared, type Sessions, type SessionsOptions } from './index.js';
import { leaseMs } from './lease-terms.js';
import { checkKeepMs } from './sealed.js';
import type { Shared } from './shared.js';

let folder: string;
let opened: Sessions[];
let requests: number;
/** The server's answer to a request. */
let answer: () => Promise<TokenResponse>;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-test-'));
  opened = [];
  requests = 0;
  answer = async () => tokens('2');
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(opened.map((sessions) => sessions.close()));
  await rm(folder, { recursive: true, force: true });
});

const tokens = (n: string, life = 3_600): TokenResponse => ({
  access_token: `access-${n}`,
  refresh_token: `refresh-${n}`,
  expires_in: life,
});
const failed = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'it worked',
    (error: unknown) => error,
  );
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function start(options: Partial<SessionsOptions> = {}): Sessions {
  const refresh = (): Promise<TokenResponse> => (requests++, answer());
  const sessions = createSessions({ shared: folderShared(folder), refresh, ...options });
  opened.push(sessions);
  return sessions;
}

describe('two handles of one session', () => {
  test('closing one ends no call of the other', async () => {
    const sessions = start();
    const [one, other] = [sessions.open('a'), sessions.open('a')];
    await one.setSession(tokens('1', 0));
    answer = async () => (await after(200), tokens('2'));
    const heard = vi.fn<() => void>();
    one.on('signed-out', heard);
    const calls = [one.getAccessToken(), failed(other.getAccessToken())];
    await expect.poll(() => requests).toBe(1);
    await other.close();
    expect(await calls[1]).toMatchObject({ code: 'ERR_CLOSED' });
    expect(await calls[0]).toBe('access-2');
    await one.signOut();
    expect(heard).toHaveBeenCalledOnce();
  });

  test('a closed one hears nothing, and every call rejects', async () => {
    const sessions = start();
    const [one, other] = [sessions.open('a'), sessions.open('a')];
    await one.setSession(tokens('1'));
    const heard = vi.fn<() => void>();
    other.on('*', heard);
    await other.close();
    other.on('*', heard);
    const calls = [
      () => other.setSession(tokens('1')),
      () => other.signOut(),
      () => other.exportSession(),
      () => other.getAccessToken(),
      () => other.getAuthorizationHeaders({ url: 'https://a.test' }),
    ];
    for (const call of calls) expect(await failed(call())).toMatchObject({ code: 'ERR_CLOSED' });
    await other.ready;
    await one.signOut();
    expect(heard).not.toHaveBeenCalled();
  });

  test('both opened before their first use are one session', async () => {
    const sessions = start();
    const [one, other] = [sessions.open('a'), sessions.open('a')];
    await one.setSession(tokens('1'));
    await other.getAccessToken();
    await sessions.close();
    expect([one.peekAccessToken(), other.peekAccessToken()]).toEqual([undefined, undefined]);
  });
});

describe('a failure that waiting does not heal', () => {
  test.each([
    ['an OAuth error', () => new RefreshRejectedError({ error: 'invalid_client' }), 'ERR_REFRESH_REJECTED'],
    ['a fault of the app', () => new TypeError('x is not a function'), 'ERR_CONFIGURATION'],
  ])('%s is tried again by a call after a minute', async (_, error, code) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    vi.stubGlobal('reportError', () => {});
    const session = start().open('a');
    await session.setSession(tokens('1', 0));
    answer = () => {
      throw error();
    };
    for (let n = 0; n < 3; n++) expect(await failed(session.getAccessToken())).toMatchObject({ code });
    expect(requests).toBe(1);
    vi.setSystemTime(Date.now() + 60_000);
    expect(await failed(session.getAccessToken())).toMatchObject({ code });
    expect(requests).toBe(2);
    answer = async () => tokens('2');
    vi.setSystemTime(Date.now() + 59_000);
    expect(await failed(session.getAccessToken())).toMatchObject({ code });
    vi.setSystemTime(Date.now() + 1_000);
    expect(await session.getAccessToken()).toBe('access-2');
    vi.unstubAllGlobals();
  });

  test('three refusals without a word are, too', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() });
    const session = start({ refreshTimeoutMs: 300_000 }).open('a');
    await session.setSession(tokens('1', 0));
    answer = async () => {
      throw Object.assign(new RefreshUnavailableError({ status: 400 }), { isWordless: true });
    };
    const call = (): Promise<unknown> => failed(session.getAccessToken({ failFast: true }));
    for (let n = 0; n < 3; n++) {
      await call();
      vi.advanceTimersByTime(30_000);
    }
    await expect.poll(() => (void call(), session.getSnapshot().status)).toBe('reauth-required');
    const before = requests;
    answer = async () => tokens('2');
    vi.advanceTimersByTime(60_000);
    expect(await call()).toMatchObject({ code: 'ERR_REAUTH_REQUIRED' });
    await expect.poll(call).toBe('it worked');
    expect(requests).toBe(before + 1);
  });
});

describe('a shared part that hangs', () => {
  const hanging = (): Promise<never> => new Promise(() => {});

  test('holds up no end', async () => {
    const shared: Shared = { ...folderShared(folder), listen: () => hanging };
    const sessions = start({ shared });
    sessions.open('a').on('*', () => {});
    const began = performance.now();
    await sessions.close();
    expect(performance.now() - began).toBeLessThan(2_500);
  });

  test('keeps no caller that gives up', async () => {
    const session = start({ shared: { ...folderShared(folder), read: hanging } }).open('a');
    const controller = new AbortController();
    const call = failed(session.getAccessToken({ signal: controller.signal }));
    controller.abort('enough');
    expect(await call).toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
    const { signal } = controller;
    expect(await failed(session.getAccessToken({ signal }))).toMatchObject({ code: 'ERR_ABORTED' });
  });
});

test('a write that fails says why', async () => {
  const write: Shared['write'] = async () => {
    throw new Error('No space left');
  };
  const session = start({ shared: { ...folderShared(folder), write } }).open('a');
  expect(await failed(session.setSession(tokens('1')))).toMatchObject({
    code: 'ERR_STORAGE',
    cause: { message: expect.stringContaining('No space left') },
  });
}, 20_000);

test('an id with a lone surrogate is refused', () => {
  const open = (id: string) => () => start().open(id);
  expect(open('user\ud800')).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION' }));
  expect(open('user\u{1f600}')).not.toThrow();
});

test('a lease lasts whole milliseconds', () => {
  expect(['refresh', 'attempt:s.1'].map((name) => leaseMs(name, 2_000 / 3))).toEqual([667, 2_000]);
  expect(leaseMs('attempt:s.1', 1_000.1)).toBe(3_001);
});

test.each([Infinity, Number.NaN, 0, -5, '90d', null])('keepMs = %s is refused', (keepMs) => {
  expect(() => checkKeepMs(keepMs)).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION' }));
  const client = { sendCommand: async () => null, duplicate: () => ({}) };
  expect(() => redisShared(client, { keepMs: keepMs as number })).toThrow('keepMs');
});

test('keepMs is counted in whole milliseconds', () => {
  expect([checkKeepMs(1_000.5), checkKeepMs()]).toEqual([1_001, 90 * 86_400_000]);
});
