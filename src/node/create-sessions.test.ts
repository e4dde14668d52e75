import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RefreshRejectedError } from '../core/errors.js';
import type { TokenResponse } from '../core/types.js';
import type { RefreshRequest, TokenCoordinator } from '../types.js';
import { createSessions, folderShared, type Sessions, type SessionsOptions, type Shared } from './index.js';

let folder: string;
let opened: Sessions[];
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-test-'));
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((sessions) => sessions.close()));
  await rm(folder, { recursive: true, force: true });
});

/** Rotates strictly: a refresh token works once. */
function strictServer(life = 60) {
  let n = 1;
  const requests: RefreshRequest[] = [];
  return {
    requests,
    pair: (): TokenResponse => ({
      access_token: `access-${n}`,
      refresh_token: `refresh-${n}`,
      expires_in: life,
    }),
    latencyMs: 5,
    refresh: async (request: RefreshRequest): Promise<TokenResponse> => {
      requests.push(request);
      const sound = request.refreshToken === `refresh-${n}`;
      if (sound) n++;
      await new Promise((resolve) => setTimeout(resolve, server.latencyMs));
      if (!sound) throw new RefreshRejectedError({ error: 'invalid_grant' });
      return server.pair();
    },
  };
}
let server = strictServer();
beforeEach(() => (server = strictServer()));

/** As many as a test wants: each stands for a process of its own. */
function start(options: Partial<SessionsOptions> = {}): Sessions {
  const sessions = createSessions({ shared: folderShared(folder), refresh: server.refresh, ...options });
  opened.push(sessions);
  return sessions;
}

const expired = (): TokenResponse => ({ ...server.pair(), expires_in: 0 });
const failed = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'it worked',
    (error: unknown) => error,
  );

test('a session of one process is found by another', async () => {
  await start().open('a').setSession(server.pair(), { subject: 'alice' });
  const session = start().open('a');
  expect(await session.getAccessToken()).toBe('access-1');
  expect(session.getSnapshot()).toMatchObject({ status: 'signed-in', subject: 'alice', version: 1 });
  expect(server.requests).toHaveLength(0);
});

test('a session of another binding serves nobody', async () => {
  await start({ binding: 'one' }).open('a').setSession(server.pair(), { subject: 'alice' });
  const session = start({ binding: 'two' }).open('a');
  expect(await failed(session.getAccessToken())).toMatchObject({ code: 'ERR_CONFIGURATION' });
  const another = start({ binding: 'two' }).open('a');
  await another.ready;
  expect([another.peekAccessToken(), another.getSnapshot()]).toMatchObject([
    undefined,
    { status: 'signed-out', subject: undefined, error: { code: 'ERR_CONFIGURATION' } },
  ]);
});

test('a known end is shown before and after', async () => {
  const sessionExpiresAt = Date.now() + 400;
  await start().open('a').setSession(server.pair(), { sessionExpiresAt });
  const session = start().open('a');
  await session.ready;
  expect(session.getSnapshot()).toMatchObject({ status: 'signed-in', sessionExpiresAt });
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(session.getSnapshot()).toMatchObject({
    status: 'reauth-required',
    error: { reason: 'no_refresh_token' },
  });
});

test('nobody has signed in: the first read says so', async () => {
  const session = start().open('nobody');
  await session.ready;
  expect(session.getSnapshot().status).toBe('signed-out');
});

test('ten processes find the token expired: one request', async () => {
  await start().open('a').setSession(expired());
  const all = Array.from({ length: 10 }, () => start().open('a'));
  const tokens = await Promise.all(all.map((session) => session.getAccessToken()));
  expect(new Set(tokens)).toEqual(new Set(['access-2']));
  expect(server.requests).toHaveLength(1);
});

test('sessions of different ids do not meet', async () => {
  const sessions = start();
  await sessions.open('a').setSession(server.pair());
  expect(await failed(sessions.open('b').getAccessToken())).toMatchObject({ code: 'ERR_SIGNED_OUT' });
});

