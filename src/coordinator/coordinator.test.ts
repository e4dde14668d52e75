import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { jwt } from '../../test/support/jwt.js';
import { Origin, pass, watch } from '../../test/support/tabs.js';
import { RefreshConflictError, RefreshRejectedError, RefreshUnavailableError } from '../core/errors.js';
import type { TokenResponse } from '../core/types.js';
import type { RefreshFunction, RefreshRequest, TokenCoordinator, TokenCoordinatorOptions } from '../types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const T = 2_000;

/** A server that rotates strictly; `answer` may be replaced by what a test wants next. */
function server(life = 10) {
  const requests: RefreshRequest[] = [];
  let n = 1;
  const pair = () => ({ access_token: `access-${++n}`, refresh_token: `refresh-${n}`, expires_in: life });
  const it = {
    requests,
    pair,
    latency: 20,
    answer: undefined as RefreshFunction | undefined,
    refresh: async (request: RefreshRequest): Promise<TokenResponse> => {
      requests.push(request);
      await new Promise((resolve) => setTimeout(resolve, it.latency));
      return it.answer ? it.answer(request) : pair();
    },
  };
  return it;
}

async function signedIn(options: Partial<TokenCoordinatorOptions> = {}, life = 10) {
  const origin = new Origin();
  const strict = server(life);
  const open = (more: Partial<TokenCoordinatorOptions> = {}, without: Parameters<Origin['open']>[1] = []) =>
    origin.open(
      { refresh: strict.refresh, refreshTimeoutMs: T, proactive: 'never', ...options, ...more },
      without,
    );
  const tab = open();
  void tab.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: life });
  await pass(100);
  return { origin, strict, open, tab };
}

describe('getAccessToken', () => {
  test('serves from memory without a request', async () => {
    const { tab, strict } = await signedIn();
    const call = watch(tab.getAccessToken());
    await pass(0);
    expect(call.outcome()).toBe('access-1');
    expect(strict.requests).toHaveLength(0);
  });

  test('any number of calls after expiry: one request', async () => {
    const { tab, open, strict } = await signedIn();
    const tabs = [tab, open(), open(), open()];
    await pass(10_000);
    const calls = tabs.flatMap((one) => [watch(one.getAccessToken()), watch(one.getAccessToken())]);
    await pass(200);
    expect(calls.map((call) => call.outcome())).toEqual(calls.map(() => 'access-2'));
    expect(strict.requests).toHaveLength(1);
    expect(tabs.map((one) => one.getSnapshot().version)).toEqual([2, 2, 2, 2]);
    expect(tabs.filter((one) => one.getSnapshot().role === 'leader')).toHaveLength(1);
  });

  test('forceRefresh means newer; calls at once share one refresh', async () => {
    const { tab, open, strict } = await signedIn();
    const other = open();
    await pass(50);
    const calls = [tab, other, tab].map((one) => watch(one.getAccessToken({ forceRefresh: true })));
    await pass(200);
    expect(calls.map((call) => call.outcome())).toEqual(['access-2', 'access-2', 'access-2']);
    expect(strict.requests).toHaveLength(1);
  });

  test('the next version meets a minValidityMs beyond its life', async () => {
    const { tab, strict } = await signedIn();
    const call = watch(tab.getAccessToken({ minValidityMs: 60_000 }));
    await pass(200);
    expect(call.outcome()).toBe('access-2');
    expect(strict.requests).toHaveLength(1);
  });

  test('a token dead on arrival satisfies its callers', async () => {
    const { tab, strict } = await signedIn({}, 1);
    strict.latency = 1_500;
    await pass(1_000);
    const call = watch(tab.getAccessToken());
    await pass(1_600);
    expect(call.outcome()).toBe('access-2');
  });

  test('ends in ERR_TIMEOUT, ERR_ABORTED, ERR_CLOSED, ERR_SIGNED_OUT', async () => {
    const { tab, strict } = await signedIn();
    strict.latency = 60_000;
    const abort = new AbortController();
    const calls = [
      watch(tab.getAccessToken({ forceRefresh: true, timeoutMs: 500 })),
      watch(tab.getAccessToken({ forceRefresh: true, signal: abort.signal })),
      watch(tab.getAccessToken({ forceRefresh: true, signal: AbortSignal.abort() })),
    ];
    await pass(100);
    abort.abort();
    await pass(500);
    expect(calls.map((call) => call.outcome())).toEqual(['ERR_TIMEOUT', 'ERR_ABORTED', 'ERR_ABORTED']);
    const open = watch(tab.getAccessToken({ forceRefresh: true }));
    await pass(1);
    void tab.signOut();
    await pass(50);
    expect(open.outcome()).toBe('ERR_SIGNED_OUT');
    const next = watch(tab.getAccessToken());
    await pass(1);
    expect(next.outcome()).toBe('ERR_SIGNED_OUT');
    await tab.close();
    const closed = watch(tab.getAccessToken());
    await pass(1);
    expect(closed.outcome()).toBe('ERR_CLOSED');
  });

  test("waits for this tab's own sign-in, and no longer", async () => {
    const { tab, strict, open } = await signedIn();
    void tab.signOut();
    await pass(50);
    void tab.setSession({ access_token: 'access-9', refresh_token: 'refresh-9', expires_in: 10 });
    const call = watch(tab.getAccessToken());
    await pass(50);
    expect(call.outcome()).toBe('access-9');
    void tab.signOut();
    await pass(50);
    let fail = (_: Error): void => {};
    const bind = (): Promise<void> => new Promise((_, reject) => (fail = reject));
    const bound = open({ refresh: { refresh: strict.refresh, bind } });
    await pass(50);
    const signIn = watch(bound.setSession({ access_token: 'access-10', expires_in: 10 }));
    const waiting = watch(bound.getAccessToken());
    await pass(50);
    expect([signIn.outcome(), waiting.outcome()]).toEqual(['pending', 'pending']);
    fail(new Error('no key'));
    await pass(1);
    expect([signIn.outcome(), waiting.outcome()]).toEqual(['Error: no key', 'ERR_SIGNED_OUT']);
  });

  test.each([{ resource: new URL('https://api.example') }, { scope: ['a', 'b'] }])(
    'an audience that is no text is refused: %s',
    async (audience) => {
      const { tab } = await signedIn();
      const call = watch(tab.getAccessToken(audience as never));
      await pass(1);
      expect(call.outcome()).toBe('ERR_CONFIGURATION');
      expect(tab.peekAccessToken(audience as never)).toBeUndefined();
    },
  );

  test('bad durations are refused with a sentence', async () => {
    const { tab } = await signedIn();
    const calls = [{ timeoutMs: NaN }, { timeoutMs: -1 }, { minValidityMs: NaN }].map((options) =>
      watch(tab.getAccessToken(options)),
    );
    await pass(1);
    expect(calls.map((call) => call.outcome())).toEqual(calls.map(() => 'ERR_CONFIGURATION'));
  });

  test('a call during the sign-in after a loss waits', async () => {
    const { tab, strict } = await signedIn();
    strict.answer = async () => Promise.reject(new RefreshRejectedError({ error: 'invalid_grant' }));
    await pass(20_000);
    void tab.getAccessToken().catch(() => {});
    await pass(500);
    expect(tab.getSnapshot().status).toBe('reauth-required');
    void tab.setSession({ access_token: 'access-9', expires_in: 10 });
    const call = watch(tab.getAccessToken());
    await pass(50);
    expect(call.outcome()).toBe('access-9');
  });

  test('a call gets no token of another session', async () => {
    const { tab, open, strict } = await signedIn();
    const other = open();
    await pass(50);
    strict.latency = 1_000;
    const call = watch(tab.getAccessToken({ forceRefresh: true }));
    await pass(100);
    void other.setSession({ access_token: 'bob-1', expires_in: 10 }, { subject: 'bob' });
    await pass(100);
    expect(call.outcome()).toBe('ERR_SIGNED_OUT');
    const next = watch(tab.getAccessToken());
    await pass(2_000);
    expect(next.outcome()).toBe('bob-1');
    expect(tab.getSnapshot()).toMatchObject({ subject: 'bob', version: 1 });
  });
});