test('a sign-out ends the session in every process', async () => {
  const [one, other] = [start().open('a'), start().open('a')];
  await one.setSession(server.pair());
  expect(await other.getAccessToken()).toBe('access-1');
  await one.signOut();
  expect(await failed(other.getAccessToken())).toMatchObject({ code: 'ERR_SIGNED_OUT' });
});

test('exports the session of all processes after a refresh', async () => {
  const [one, other] = [start().open('a'), start().open('a')];
  await one.setSession(expired());
  const refreshed = one.getAccessToken();
  await expect.poll(() => server.requests.length).toBe(1);
  expect(await other.exportSession()).toMatchObject({ access_token: 'access-2', refresh_token: 'refresh-2' });
  expect(await refreshed).toBe('access-2');
  expect(await failed(one.getAccessToken({ forceRefresh: true }))).toMatchObject({ code: 'ERR_SIGNED_OUT' });
  expect(server.requests).toHaveLength(1);
});

test('a session that somebody listens to hears of it', async () => {
  const [one, other] = [start().open('a'), start().open('a')];
  await one.setSession(server.pair());
  const heard = new Promise((resolve) => other.on('signed-out', resolve));
  await other.getAccessToken();
  await one.signOut();
  expect(await heard).toMatchObject({ type: 'signed-out' });
});

test('a lost session is said by reason, once', async () => {
  const [one, other] = [start().open('a'), start().open('a')];
  await one.setSession({ ...expired(), refresh_token: 'refresh-0' });
  const began = performance.now();
  const results = await Promise.all([one, other].map((session) => failed(session.getAccessToken())));
  expect(results).toMatchObject([
    { code: 'ERR_REAUTH_REQUIRED', reason: 'refresh_rejected' },
    { code: 'ERR_REAUTH_REQUIRED', reason: 'refresh_rejected' },
  ]);
  expect(server.requests).toHaveLength(1);
  // (Another attempt would be waited for, for five seconds.)
  expect(performance.now() - began).toBeLessThan(2_500);
});

test('files are for their owner, and named by no secret', async () => {
  await start().open('the-cookie').setSession(server.pair());
  const names = await readdir(folder, { recursive: true });
  expect(names.length).toBeGreaterThan(3);
  for (const name of names) {
    const { mode } = await stat(path.join(folder, name));
    expect(mode & 0o077).toBe(0);
    expect(name).not.toContain('cookie');
  }
});

test('records are sealed, and unreadable without a key', async () => {
  const [old, young] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const withKeys = (...keys: [string, Uint8Array][]) =>
    start({ shared: folderShared(folder, { encryptWith: keys.map(([id, key]) => ({ id, key })) }) }).open(
      'a',
    );
  await withKeys(['old', old]).setSession(server.pair());
  for (const name of await readdir(path.join(folder, 'sessions'), { recursive: true })) {
    const text = await readFile(path.join(folder, 'sessions', name), 'utf8').catch(() => 'a folder');
    expect(text).not.toContain('refresh-1');
  }
  expect(await withKeys(['young', young], ['old', old]).getAccessToken()).toBe('access-1');
  expect(await failed(withKeys(['young', young]).getAccessToken())).toMatchObject({ code: 'ERR_STORAGE' });
  // Nor is a sealed record of a process that was given no key taken for no session.
  const blind = start().open('a');
  expect(await failed(blind.getAccessToken())).toMatchObject({ code: 'ERR_STORAGE' });
  expect(await failed(blind.setSession(server.pair()))).toMatchObject({ code: 'ERR_STORAGE' });
  expect(await withKeys(['young', young], ['old', old]).getAccessToken()).toBe('access-1');
});

/** A shared part that can go away. */
function breakable(): { shared: Shared; away: boolean; tell: () => void } {
  const inner = folderShared(folder);
  const it = { shared: inner, away: false, tell: (): void => {} };
  const guard =
    <A extends unknown[], R>(run: (...all: A) => Promise<R>) =>
    async (...all: A): Promise<R> => {
      if (it.away) throw new Error('connect ECONNREFUSED');
      return run(...all);
    };
  const { read, write, acquire, steal, release, post, listen } = inner;
  it.shared = {
    read: guard(read),
    write: guard(write),
    acquire: guard(acquire),
    steal: guard(steal),
    release: guard(release),
    post: guard(post),
    listen: (hear, missed) => {
      it.tell = missed;
      return listen(hear, missed);
    },
  };
  return it;
}