describe('how long a token lives', () => {
  test('takes the life from the claims if need be', async () => {
    const { tab } = await signedIn();
    const at = Date.now();
    void tab.setSession({ access_token: jwt({ iat: 1_000, exp: 1_090 }) });
    await pass(50);
    expect(tab.getSnapshot().expiresAt).toBe(at + 90_000);
  });

  test('without any life it is valid until refused', async () => {
    const { tab, strict } = await signedIn({ proactive: 'always' });
    void tab.setSession({ access_token: 'access-9', refresh_token: 'refresh-9' });
    await pass(1_000_000_000);
    const call = watch(tab.getAccessToken());
    await pass(0);
    expect(call.outcome()).toBe('access-9');
    expect(strict.requests).toHaveLength(0);
    const forced = watch(tab.getAccessToken({ forceRefresh: true }));
    await pass(100);
    expect(forced.outcome()).toBe('access-2');
  });

  test('without a session: one request for each call', async () => {
    const { tab, strict } = await signedIn({ proactive: 'always' }, 0);
    await pass(10_000);
    expect(strict.requests).toHaveLength(0);
    for (const token of ['access-2', 'access-3']) {
      const call = watch(tab.getAccessToken());
      await pass(5_000);
      expect(call.outcome()).toBe(token);
    }
    expect(strict.requests).toHaveLength(2);
  });
});

describe('after sleep', () => {
  test('refreshes a token that expired in sleep', async () => {
    const { tab, strict } = await signedIn({ proactive: 'visible' }, 3_600);
    void tab.getAccessToken({ forceRefresh: true });
    await pass(1_000);
    vi.setSystemTime(Date.now() + 7_200_000);
    tab.lifecycle('visible');
    await pass(1_000);
    expect(strict.requests).toHaveLength(2);
    expect(tab.peekAccessToken()).toBe('access-3');
  });
});

describe('a wall clock that turns back', () => {
  test.each([undefined, { minValidityMs: 1 }])(
    'is one read of the store for all calls: %j',
    async (options) => {
      const { tab, origin } = await signedIn({}, 3_600);
      await tab.getAccessToken(options);
      vi.setSystemTime(Date.now() - 3_000_000);
      const before = origin.operations;
      for (let n = 0; n < 5; n++) {
        void tab.getAccessToken(options);
        await pass(10);
      }
      expect(origin.operations - before).toBe(1);
    },
  );
});

describe('a refresh function that calls its own coordinator', () => {
  test.each([
    ['at once', 0],
    ['later', 50],
  ])('%s: ERR_CONFIGURATION, for everybody', async (_, delay) => {
    const { tab, strict } = await signedIn();
    strict.latency = 0;
    strict.answer = async () => {
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      return { access_token: await tab.getAccessToken() };
    };
    await pass(10_000);
    const call = watch(tab.getAccessToken());
    await pass(T + 200);
    expect(call.outcome()).toBe('ERR_CONFIGURATION');
  });

  test('an error of another realm around it hides nothing', async () => {
    const { tab, strict } = await signedIn();
    strict.latency = 0;
    strict.answer = () =>
      tab.getAccessToken().catch((cause: unknown) => {
        throw Object.assign(runInNewContext('new Error("refresh failed")') as Error, { cause });
      }) as never;
    await pass(10_000);
    const call = watch(tab.getAccessToken());
    await pass(T + 200);
    expect(call.outcome()).toBe('ERR_CONFIGURATION');
  });

  test('lets other callers go with the live token as well', async () => {
    const { tab, strict } = await signedIn();
    strict.latency = 10 * T;
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(50);
    const calls = [
      watch(tab.getAccessToken({ minValidityMs: 60_000 })),
      watch(tab.getAccessToken({ forceRefresh: true })),
    ];
    await pass(T - 100);
    expect(calls.map((call) => call.outcome())).toEqual(['access-1', 'ERR_REFRESH_UNAVAILABLE']);
  });

  test('takes only calls for a token as such', async () => {
    const { tab, strict } = await signedIn();
    strict.latency = 10 * T;
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(50);
    // The calls of this request are let go 100 ms before its deadline: in the middle of this sign-in.
    const sent = tab.events.find(({ type }) => type === 'refresh-started')!.at;
    await pass(sent + T - 100 - Date.now() - 1);
    const signIn = watch(tab.setSession({ access_token: 'access-9', expires_in: 10 }));
    await pass(50);
    expect(signIn.outcome()).toBeUndefined();
    expect(tab.peekAccessToken()).toBe('access-9');
  });
});