test('without the shared part every call rejects unspent', async () => {
  const part = breakable();
  const session = start({ shared: part.shared }).open('a');
  await session.setSession(expired());
  part.away = true;
  for (const call of [
    () => session.getAccessToken(),
    () => session.setSession(server.pair()),
    () => session.signOut(),
  ]) {
    expect(await failed(call())).toMatchObject({ code: 'ERR_STORAGE' });
  }
  expect(server.requests).toHaveLength(0);
  part.away = false;
  expect(await session.getAccessToken()).toBe('access-2');
});

test('the cause names no token, whatever a driver says', async () => {
  const part = breakable();
  const session = start({ shared: part.shared }).open('a');
  await session.setSession(server.pair());
  await session.getAccessToken();
  const read: Shared['read'] = () => Promise.reject(new Error("unknown command, with args: 'access-1'"));
  Object.assign(part.shared, { read });
  const error = await failed(session.getAccessToken());
  expect(error).toMatchObject({ code: 'ERR_STORAGE', cause: { message: expect.stringContaining('args') } });
  expect(String((error as Error).cause)).not.toContain('access-1');
});

test('it goes away before the write-ahead: nothing is spent', async () => {
  const part = breakable();
  const { write } = part.shared;
  const session = start({ shared: { ...part.shared, write: (...all) => write(...all) } }).open('a');
  await session.setSession(expired());
  const acquire = part.shared.acquire;
  const blind: Shared = {
    ...part.shared,
    acquire: async (lease) => {
      const holder = await acquire(lease);
      if (lease.name.startsWith('attempt:')) part.away = true;
      return holder;
    },
  };
  const other = start({ shared: blind }).open('a');
  expect(await failed(other.getAccessToken())).toMatchObject({ code: 'ERR_STORAGE' });
  expect(server.requests).toHaveLength(0);
  part.away = false;
  expect(await session.getAccessToken()).toBe('access-2');
});

/** Others have news, which cannot be read: so a process learns that the shared part is away. */
async function learnsOf(part: ReturnType<typeof breakable>, session: TokenCoordinator): Promise<void> {
  part.away = true;
  const isKnown = (): boolean => session.getSnapshot().storage === 'memory';
  const ask = (): boolean => isKnown() || (part.tell(), false);
  await expect.poll(ask, { timeout: 10_000 }).toBe(true);
}

test('lost during preparation: nothing is sent', async () => {
  const part = breakable();
  let prepared: Promise<unknown> | undefined;
  const refresh: SessionsOptions['refresh'] = async (request) => {
    await (prepared = failed(learnsOf(part, session).then(() => request.assertSendable?.())));
    request.assertSendable?.();
    return server.refresh(request);
  };
  const session = start({ shared: part.shared, refresh }).open('a');
  await session.setSession(expired());
  expect(await failed(session.getAccessToken())).toMatchObject({ code: 'ERR_STORAGE' });
  expect(await prepared).toMatchObject({ unspent: true });
  expect(server.requests).toHaveLength(0);
  part.away = false;
  const other = start().open('a');
  await expect
    .poll(() => other.getAccessToken().catch(() => undefined), { timeout: 20_000 })
    .toBe('access-2');
  expect(server.requests).toHaveLength(1);
}, 40_000);

//     A  sends ─ three reads fail: no store ─ answer ─ (back) saves the pair at once
//     B                                                       queues ─ waits T + R ─ finds A's pair
test('an answer without it is saved when it is back', async () => {
  const refreshTimeoutMs = 1_000;
  const part = breakable();
  const refresh: SessionsOptions['refresh'] = async (request) => {
    const answer = await server.refresh(request);
    await learnsOf(part, session);
    return answer;
  };
  const session = start({ shared: part.shared, refresh, refreshTimeoutMs: 30_000 }).open('a');
  await session.setSession(expired());
  await failed(session.getAccessToken());
  await expect.poll(() => session.peekAccessToken({ minValidityMs: 0 } as never)).toBe('access-2');
  // (What it was reading has failed, too.)
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  part.away = false;
  const other = start({ refreshTimeoutMs }).open('a');
  expect(await other.getAccessToken()).toBe('access-2');
  expect(server.requests).toHaveLength(1);
}, 40_000);

test('lost during a request: the pair is saved later', async () => {
  const part = breakable();
  const refresh: SessionsOptions['refresh'] = async (request) => {
    part.away = true;
    return server.refresh(request);
  };
  const session = start({ shared: part.shared, refresh }).open('a');
  await session.setSession(expired());
  // The answer is here, so it may be handed out; or the store is away, and the next call says so.
  await failed(session.getAccessToken());
  expect(await failed(session.getAccessToken())).toMatchObject({ code: 'ERR_STORAGE' });
  expect(server.requests).toHaveLength(1);
  part.away = false;
  const other = start().open('a');
  await expect
    .poll(() => session.getAccessToken().catch(() => undefined), { timeout: 20_000 })
    .toBe('access-2');
  await expect
    .poll(() => other.getAccessToken().catch(() => undefined), { timeout: 20_000 })
    .toBe('access-2');
  expect(server.requests).toHaveLength(1);
});

//     A  answer ─ away for longer than the lease of its attempt ░░░░░░░░░░░ back ─ saves the pair
//     B                                                                    asks: is granted the lease ─ waits ─ finds A's pair
test('an unsaved answer outlives the lease of its attempt', async () => {
  const refreshTimeoutMs = 1_000;
  const part = breakable();
  const refresh: SessionsOptions['refresh'] = async (request) => {
    part.away = true;
    return server.refresh(request);
  };
  const session = start({ shared: part.shared, refresh, refreshTimeoutMs }).open('a');
  await session.setSession(expired());
  await failed(session.getAccessToken());
  await new Promise((resolve) => setTimeout(resolve, 3 * refreshTimeoutMs + 500));
  part.away = false;
  const other = start({ refreshTimeoutMs }).open('a');
  expect(await other.getAccessToken()).toBe('access-2');
  expect(server.requests).toHaveLength(1);
}, 20_000);

test('a session with an unsaved answer does not rest', async () => {
  const part = breakable();
  const refresh: SessionsOptions['refresh'] = async (request) => {
    part.away = true;
    return server.refresh(request);
  };
  const session = start({ shared: part.shared, refresh, refreshTimeoutMs: 1_000, idleMs: 200 }).open('a');
  await session.setSession(expired());
  await failed(session.getAccessToken());
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  part.away = false;
  const other = start({ refreshTimeoutMs: 1_000 }).open('a');
  expect(await other.getAccessToken()).toBe('access-2');
  expect(server.requests).toHaveLength(1);
}, 20_000);

test("a read's time is part of a call's limit", async () => {
  const part = breakable();
  const read: Shared['read'] = () => new Promise(() => {});
  const session = start({ shared: { ...part.shared, read } }).open('a');
  expect(await failed(session.getAccessToken({ timeoutMs: 100 }))).toMatchObject({ code: 'ERR_TIMEOUT' });
});

test('a fresh token costs one read, or none if allowed', async () => {
  const inner = folderShared(folder);
  let reads = 0;
  const shared: Shared = { ...inner, read: (key) => (reads++, inner.read(key)) };
  // (A process that is open answers the greeting of the next one, which then reads once more.)
  const first = start({ shared });
  await first.open('a').setSession(server.pair());
  await first.close();
  const second = start({ shared });
  const each = second.open('a');
  reads = 0;
  for (let n = 0; n < 5; n++) await each.getAccessToken();
  expect(reads).toBe(5);
  await second.close();
  const trusting = start({ shared, trustMemoryMs: 60_000 }).open('a');
  reads = 0;
  for (let n = 0; n < 5; n++) await trusting.getAccessToken();
  expect(reads).toBe(1);
});

test('a trusted token is given up after a sign-out', async () => {
  const trusting = start({ trustMemoryMs: 60_000 }).open('a');
  const other = start().open('a');
  await other.setSession(server.pair());
  await trusting.getAccessToken();
  await other.signOut();
  await expect.poll(() => failed(trusting.getAccessToken())).toMatchObject({ code: 'ERR_SIGNED_OUT' });
});