describe('errors of the server', () => {
  const failing: [string, () => unknown, string, number][] = [
    ['503', () => new RefreshUnavailableError({ status: 503 }), 'ERR_REFRESH_UNAVAILABLE', 2],
    [
      '429 with Retry-After',
      () => new RefreshUnavailableError({ status: 429, retryAfterMs: 30_000 }),
      'ERR_REFRESH_UNAVAILABLE',
      1,
    ],
    ['any other throw', () => new TypeError('network'), 'ERR_REFRESH_UNAVAILABLE', 2],
    [
      'another OAuth error',
      () => new RefreshRejectedError({ error: 'invalid_client' }),
      'ERR_REFRESH_REJECTED',
      1,
    ],
  ];
  test.each(failing)('%s: the session stays, a live token is served', async (_, thrown, code, atLeast) => {
    const { tab, strict } = await signedIn();
    strict.answer = async () => Promise.reject(thrown());
    const live = watch(tab.getAccessToken({ minValidityMs: 60_000 }));
    await pass(100);
    expect(live.outcome()).toBe('access-1');
    expect(tab.getSnapshot()).toMatchObject({ status: 'signed-in', refreshStatus: 'paused' });
    expect(tab.getSnapshot().error?.code).toBe(code);
    await pass(10_000);
    const dead = watch(tab.getAccessToken({ timeoutMs: 50 }));
    await pass(100);
    expect(dead.outcome()).toBe(code);
    expect(strict.requests.length).toBeGreaterThanOrEqual(atLeast);
    expect(new Set(strict.requests.map((request) => request.idempotencyKey)).size).toBe(1);
  });

  // `Number(header) * 1000` of a header that is not there, or is a date.
  test.each([NaN, Infinity, 0, -5_000, '7' as never])(
    'retryAfterMs: %s is none, and requests back off',
    async (retryAfterMs) => {
      const { tab, open, strict } = await signedIn();
      strict.answer = async () => Promise.reject(new RefreshUnavailableError({ retryAfterMs }));
      const call = watch(tab.getAccessToken({ forceRefresh: true, timeoutMs: 3_000 }));
      await pass(3_000);
      expect(call.outcome()).toBe('ERR_REFRESH_UNAVAILABLE');
      expect(strict.requests.length).toBeLessThan(5);
      const later = open();
      await pass(50);
      expect(later.getSnapshot()).toMatchObject({ status: 'signed-in', version: 1 });
    },
  );

  test('errorDescription: a member that is no text is left out', async () => {
    const { tab, origin, strict } = await signedIn();
    const errorDescription = (() => 'a function cannot be cloned') as never;
    strict.answer = async () =>
      Promise.reject(new RefreshRejectedError({ error: 'invalid_client', errorDescription }));
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(100);
    expect(tab.getSnapshot().error?.code).toBe('ERR_REFRESH_REJECTED');
    expect(origin.record?.journal?.failure).toMatchObject({
      error: 'invalid_client',
      errorDescription: undefined,
    });
  });

  test('a server is waited for an hour at most', async () => {
    const { tab, strict } = await signedIn();
    const retryAfterMs = 1_760_000_000_000;
    strict.answer = async () => Promise.reject(new RefreshUnavailableError({ status: 429, retryAfterMs }));
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(100);
    strict.answer = undefined;
    await pass(3_600_000);
    const call = watch(tab.getAccessToken());
    await pass(100);
    expect(call.outcome()).toBe('access-2');
  });

  test('a scope that nobody grants is asked for once', async () => {
    const { tab, open, strict } = await signedIn();
    strict.answer = async ({ scope }) =>
      scope ? Promise.reject(new RefreshRejectedError({ error: 'invalid_scope' })) : strict.pair();
    const admin = watch(tab.getAccessToken({ scope: 'admin' }));
    await pass(100);
    expect(admin.outcome()).toBe('ERR_REFRESH_REJECTED');
    const forced = watch(tab.getAccessToken({ forceRefresh: true }));
    await pass(100);
    expect(forced.outcome()).toBe('access-2');
    void tab.getAccessToken({ scope: 'admin' }).catch(() => {});
    await pass(100);
    await tab.close();
    await pass(20_000);
    const later = watch(open().getAccessToken({ forceRefresh: true }));
    await pass(100);
    expect(later.outcome()).toBe('access-3');
    expect(strict.requests.map(({ scope }) => scope)).toEqual(['admin', undefined, 'admin', undefined]);
  });

  test('monitors hear of a conflict that was settled elsewhere', async () => {
    const { tab, origin, open, strict } = await signedIn();
    const other = open();
    await pass(50);
    strict.latency = T + 500;
    void tab.getAccessToken({ forceRefresh: true, timeoutMs: 10 * T }).catch(() => {});
    await pass(T + 100);
    strict.latency = 20;
    strict.answer = async () => Promise.reject(new RefreshRejectedError({ error: 'invalid_grant' }));
    void other.getAccessToken({ forceRefresh: true, timeoutMs: 10 * T }).catch(() => {});
    await pass(10 * T);
    const own = [...tab.events, ...other.events].filter(({ type }) => type === 'conflict');
    const told = origin.messages.flatMap(({ events = [] }) => events as { type: string }[]);
    expect(told.filter(({ type }) => type === 'conflict')).toHaveLength(own.length);
    expect(own.length).toBeGreaterThan(0);
  });

  test('an isSessionLost that is async says nothing', async () => {
    const isSessionLost = (async () => false) as never;
    const { tab, strict } = await signedIn({ isSessionLost });
    strict.answer = async () => Promise.reject(new TypeError('Failed to fetch'));
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(100);
    expect(tab.getSnapshot().status).toBe('signed-in');
  });

  test('errors with circular causes are failures like any other', async () => {
    const { tab, strict } = await signedIn();
    const one = new Error('one');
    one.cause = new Error('other', { cause: one });
    const thrown: unknown[] = [
      one,
      new Proxy(Object.assign(new Error('none')), {
        get() {
          throw new Error('not to be read');
        },
      }),
    ];
    strict.answer = async () => {
      const next = thrown.shift();
      // oxlint-disable-next-line typescript/only-throw-error -- whatever it is
      if (next) throw next;
      return strict.pair();
    };
    const call = watch(tab.getAccessToken({ forceRefresh: true }));
    await pass(10_000);
    expect(call.outcome()).toBe('access-2');
  });

  test('members that are null, empty or no text are absent', async () => {
    const { tab, origin, strict } = await signedIn();
    const silly = { token_type: null, id_token: Promise.resolve('a forgotten await'), scope: () => '' };
    for (const refresh_token of [null, '']) {
      strict.answer = async () => ({ ...silly, ...strict.pair(), refresh_token, expires_in: '10' }) as never;
      const call = watch(tab.getAccessToken({ forceRefresh: true }));
      await pass(100);
      expect(call.outcome()).toMatch(/^access-/);
      expect(origin.record).toMatchObject({ refreshToken: 'refresh-1', idToken: undefined });
    }
    expect(tab.getSnapshot().expiresAt).toBeLessThanOrEqual(Date.now() + 10_000);
    const at = Date.now();
    const nulls = { refresh_token: null, id_token: null, token_type: null, expires_in: null };
    const given = watch(tab.setSession({ access_token: jwt({ iat: 1_000, exp: 1_090 }), ...nulls } as never));
    await pass(50);
    expect(given.outcome()).toBeUndefined();
    expect(tab.getSnapshot().expiresAt).toBe(at + 90_000);
    expect(tab.peekIdToken()).toBeUndefined();
    expect(origin.record?.refreshToken).toBeUndefined();
  });

  test('a token response is read when it is given', async () => {
    const { tab } = await signedIn();
    const { proxy, revoke } = Proxy.revocable({ access_token: 'access-9', expires_in: 10 }, {});
    const given = watch(tab.setSession(proxy));
    revoke();
    await pass(50);
    expect(given.outcome()).toBeUndefined();
    expect(tab.peekAccessToken()).toBe('access-9');
  });

  test('failFast: an outage is told at once, not waited out', async () => {
    const { tab, strict } = await signedIn();
    strict.answer = async () => Promise.reject(new RefreshUnavailableError({ status: 503 }));
    const patient = watch(tab.getAccessToken({ forceRefresh: true }));
    const hasty = watch(tab.getAccessToken({ forceRefresh: true, failFast: true }));
    await pass(500);
    expect([hasty.outcome(), patient.outcome()]).toEqual(['ERR_REFRESH_UNAVAILABLE', 'pending']);
    strict.answer = undefined;
    await pass(10_000);
    expect(patient.outcome()).toBe('access-2');
  });

  test('recovers by itself after a failure', async () => {
    const { tab, strict } = await signedIn();
    strict.answer = async () => Promise.reject(new RefreshUnavailableError());
    await pass(10_000);
    const call = watch(tab.getAccessToken({ timeoutMs: 60_000 }));
    await pass(100);
    strict.answer = undefined;
    await pass(10_000);
    expect(call.outcome()).toBe('access-2');
  });

  test('invalid_grant: every tab is told, one announces it', async () => {
    const { tab, open, strict } = await signedIn();
    const other = open();
    await pass(10_000);
    strict.answer = async () => Promise.reject(new RefreshRejectedError({ error: 'invalid_grant' }));
    const calls = [watch(tab.getAccessToken()), watch(other.getAccessToken())];
    await pass(500);
    expect(calls.map((call) => call.outcome())).toEqual(['ERR_REAUTH_REQUIRED', 'ERR_REAUTH_REQUIRED']);
    expect([tab, other].map((one) => one.getSnapshot().status)).toEqual([
      'reauth-required',
      'reauth-required',
    ]);
    expect(tab.getSnapshot().error?.reason).toBe('refresh_rejected');
    const announced = [...tab.events, ...other.events].filter((event) => event.type === 'reauth-required');
    expect(announced).toHaveLength(1);
    expect(strict.requests).toHaveLength(1);
  });

  test('without a store the next leader announces no second loss', async () => {
    const { origin, tab, open, strict } = await signedIn();
    const tabs = [tab, open(), open()];
    await pass(50);
    origin.storeFailures = Infinity;
    for (const one of [...tabs, ...tabs, ...tabs]) one.lifecycle('visible');
    // It finds the loss, and leaves it to a visible tab: two stand for election in the same moment.
    tab.lifecycle('hidden');
    await pass(10_000);
    expect(tabs.map((one) => one.getSnapshot().storage)).toEqual(['memory', 'memory', 'memory']);
    strict.answer = async () => Promise.reject(new RefreshRejectedError({ error: 'invalid_grant' }));
    void tab.getAccessToken().catch(() => {});
    await pass(2_000);
    const announced = tabs.map(({ events }) => events.filter(({ type }) => type === 'reauth-required'));
    expect(announced.map((events) => events.length)).toEqual([0, 1, 0]);
    expect(strict.requests).toHaveLength(1);
  });

  test('isSessionLost speaks for a server with words of its own', async () => {
    const { tab, strict } = await signedIn({ isSessionLost: (error) => (error as Error).message === 'gone' });
    await pass(10_000);
    strict.answer = async () => Promise.reject(new Error('gone'));
    const call = watch(tab.getAccessToken());
    await pass(500);
    expect(call.outcome()).toBe('ERR_REAUTH_REQUIRED');
  });

  test('version conflicts are tried again a bounded number of times', async () => {
    const { tab, strict } = await signedIn();
    strict.answer = async () => Promise.reject(new RefreshConflictError({ currentVersion: 7 }));
    await pass(10_000);
    const call = watch(tab.getAccessToken({ timeoutMs: 60_000 }));
    await pass(60_000);
    expect(call.outcome()).toBe('ERR_REFRESH_REJECTED');
    expect(strict.requests.length).toBeLessThan(6);
  });

  test('failures of another kind are no version conflicts', async () => {
    const { tab, strict } = await signedIn();
    const errors = [503, 503, 503, 409].map((status) =>
      status === 409
        ? new RefreshConflictError({ currentVersion: 7 })
        : new RefreshUnavailableError({ status }),
    );
    strict.answer = async (request) => {
      const error = errors[strict.requests.length - 1];
      if (error) throw error;
      return { access_token: 'access-2', refresh_token: `after-${request.refreshToken}`, expires_in: 60 };
    };
    await pass(10_000);
    const call = watch(tab.getAccessToken({ timeoutMs: 60_000 }));
    await pass(60_000);
    expect(call.outcome()).toBe('access-2');
    expect(strict.requests).toHaveLength(5);
  });

  // Neither store nor channel could take it, and the call would never settle.
  test.each([{ id_token: () => '' }, { refresh_token: 7 }, { token_type: {} }])(
    'tokens that are no text (%j) change nothing',
    async (members) => {
      const { tab } = await signedIn();
      const given = watch(tab.setSession({ access_token: 'a', ...members } as never));
      await pass(1);
      expect(given.outcome()).toBe('ERR_CONFIGURATION');
      expect(tab.getSnapshot()).toMatchObject({ version: 1, status: 'signed-in' });
    },
  );

  test('nor is one of a subject that is no text', async () => {
    const { tab } = await signedIn();
    const given = watch(tab.setSession({ access_token: 'a' }, { subject: (() => '') as never }));
    await pass(1);
    expect(given.outcome()).toBe('ERR_CONFIGURATION');
  });

  test('null for a subject is none', async () => {
    const { tab, origin } = await signedIn();
    const given = watch(tab.setSession({ access_token: 'a' }, { subject: null as never }));
    await pass(1);
    expect(given.outcome()).toBeUndefined();
    expect(origin.open({ refresh: async () => ({ access_token: 'b' }) }).getSnapshot().status).toBe(
      'loading',
    );
    await pass(1_000);
    expect(origin.record).toMatchObject({ accessTokens: { '': { token: 'a' } } });
    expect(origin.record).not.toHaveProperty('subject', null);
  });

  test.each([
    ['setSession', (tab) => tab.setSession({ access_token: 'a' }, null as never), undefined],
    ['signOut', (tab) => tab.signOut(null as never), undefined],
    ['getAuthorizationHeaders', (tab) => tab.getAuthorizationHeaders(null as never), expect.any(Object)],
    ['getAccessToken', (tab) => tab.getAccessToken({ resource: null as never }), 'ERR_CONFIGURATION'],
  ] satisfies [string, (tab: TokenCoordinator) => Promise<unknown>, unknown][])(
    'null given to %s loses nothing',
    async (_, call, outcome) => {
      const { tab, origin } = await signedIn();
      const called = watch<unknown>(call(tab));
      await pass(1_000);
      expect(called.outcome()).toEqual(outcome);
      const other = origin.open({ refresh: async () => ({ access_token: 'b' }) });
      await pass(1_000);
      expect(other.getSnapshot().status).toBe(tab.getSnapshot().status);
    },
  );

  test.each([undefined, null, {}, { access_token: '' }, '<html>'])(
    'an unusable answer (%j) is in doubt, not a version',
    async (answer) => {
      const { tab, strict } = await signedIn();
      strict.answer = async () => answer as never;
      void tab.getAccessToken({ forceRefresh: true, timeoutMs: 50 }).catch(() => {});
      await pass(200);
      expect(tab.getSnapshot()).toMatchObject({ version: 1, status: 'signed-in' });
      expect(tab.events.map((event) => event.type)).toContain('in-doubt');
      const given = watch(tab.setSession(answer as never));
      await pass(1);
      expect(given.outcome()).toBe('ERR_CONFIGURATION');
    },
  );

  test('a response without refresh_token keeps the old one', async () => {
    const { tab, strict, origin } = await signedIn();
    strict.answer = async () => ({ access_token: 'access-2', expires_in: 10 });
    void tab.getAccessToken({ forceRefresh: true });
    await pass(100);
    expect(origin.record).toMatchObject({ version: 2, refreshToken: 'refresh-1' });
  });

  test('after the deadline the lock goes; a late answer counts', async () => {
    const { tab, strict, open } = await signedIn();
    const other = open();
    strict.latency = T + 500;
    await pass(10_000);
    const call = watch(other.getAccessToken({ timeoutMs: T + 100 }));
    await pass(T + 50);
    expect(call.outcome()).toBe('ERR_REFRESH_UNAVAILABLE');
    expect(strict.requests[0]!.signal.aborted).toBe(false);
    await pass(600);
    expect(tab.peekAccessToken()).toBe('access-2');
    expect(strict.requests).toHaveLength(1);
  });
});

// A  attempt 1 ─────────────── 2T ─────────────▶ pair P1: the version moved on, spare
// B                              attempt 2 ─▶ pair P2: committed as version 2
// C                                             hears of P2, leads, perhaps ─▶ P2 refused ─▶ P1: version 3
test.each([false, true])('two pairs for one version make a spare: %s', async (leads) => {
  const { tab, open, strict } = await signedIn();
  const other = open();
  const third = open();
  strict.answer = async ({ version, attempt }) => {
    if (version > 1) throw new RefreshRejectedError({ error: 'invalid_grant' });
    if (attempt === 1) await new Promise((resolve) => setTimeout(resolve, 3 * T));
    return { access_token: `access-of-${attempt}`, refresh_token: `refresh-of-${attempt}`, expires_in: 10 };
  };
  await pass(10_000);
  void tab.getAccessToken().catch(() => {});
  await pass(50);
  const second = watch(other.getAccessToken({ timeoutMs: 3 * T }));
  await pass(3 * T - 100);
  expect(second.outcome()).toBe('access-of-2');
  await pass(500);
  other.lifecycle('hidden');
  if (leads) void tab.close();
  await pass(500);
  expect(third.getSnapshot().role).toBe(leads ? 'leader' : 'follower');
  const last = watch(third.getAccessToken({ forceRefresh: true }));
  await pass(500);
  expect(last.outcome()).toBe('access-of-1');
  expect(strict.requests.map(({ refreshToken }) => refreshToken)).toEqual([
    'refresh-1',
    'refresh-1',
    'refresh-of-2',
  ]);
  expect([other, third].map((one) => one.getSnapshot())).toMatchObject([
    { status: 'signed-in', version: 3 },
    { status: 'signed-in', version: 3 },
  ]);
});