test('an idle session rests until it is used again', async () => {
  const session = start({ idleMs: 20 }).open('a');
  await session.setSession(expired());
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await session.getAccessToken()).toBe('access-2');
});

test('closing waits for the request on its way', async () => {
  const sessions = start();
  const session = sessions.open('a');
  await session.setSession(expired());
  server.latencyMs = 200;
  const call = failed(session.getAccessToken());
  await expect.poll(() => server.requests.length).toBe(1);
  await sessions.close();
  expect(await call).toMatchObject({ code: 'ERR_CLOSED' });
  expect(await start().open('a').getAccessToken()).toBe('access-2');
  expect(server.requests).toHaveLength(1);
  expect(await failed(session.getAccessToken())).toMatchObject({ code: 'ERR_CLOSED' });
  expect(() => sessions.open('b')).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
});

test.each([
  ['no shared part', { shared: undefined as never }],
  ['no refresh function', { refresh: undefined as never }],
  ['a negative trustMemoryMs', { trustMemoryMs: -1 }],
  ['an idleMs of 0', { idleMs: 0 }],
])('refuses %s', (_, wrong) => {
  expect(() => start(wrong)).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION' }));
});

//     A  journal ✓ ─ its lease is taken from it: not sent ─ notes the failure ─ says so
//     B                 granted ─ waits T + R for A's journal                    ╰▶ reads of it, sends
test('a journal whose request was not sent holds nobody up', async () => {
  const shared = folderShared(folder);
  const slow: Shared = {
    ...shared,
    write: async (key, mark, text) => {
      const written = await shared.write(key, mark, text);
      const { journal } = JSON.parse(text) as { journal?: { failure?: object } };
      if (written !== undefined && journal && !journal.failure) {
        await shared.steal({ key, name: 'refresh', holder: 'nobody', ttlMs: 1 });
        await new Promise((resolve) => setTimeout(resolve, 1_500));
      }
      return written;
    },
  };
  const refreshTimeoutMs = 4_000;
  const sessions = [start({ refreshTimeoutMs, shared: slow }), start({ refreshTimeoutMs })];
  await sessions[1]!.open('a').setSession(expired());
  const begun = performance.now();
  const first = failed(sessions[0]!.open('a').getAccessToken());
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await sessions[1]!.open('a').getAccessToken()).toBe('access-2');
  expect(performance.now() - begun, 'without the wait of T + R').toBeLessThan(2 * refreshTimeoutMs);
  await first;
  expect(server.requests).toHaveLength(1);
}, 40_000);

test("an attempt's lease is kept until its answer is saved", async () => {
  const shared = folderShared(folder);
  const seen: string[] = [];
  const failing: Shared = {
    ...shared,
    write: async (key, mark, text) => {
      const { version } = JSON.parse(text) as { version: number };
      if (version === 2 && seen.length < 3) {
        seen.push('answer not saved');
        throw new Error('away');
      }
      const written = await shared.write(key, mark, text);
      if (version === 2) seen.push('answer saved');
      return written;
    },
    release: (lease) => {
      if (lease.name.startsWith('attempt:')) seen.push('attempt ended');
      return shared.release(lease);
    },
  };
  const session = start({ shared: failing }).open('a');
  await session.setSession(expired());
  expect(await session.getAccessToken()).toBe('access-2');
  await expect.poll(() => seen.includes('attempt ended')).toBe(true);
  const untilSaved = [...Array.from({ length: 3 }, () => 'answer not saved'), 'answer saved'];
  expect(seen.slice(0, seen.indexOf('attempt ended'))).toEqual(untilSaved);
}, 40_000);

test('a bundle without the rules of leases is refused', async () => {
  vi.resetModules();
  vi.doMock('#leases', () => ({ LEASES: false }));
  const { createSessions: bundled } = await import('./create-sessions.js');
  const options = { shared: folderShared(folder), refresh: server.refresh };
  expect(() => bundled(options)).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }) as Error);
  vi.doUnmock('#leases');
  vi.resetModules();
});