test('a session in a cookie ends at its refused version', async () => {
  const origin = new Origin();
  const strict = server();
  const [tab, other] = [1, 2].map(() =>
    origin.open({ refresh: strict.refresh, refreshTimeoutMs: T, proactive: 'never' }),
  ) as [ReturnType<Origin['open']>, ReturnType<Origin['open']>];
  void tab.setSession({ access_token: 'access-1', expires_in: 10 });
  await pass(100);
  // The first answer comes after its lock has gone, while the second request, for the same version, is under way.
  const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const answers = [
    () => after(2 * T + 200),
    () => after(400).then(() => Promise.reject(new RefreshRejectedError({ error: 'invalid_grant' }))),
  ];
  strict.answer = async () => {
    await answers[strict.requests.length - 1]!();
    return { access_token: 'access-2', expires_in: 10 };
  };
  void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
  await pass(T + 100);
  const call = watch(other.getAccessToken({ forceRefresh: true, timeoutMs: 4 * T }));
  await pass(2 * T);
  expect(strict.requests.map(({ version }) => version)).toEqual([1, 1]);
  expect(call.outcome()).toBe('access-2');
  expect([tab, other].map((one) => one.getSnapshot())).toMatchObject([
    { status: 'signed-in', version: 2 },
    { status: 'signed-in', version: 2 },
  ]);
});

describe('a tab that stands still with the refresh lock', () => {
  const R = T;

  /** One stands still, all others want a token; with a store, or with none that works. */
  async function standstill(
    storage: 'indexeddb' | 'memory',
    waiting: number,
    { killAfter = 2 ** 31 - 1, locked = false } = {},
  ) {
    const { origin, tab, open, strict } = await signedIn();
    const others = Array.from({ length: waiting }, () => open());
    await pass(50);
    if (storage === 'memory') origin.storeFailures = Infinity;
    for (let n = 0; n < 3; n++) {
      for (const one of [tab, ...others]) one.lifecycle('visible');
      await pass(10);
    }
    expect(others.map((one) => one.getSnapshot().storage)).toEqual(others.map(() => storage));
    await pass(10_000);
    // Granted, it does not know it any more; or it does, and has the attempt lock as well.
    void tab.getAccessToken();
    if (locked) await pass(0);
    tab.hang();
    setTimeout(tab.kill, killAfter);
    const calls = others.map((other) => watch(other.getAccessToken({ timeoutMs: 20_000 })));
    const takeovers = () => others.flatMap(({ events }) => events.filter(({ type }) => type === 'takeover'));
    return { others, calls, takeovers, strict };
  }

  test.each(['indexeddb', 'memory'] as const)('is replaced after T + R, once: %s', async (storage) => {
    const { calls, takeovers, strict } = await standstill(storage, 3);
    await pass(T + R - 50);
    expect(takeovers()).toHaveLength(0);
    await pass(1_000);
    expect(calls.map((call) => call.outcome())).toEqual(calls.map(() => 'access-2'));
    expect(takeovers()).toHaveLength(1);
    expect(strict.requests).toHaveLength(1);
  });

  test('with a request under way is replaced in time', async () => {
    const { tab, open, strict } = await signedIn();
    const other = open();
    await pass(10_000);
    const { answer } = strict;
    strict.answer = () => new Promise(() => {});
    void tab.getAccessToken();
    await pass(50);
    expect(strict.requests).toHaveLength(1);
    tab.hang();
    strict.answer = answer;
    // Queues with what it knew, and reads of the journal a moment later.
    const call = watch(other.getAccessToken({ timeoutMs: 20_000 }));
    const takeovers = () => other.events.filter(({ type }) => type === 'takeover');
    await pass(T + R - 50);
    expect(takeovers()).toHaveLength(0);
    await pass(500);
    expect(takeovers()).toHaveLength(1);
    expect(call.outcome()).toBe('access-2');
  });

  // The successor waits for the attempt lock, and the next one in the queue counts T + R of silence meanwhile.
  test.each(['indexeddb', 'memory'] as const)(
    'with the attempt lock is replaced as well: %s',
    async (storage) => {
      const { calls, takeovers, strict } = await standstill(storage, 3, { locked: true });
      await pass(T + R + T + 1_000);
      expect(calls.map((call) => call.outcome())).toEqual(calls.map(() => 'access-2'));
      expect(takeovers()).toHaveLength(1);
      expect(strict.requests).toHaveLength(1);
    },
  );

  test.each(['indexeddb', 'memory'] as const)(
    'and its successor, too: both are replaced: %s',
    async (storage) => {
      const { others, calls, takeovers, strict } = await standstill(storage, 2);
      others[0]!.on('takeover', others[0]!.hang);
      await pass(2 * (T + R) + 1_000);
      expect(calls.map((call) => call.outcome())).toEqual(['pending', 'access-2']);
      expect(takeovers()).toHaveLength(2);
      expect(strict.requests).toHaveLength(1);
    },
  );

  test.each(['indexeddb', 'memory'] as const)(
    'dies while its lock is claimed: no steal: %s',
    async (storage) => {
      const { calls, takeovers, strict } = await standstill(storage, 1, { killAfter: T + R });
      await pass(T + R + 500);
      expect(calls.map((call) => call.outcome())).toEqual(['access-2']);
      expect(takeovers()).toHaveLength(0);
      expect(strict.requests).toHaveLength(1);
    },
  );
});

test('a closed tab gives up a request that hung', async () => {
  const { tab, strict } = await signedIn();
  strict.answer = () => new Promise(() => {});
  void tab.getAccessToken({ forceRefresh: true, timeoutMs: T }).catch(() => {});
  await pass(3 * T);
  expect(strict.requests.map(({ signal }) => signal.aborted)).toEqual([false]);
  void tab.close();
  expect(strict.requests.map(({ signal }) => signal.aborted)).toEqual([true]);
});

// A  attempt 1 ────────────── 2T ─ attempt 2 ─ closed ─▶ pair of attempt 1
test.each([0.5, 2])('a closed tab takes any answer: after %d T', async (late) => {
  const { tab, open, strict } = await signedIn({}, 60);
  const other = open();
  strict.answer = async ({ attempt }) => {
    await new Promise((resolve) => setTimeout(resolve, attempt === 1 ? (2.5 + late) * T : 60_000));
    return strict.pair();
  };
  void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
  await pass(2.5 * T);
  void tab.close();
  await pass(T);
  expect(strict.requests.map(({ signal }) => signal.aborted)).toEqual([false, false]);
  expect(other.peekAccessToken()).toBe(late < 1 ? 'access-2' : 'access-1');
  await pass(T);
  expect(strict.requests.map(({ signal }) => signal.aborted)).toEqual([late > 1, true]);
});

describe('a closed tab is cached while its request travels', () => {
  async function cached(locks: boolean) {
    const signed = await signedIn({}, 36_000);
    const { open, strict } = signed;
    const tab = open({}, locks ? [] : ['locks']);
    await pass(50);
    strict.latency = T / 2;
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(50);
    expect(strict.requests).toHaveLength(1);
    void tab.close();
    tab.lifecycle('leave');
    await pass(50);
    return { ...signed, tab };
  }

  test('takes its attempt lock again when it returns', async () => {
    const { tab, open, strict } = await cached(true);
    tab.lifecycle('return');
    const call = watch(open().getAccessToken({ forceRefresh: true }));
    await pass(T / 4);
    expect(strict.requests).toHaveLength(1);
    await pass(T / 4);
    expect(call.outcome()).toBe('access-2');
    expect(strict.requests).toHaveLength(1);
  });

  test.each([true, false])('gives its request up if too late; locks: %s', async (locks) => {
    const { tab, strict } = await cached(locks);
    strict.answer = () => new Promise(() => {});
    await pass(3 * T);
    tab.lifecycle('return');
    expect(strict.requests[0]!.signal.aborted).toBe(true);
  });
});

describe('sign-out', () => {
  test('of a new tab waits until the session is known', async () => {
    const { tab, open } = await signedIn();
    void open().signOut();
    await pass(50);
    expect(tab.getSnapshot().status).toBe('signed-out');
  });

  test('is final for a refresh in flight', async () => {
    const origin = new Origin();
    const strict = server();
    const revoked: string[] = [];
    const client = { refresh: strict.refresh, revoke: async (token: string) => void revoked.push(token) };
    const tab = origin.open({ refresh: client, refreshTimeoutMs: T, proactive: 'never' });
    void tab.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 10 });
    await pass(50);
    strict.latency = 500;
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(100);
    const done = watch(tab.signOut());
    await pass(100);
    expect(done.outcome()).toBeUndefined();
    await pass(1_000);
    expect(origin.record).toMatchObject({ ended: { kind: 'signed-out' }, accessTokens: {} });
    expect(revoked).toEqual(['refresh-1', 'refresh-2']);
    expect(tab.getSnapshot()).toMatchObject({ status: 'signed-out', version: 0, role: 'none' });
  });

  test.each(['close', 'fail'])('a key of a sign-in that failed goes: %s', async (how) => {
    const keys = new Set<string>();
    const refresh = {
      refresh: server().refresh,
      bind: async ({ sessionId }: { sessionId: string }) => {
        keys.add(sessionId);
        await Promise.resolve();
        if (how === 'fail') throw new Error('no key');
      },
      unbind: async ({ sessionId }: { sessionId: string }) => void keys.delete(sessionId),
    };
    const tab = new Origin().open({ refresh, proactive: 'never' });
    await pass(50);
    const signedIn = watch(tab.setSession({ access_token: 'access-1', expires_in: 10 }));
    if (how === 'close') void tab.close();
    await pass(50);
    expect(signedIn.outcome()).toBe(how === 'close' ? 'ERR_CLOSED' : 'Error: no key');
    expect([...keys]).toEqual([]);
  });

  test("during this tab's sign-in comes after it", async () => {
    let bound = (): void => {};
    const refresh = {
      refresh: server().refresh,
      bind: () => new Promise<void>((resolve) => (bound = resolve)),
    };
    const origin = new Origin();
    const tab = origin.open({ refresh, proactive: 'never' });
    await pass(50);
    const signedIn = watch(tab.setSession({ access_token: 'access-1', expires_in: 10 }));
    const signedOut = watch(tab.signOut());
    await pass(50);
    expect(signedOut.outcome()).toBe('pending');
    bound();
    await pass(50);
    expect([signedIn.outcome(), signedOut.outcome()]).toEqual([undefined, undefined]);
    expect(tab.getSnapshot().status).toBe('signed-out');
    expect(origin.record?.ended?.kind).toBe('signed-out');
  });

  test.each([
    ['throws', () => Promise.reject(new Error('no network'))],
    [
      'throws at once',
      () => {
        throw new Error('not configured');
      },
    ],
    ['is a mock that returns nothing', () => undefined as never],
  ])('whose revocation %s is a sign-out all the same', async (_, revoke) => {
    const { tab } = await signedIn({ refresh: { refresh: server().refresh, revoke } });
    const done = watch(tab.signOut());
    await pass(100);
    expect(done.outcome()).toBeUndefined();
    expect(tab.events.map(({ type }) => type)).toContain('signed-out');
  });
});

describe('several APIs of one session', () => {
  test('each has its token; refreshes are never parallel', async () => {
    const { tab, open, strict } = await signedIn();
    const other = open();
    await pass(50);
    let parallel = 0;
    let most = 0;
    strict.answer = async () => {
      most = Math.max(most, ++parallel);
      await new Promise((resolve) => setTimeout(resolve, 50));
      parallel--;
      return strict.pair();
    };
    const calls = [tab, other].flatMap((one) =>
      ['https://a.test', 'https://b.test'].map((resource) => watch(one.getAccessToken({ resource }))),
    );
    await pass(1_000);
    expect(calls[0]!.outcome()).toBe(calls[2]!.outcome());
    expect(calls[1]!.outcome()).toBe(calls[3]!.outcome());
    expect(calls[0]!.outcome()).not.toBe(calls[1]!.outcome());
    expect(strict.requests).toHaveLength(2);
    expect(most).toBe(1);
    expect(strict.requests.map((request) => request.refreshToken)).toEqual(['refresh-1', 'refresh-2']);
    expect(tab.peekAccessToken()).toBe('access-1');
  });
});

describe('the snapshot', () => {
  test('shows whether the server offers DPoP nonces, once known', async () => {
    let offered: boolean | undefined;
    const pair = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 10 };
    const refresh = {
      offersNonces: () => offered,
      refresh: async () => ((offered = false), pair),
    };
    const { tab } = await signedIn({ refresh });
    expect(tab.getSnapshot().dpopNonces).toBeUndefined();
    void tab.getAccessToken({ forceRefresh: true });
    await pass(100);
    expect(tab.getSnapshot()).toMatchObject({ version: 2, dpopNonces: false });
    void tab.signOut({ revoke: false });
    await pass(100);
    expect(tab.getSnapshot().dpopNonces).toBeUndefined();
  });

  test('is frozen, and the same object until something changes', async () => {
    const { tab } = await signedIn();
    const before = tab.getSnapshot();
    expect(Object.isFrozen(before)).toBe(true);
    expect(JSON.stringify(before)).not.toMatch(/access-1|refresh-1/);
    void tab.getAccessToken();
    await pass(100);
    expect(tab.getSnapshot()).toBe(before);
    const changed = vi.fn<() => void>();
    tab.subscribe(changed);
    void tab.getAccessToken({ forceRefresh: true });
    await pass(200);
    expect(changed).toHaveBeenCalled();
    expect(tab.getSnapshot()).toMatchObject({ version: 2, status: 'signed-in', refreshStatus: 'idle' });
  });
});

describe('listeners', () => {
  test("hear every event with '*', each once and in order", async () => {
    const { tab } = await signedIn();
    const heard: string[] = [];
    const before = tab.events.length;
    const stop = tab.on('*', ({ type }) => heard.push(type));
    void tab.setSession({ access_token: 'access-9', expires_in: 10 });
    await pass(50);
    stop();
    void tab.signOut();
    await pass(50);
    expect(heard).toEqual(['session-started', 'leader-changed']);
    expect(tab.events.slice(before).map(({ type }) => type)).toEqual([...heard, 'signed-out']);
  });

  test('that stop listening and listen again are told once', async () => {
    const { tab } = await signedIn();
    let calls = 0;
    const again = (): void => {
      const stop = tab.on('session-started', () => {
        stop();
        if (++calls < 100) again();
      });
    };
    again();
    void tab.setSession({ access_token: 'access-9', expires_in: 10 });
    await pass(50);
    expect(calls).toBe(1);
  });

  test('hear events in order, also of nested ones', async () => {
    const { tab } = await signedIn();
    const stop = tab.subscribe(() => {
      stop();
      void tab.signOut();
    });
    void tab.setSession({ access_token: 'access-9', expires_in: 10 });
    await pass(50);
    expect(tab.events.slice(-3).map(({ type }) => type)).toEqual([
      'session-started',
      'leader-changed',
      'signed-out',
    ]);
  });
});

describe('a record of a newer version of the app', () => {
  test('is not polled by a tab that may not refresh', async () => {
    const { tab, open, origin } = await signedIn({ proactive: 'always' });
    await tab.close();
    origin.record = { ...origin.record!, schema: 99 };
    origin.storeMs = 4;
    await pass(20_000);
    const old = open({ proactive: 'always' });
    await pass(1_000);
    const before = origin.operations;
    await pass(1_000);
    expect(origin.operations - before).toBeLessThan(3);
    expect(old.getSnapshot().refreshStatus).toBe('paused');
  });

  test('an old bundle reads it, and neither leads nor refreshes', async () => {
    const { origin, strict, tab } = await signedIn();
    await tab.close();
    origin.record = { ...origin.record!, schema: 99, leader: undefined };
    const old = origin.open({ refresh: strict.refresh, refreshTimeoutMs: T, proactive: 'never' });
    const live = watch(old.getAccessToken());
    await pass(5_000);
    expect(live.outcome()).toBe('access-1');
    const { record } = origin;
    await pass(10_000);
    const dead = watch(old.getAccessToken({ timeoutMs: 1_000 }));
    await pass(1_500);
    expect(dead.outcome()).toBe('ERR_UNSUPPORTED');
    expect(origin.record).toEqual(record);
    expect(origin.record).toMatchObject({ schema: 99, version: 1 });
    expect(origin.record?.leader).toBeUndefined();
    expect(strict.requests).toHaveLength(0);
  });
});

describe('without parts of the platform', () => {
  test('no locks: the journal is the mutex', async () => {
    const origin = new Origin();
    const strict = server();
    const tabs = [1, 2, 3].map(() =>
      origin.open({ refresh: strict.refresh, refreshTimeoutMs: T, proactive: 'never' }, ['locks']),
    );
    void tabs[0]!.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 10 });
    await pass(10_000);
    const calls = tabs.map((tab) => watch(tab.getAccessToken()));
    await pass(500);
    expect(calls.map((call) => call.outcome())).toEqual(['access-2', 'access-2', 'access-2']);
    expect(strict.requests).toHaveLength(1);
  });

  test('without locks the journal is the mutex', async () => {
    const { tab, open, origin, strict } = await signedIn();
    const tabs = [tab, open(), open()];
    origin.locksFail = true;
    await pass(10_000);
    const calls = tabs.map((one) => watch(one.getAccessToken()));
    await pass(500);
    expect(calls.map((call) => call.outcome())).toEqual(['access-2', 'access-2', 'access-2']);
    expect(strict.requests).toHaveLength(1);
  });

  test('a transport that only hints: the others read the store', async () => {
    const origin = new Origin();
    const strict = server();
    const options = { refresh: strict.refresh, refreshTimeoutMs: T, proactive: 'never' } as const;
    const [tab, other] = [origin.open(options, ['answers']), origin.open(options, ['answers'])];
    void tab.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 10 });
    await pass(50);
    expect(other.peekAccessToken()).toBe('access-1');
    void tab.getAccessToken({ forceRefresh: true });
    await pass(50);
    expect(other.peekAccessToken()).toBe('access-2');
    // They are told before the tombstone is written, and once more when it is.
    origin.storeFailures = 1;
    void tab.signOut();
    await pass(50);
    expect(other.getSnapshot().status).toBe('signed-out');
  });

  test('a store that fails once is not an empty one', async () => {
    const origin = new Origin();
    const options = { refresh: server().refresh, refreshTimeoutMs: T, proactive: 'never' } as const;
    const deaf = origin.open(options, ['channel']);
    await pass(10);
    void origin.open(options).setSession({ access_token: 'access-1', expires_in: 10 });
    await pass(100);
    origin.storeFailures = 1;
    const calls = [watch(deaf.getAccessToken()), watch(deaf.getAccessToken())];
    await pass(10);
    expect(calls.map((call) => call.outcome())).toEqual(['access-1', 'access-1']);
  });

  test('a new tab restores the session of a wiped store', async () => {
    const { tab, origin, open } = await signedIn();
    const { record } = origin;
    origin.record = undefined;
    const opened = open();
    await pass(500);
    expect(opened.getSnapshot()).toMatchObject({
      status: 'signed-in',
      sessionId: tab.getSnapshot().sessionId,
    });
    expect(origin.record).toEqual(record);
  });

  test('with an unreadable store nobody hears of a sign-out', async () => {
    const { tab, origin, open } = await signedIn();
    tab.kill();
    origin.storeFailures = 4;
    const late = open();
    const calls = [watch<unknown>(late.getAccessToken())];
    await pass(1_000);
    calls.push(watch(late.getAccessToken()), watch(late.signOut()));
    await pass(0);
    expect(calls.map((call) => call.outcome())).toEqual(['ERR_STORAGE', 'ERR_STORAGE', 'ERR_STORAGE']);
    await pass(60_000);
    expect(late.getSnapshot()).toMatchObject({ status: 'signed-in', storage: 'indexeddb' });
  });

  test('a store that fails for hours is tried each minute', async () => {
    const { tab, origin } = await signedIn({}, 36_000);
    origin.storeFailures = Infinity;
    void tab.getAccessToken({ forceRefresh: true }).catch(() => {});
    await pass(3 * 3_600_000);
    expect(tab.getSnapshot().storage).toBe('memory');
    origin.storeFailures = 0;
    await pass(65_000);
    expect(tab.getSnapshot().storage).toBe('indexeddb');
  });

  /** Its store fails three times; then it works again for whoever tries it. */
  async function storeless(origin: Origin, tab: { lifecycle: (change: 'visible') => void }) {
    origin.storeFailures = 3;
    for (let n = 0; n < 3; n++) tab.lifecycle('visible');
    await pass(10);
  }

  test("without store and locks a tab waits for another's refresh", async () => {
    const origin = new Origin();
    const strict = server();
    const open = () =>
      origin.open({ refresh: strict.refresh, refreshTimeoutMs: T, proactive: 'never' }, ['locks']);
    const [leader, blind] = [open(), open(), open()] as const;
    void leader.setSession({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 10 });
    await pass(10_000);
    strict.latency = 60_000;
    void leader.getAccessToken();
    await pass(10);
    leader.kill();
    strict.latency = 20;
    // It has seen the leader's journal; the third tab sees it only when it is asked, and waits for as long again.
    const call = watch(blind.getAccessToken({ timeoutMs: 20_000 }));
    await pass(10);
    await storeless(origin, blind);
    expect(blind.getSnapshot().storage).toBe('memory');
    await pass(2 * T + 500);
    expect(call.outcome()).toBe('access-2');
    expect(strict.requests).toHaveLength(2);
    expect(origin.messages.filter(({ type }) => type === 'refresh-request')).toHaveLength(1);
  });

  test('without a store the others tell of an untold loss', async () => {
    const { tab, origin, open, strict } = await signedIn();
    const blind = open();
    await pass(50);
    await storeless(origin, blind);
    expect(blind.getSnapshot().storage).toBe('memory');
    // Its finder was gone before it could say it.
    const { record } = origin;
    origin.record = { ...record!, term: 2, ended: { kind: 'reauth-required', reason: 'refresh_rejected' } };
    const call = watch(blind.getAccessToken({ forceRefresh: true }));
    await pass(1_000);
    expect(call.outcome()).toBe('ERR_REAUTH_REQUIRED');
    expect([tab, blind].map((one) => one.getSnapshot().status)).toEqual([
      'reauth-required',
      'reauth-required',
    ]);
    expect(strict.requests).toHaveLength(0);
  });

  test('no store: ifSignedOut replaces nobody whom the other tabs know', async () => {
    const { tab, origin, open } = await signedIn();
    const blind = open();
    origin.storeFailures = 3;
    void blind.setSession({ access_token: 'access-9' }, { subject: 'bob', ifSignedOut: true });
    await pass(1_000);
    expect([tab, blind].map((one) => one.peekAccessToken())).toEqual(['access-1', 'access-1']);
  });

  test('without a store a sign-in counts at once', async () => {
    const { origin, open } = { origin: new Origin(), open: server().refresh };
    origin.storeFailures = 1_000;
    const tab = origin.open({ refresh: open, proactive: 'never' });
    const done = watch(tab.setSession({ access_token: 'access-1', expires_in: 10 }));
    await pass(50);
    expect(done.outcome()).toBeUndefined();
    expect(tab.getSnapshot()).toMatchObject({ status: 'signed-in', storage: 'memory', version: 1 });
    expect(tab.events.map(({ type }) => type)).toContain('session-started');
  });

  test('a store that fails: memory, said openly, and back', async () => {
    const { tab, origin, strict } = await signedIn();
    origin.storeFailures = 1_000;
    await pass(10_000);
    const call = watch(tab.getAccessToken());
    await pass(5_000);
    expect(call.outcome()).toBe('access-2');
    expect(tab.getSnapshot().storage).toBe('memory');
    origin.storeFailures = 0;
    tab.lifecycle('visible');
    await pass(2_000);
    expect(tab.getSnapshot().storage).toBe('indexeddb');
    expect(origin.record).toMatchObject({ version: 2, refreshToken: 'refresh-2' });
    expect(strict.requests).toHaveLength(1);
  });
});
