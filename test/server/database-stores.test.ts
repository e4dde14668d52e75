// The stores on real servers. Where a server cannot be started, its tests are skipped by name.
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createIdempotentRotation,
  postgresSchema,
  postgresStore,
  redisStore,
  type ServerStore,
  type Settlement,
} from 'one-refresh/server';
import worker from '../../examples/server/cloudflare-worker.js';
import { digest } from '../../src/server/digest.js';
import { openSchema, STEPS } from '../../src/server/postgres-schema.js';
import { startCuttingProxy } from '../support/cutting-proxy.js';
import { startPostgres, startRedis, type DatabaseServer } from '../support/database-servers.js';
import { describeStore, type StoreUnderTest } from './store-conformance.js';
import { createStrictEndpoint, read, refreshRequest, times } from './strict-endpoint.js';

async function tryToStart(start: () => Promise<DatabaseServer>): Promise<DatabaseServer | string> {
  try {
    return await start();
  } catch (error) {
    return (error as Error).message;
  }
}

const [postgres, redis] = await Promise.all([tryToStart(startPostgres), tryToStart(startRedis)]);
afterAll(async () => {
  for (const server of [postgres, redis]) if (typeof server !== 'string') await server.remove();
});

const settlement: Settlement = {
  requester: { holder: 'holder', request: 'request' },
  next: 'R2',
  userId: 'alice',
  answer: 'sealed',
  windowMs: 10_000,
};
const duplicate = { headers: { 'idempotency-key': 'k' } };

/** A restart in the middle: an earlier answer is given again, and what waits is served afterwards. */
function describeRestart(server: () => DatabaseServer, open: () => ServerStore): void {
  test('survives a server killed and restarted', { timeout: 60_000 }, async () => {
    const store = open();
    const endpoint = createStrictEndpoint();
    const handler = createIdempotentRotation({ store, windowMs: 120_000 })(endpoint.handler);
    const [first, second] = [endpoint.signIn(), endpoint.signIn()];
    const answer = await read(handler(refreshRequest(first, duplicate)));
    await server().stop('kill');
    expect((await handler(refreshRequest(second, duplicate))).status).toBe(503);
    expect(endpoint.spent).toEqual([first]);
    await server().restart();
    const again = async (token: string) => {
      for (let tries = 0; ; tries++) {
        const answers = await Promise.all(times(10, () => read(handler(refreshRequest(token, duplicate)))));
        // The client may still be connecting; nothing is spent then.
        if (answers.every(({ status }) => status === 200) || tries === 20) return answers;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    expect((await again(first))[0]).toMatchObject({ refresh_token: answer.refresh_token });
    expect(new Set((await again(second)).map((one) => one.refresh_token)).size).toBe(1);
    expect(endpoint.spent).toEqual([first, second]);
    await store.close();
  });
}

/**
 * Cut connections: a statement that the database did not get, and one that it has carried out and whose answer was lost. `token` stands in each
 * statement of a refresh, since the digest of the refresh token is its first value.
 */
function describeCuts(server: () => DatabaseServer, open: (port: number) => Opened): void {
  test.each(['before', 'after'] as const)('loses nothing when cut %s a statement', async (when) => {
    const proxy = await startCuttingProxy(server().port);
    const opened = open(proxy.port);
    const { store } = opened;
    const endpoint = createStrictEndpoint();
    const handler = createIdempotentRotation({ store })(endpoint.handler);
    // Connected, with its scripts and statements known.
    const warm = await read(handler(refreshRequest(endpoint.signIn(), duplicate)));
    let token = String(warm.refresh_token);
    for (const part of ['claim', 'settle']) {
      const key = await digest('token', token);
      const cutAtSpend = () => proxy.cutNext(key, when);
      if (part === 'claim') cutAtSpend();
      else endpoint.decided = cutAtSpend;
      const answers = await Promise.all(times(5, () => read(handler(refreshRequest(token, duplicate)))));
      endpoint.decided = undefined;
      expect(answers.map(({ status }) => status)).toEqual(times(5, () => 200));
      expect(new Set(answers.map(({ refresh_token }) => refresh_token)).size).toBe(1);
      expect(endpoint.spent.filter((spent) => spent === token)).toHaveLength(1);
      const late = await read(handler(refreshRequest(token, duplicate)));
      expect(late.refresh_token, 'and it is recorded').toBe(answers[0]?.refresh_token);
      token = String(late.refresh_token);
    }
    expect(proxy.cuts()).toBe(2);
    await store.close();
    await opened.close();
    await proxy.close();
  });
}

interface Opened {
  store: ServerStore;
  close(): Promise<unknown>;
}

const noPostgres = typeof postgres === 'string';
describe.skipIf(noPostgres)(`postgresStore${noPostgres ? `: ${postgres}` : ''}`, () => {
  const server = postgres as DatabaseServer;
  let pool: Pool;
  beforeAll(() => {
    pool = new Pool({ host: '127.0.0.1', port: server.port, user: 'postgres', max: 10 });
    pool.on('error', () => {});
  });
  afterAll(() => pool.end());
  const dropTables = () =>
    pool.query(
      'DROP TABLE IF EXISTS one_refresh_schema, one_refresh_session, one_refresh_spent, one_refresh_version, one_refresh_token',
    );

  describeStore(async (): Promise<StoreUnderTest> => {
    await dropTables();
    // Its end waits for a sweep that is under way. The next test drops the tables.
    const own = new Pool({ host: '127.0.0.1', port: server.port, user: 'postgres', max: 10 });
    const store = postgresStore(own);
    return {
      store,
      another: async () => postgresStore(own),
      async dump(options) {
        if (options === undefined) await store.sweep();
        const tables = ['session', 'spent', 'version', 'token'].map((table) =>
          pool.query(`SELECT * FROM one_refresh_${table}`),
        );
        return JSON.stringify((await Promise.all(tables)).map(({ rows }) => rows));
      },
      async close() {
        await store.close();
        await own.end();
      },
    };
  });
  test('claims that share statements, in any order, are granted once', async () => {
    const stores = times(4, () => postgresStore(pool));
    await stores[0]!.rotation.claim('warm', 'mine', settlement.requester, 10_000);
    const tokens = times(150, (n) => `T${n}`);
    const claims = stores.flatMap((store, i) =>
      (i % 2 === 0 ? tokens : tokens.toReversed()).map(async (token) => {
        const { state } = await store.rotation.claim(token, `claim ${i}`, settlement.requester, 10_000);
        if (state === 'claimed')
          await store.rotation.settle(token, `claim ${i}`, { ...settlement, next: `N${token}` });
        return state;
      }),
    );
    const states = await Promise.all(claims);
    expect(states.filter((state) => state === 'claimed')).toHaveLength(150);
    for (const store of stores) await store.close();
  });
  describeRestart(
    () => server,
    () => postgresStore(pool),
  );
  describeCuts(
    () => server,
    (port) => {
      const connections = new Pool({ host: '127.0.0.1', port, user: 'postgres' });
      connections.on('error', () => {});
      return { store: postgresStore(connections), close: () => connections.end() };
    },
  );

  test('lets a claim outlive a restart that took longer', { timeout: 60_000 }, async () => {
    const store = postgresStore(pool);
    const { requester } = settlement;
    await store.rotation.claim('away', 'mine', requester, 300);
    const versioned = await store.versions.claim('away', 'mine', 1, 300);
    await server.stop('kill');
    await new Promise((resolve) => setTimeout(resolve, 400));
    await server.restart();
    // The pool finds its dead connections one by one.
    await vi.waitFor(() => pool.query('SELECT 1'), { timeout: 30_000 });
    await store.sweep();
    expect(await store.rotation.claim('away', 'other', requester, 60_000)).toEqual({ state: 'pending' });
    expect(await store.versions.claim('away', 'other', 1, 60_000)).toMatchObject({ reason: 'pending' });
    await store.rotation.settle('away', 'mine', settlement);
    expect(await store.rotation.claim('away', 'other', requester, 1)).toMatchObject({ state: 'spent' });
    const { sessionId } = versioned;
    await vi.waitFor(
      async () =>
        expect(await store.versions.claim('away', 'other', 1, 1)).toMatchObject({
          state: 'claimed',
          sessionId,
        }),
      { timeout: 20_000, interval: 200 },
    );
    await store.close();
  });

  test('creates no tables under createTables: false', async () => {
    await dropTables();
    const store = postgresStore(pool, { createTables: false });
    await expect(store.sweep()).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringContaining('postgresSchema'),
    });
    // The same store works once the tables are there.
    await pool.query(postgresSchema);
    await pool.query(postgresSchema);
    await store.rotation.begin('R1', 'alice');
    await store.close();
  });

  test('finds its way with and without prepared statements', async () => {
    await dropTables();
    for (const prepareStatements of [true, false]) {
      const connections = new Pool({ host: '127.0.0.1', port: server.port, user: 'postgres', max: 1 });
      const store = postgresStore(connections, { prepareStatements });
      await store.rotation.begin('R1', 'alice');
      const { rows } = await connections.query(
        'SELECT count(*)::int AS prepared FROM pg_prepared_statements',
      );
      expect(rows).toEqual([{ prepared: prepareStatements ? 1 : 0 }]);
      await store.close();
      await connections.end();
    }
  });

  test('upgrades tables from before there were versions', async () => {
    await dropTables();
    await pool.query(STEPS[0]!);
    await pool.query("INSERT INTO one_refresh_session VALUES ('S', 'alice', 'R1', NULL, 7)");
    const store = postgresStore(pool);
    expect(await store.rotation.settle('R1', 'c', settlement)).toEqual({ sessionId: 'S', version: 8 });
    expect((await pool.query('SELECT version FROM one_refresh_schema')).rows).toEqual([
      { version: STEPS.length },
    ]);
    await store.close();
  });

  test('takes each step of a later version once', async () => {
    await dropTables();
    const store = postgresStore(pool);
    await store.rotation.begin('R1', 'alice');
    const later = [
      ...STEPS,
      "ALTER TABLE one_refresh_session ADD COLUMN IF NOT EXISTS note text DEFAULT 'none';",
    ];
    await expect(openSchema(pool, false, later)).rejects.toThrow('postgresSchema');
    await Promise.all(times(8, () => openSchema(pool, true, later)));
    expect((await pool.query('SELECT user_id, note FROM one_refresh_session')).rows).toEqual([
      { user_id: 'alice', note: 'none' },
    ]);
    // A process of the version before goes on, and is refused when it starts again.
    await store.rotation.begin('R2', 'alice');
    await store.close();
    const older = postgresStore(pool);
    await expect(older.sweep()).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringMatching(/has version 2 .* up to 1: update/),
    });
    await older.close();
    await pool.query(postgresSchema);
    expect((await pool.query('SELECT version FROM one_refresh_schema')).rows, 'never lowered').toEqual([
      { version: 2 },
    ]);
    await dropTables();
  });

  test('creates its tables once for many processes', async () => {
    const stores = times(8, () => postgresStore(pool));
    await expect(Promise.all(stores.map((store) => store.sweep()))).resolves.toHaveLength(8);
    await Promise.all(stores.map((store) => store.close()));
  });

  // (examples/server/cloudflare-worker.ts: one connection for each request.)
  test('a Worker in front: five duplicates get one answer', async () => {
    await dropTables();
    await pool.query(postgresSchema);
    const endpoint = createStrictEndpoint();
    const token = endpoint.signIn();
    const passed: string[] = [];
    vi.stubGlobal('fetch', async (request: Request) => {
      const { host, pathname } = new URL(request.url);
      if (pathname === '/oauth/token') return endpoint.handler(request);
      passed.push(host + pathname);
      return new Response('passed');
    });
    try {
      const env = {
        HYPERDRIVE: { connectionString: `postgres://postgres@127.0.0.1:${server.port}/postgres` },
        ORIGIN: 'http://behind.test',
      };
      const begun: Promise<unknown>[] = [];
      const send = async (request: Request): Promise<Response> =>
        worker.fetch(request, env, { waitUntil: (promise) => void begun.push(promise) });
      const address = 'https://front.test/oauth/token';
      const answers = times(5, () => send(new Request(address, refreshRequest(token, duplicate))).then(read));
      const tokens = (await Promise.all(answers)).map((body) => body.refresh_token);
      expect([new Set(tokens).size, endpoint.spent, begun.length]).toEqual([1, [token], 5]);
      expect(await (await send(new Request('https://front.test/authorize'))).text()).toBe('passed');
      expect(passed).toEqual(['behind.test/authorize']);
      await worker.scheduled(undefined, env);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('refuses what is no pool', () => {
    for (const value of [undefined, {}, 'postgres://localhost'])
      expect(() => postgresStore(value as Pool)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIGURATION' }),
      );
  });
});

const noRedis = typeof redis === 'string';
describe.skipIf(noRedis)(`redisStore${noRedis ? `: ${redis}` : ''}`, () => {
  const server = redis as DatabaseServer;
  let byIoredis: Redis;
  let byRedis: ReturnType<typeof createClient>;
  beforeAll(async () => {
    byIoredis = new Redis({ host: '127.0.0.1', port: server.port, maxRetriesPerRequest: 1 });
    byIoredis.on('error', () => {});
    byRedis = createClient({ socket: { host: '127.0.0.1', port: server.port } });
    byRedis.on('error', () => {});
    await byRedis.connect();
  });
  afterAll(() => {
    byIoredis.disconnect();
    byRedis.destroy();
  });
  const clients: [string, () => Redis | ReturnType<typeof createClient>][] = [
    ['ioredis', () => byIoredis],
    ['redis', () => byRedis],
  ];

  describe.each(clients)('through %s', (_, client) => {
    describeStore(async () => {
      await byIoredis.flushall();
      const store = redisStore(client());
      return {
        store,
        another: async () => redisStore(client()),
        async dump() {
          const keys = await byIoredis.keys('*');
          const rows = keys.map(async (key) =>
            (await byIoredis.type(key)) === 'hash' ? byIoredis.hgetall(key) : byIoredis.get(key),
          );
          return JSON.stringify([keys, await Promise.all(rows)]);
        },
        close: () => store.close(),
      };
    });
  });
  describeRestart(
    () => server,
    () => redisStore(byIoredis),
  );
  describeCuts(
    () => server,
    (port) => {
      const connection = new Redis({ host: '127.0.0.1', port });
      connection.on('error', () => {});
      return { store: redisStore(connection), close: async () => connection.disconnect() };
    },
  );

  describe('that forgets what came last', () => {
    let forgetful: DatabaseServer;
    let connection: Redis;
    beforeEach(async () => {
      forgetful = await startRedis('never');
      connection = new Redis({ host: '127.0.0.1', port: forgetful.port });
      connection.on('error', () => {});
    });
    afterEach(async () => {
      connection.disconnect();
      await forgetful.remove();
    });
    /** As a fail-over leaves it: everything after the copy is gone. */
    const failOver = async () => {
      await forgetful.stop('kill');
      await forgetful.restart();
      await vi.waitFor(() => connection.ping(), { timeout: 10_000 });
    };

    test('keeps the pair that was answered, and cannot repeat it', async () => {
      const endpoint = createStrictEndpoint();
      const handler = createIdempotentRotation({ store: redisStore(connection) })(endpoint.handler);
      const [first, other] = [endpoint.signIn(), endpoint.signIn()];
      await connection.save();
      const second = await read(handler(refreshRequest(first, duplicate)));
      const lost = await read(handler(refreshRequest(other, duplicate)));
      expect(lost.status).toBe(200);
      await failOver();
      const third = await read(handler(refreshRequest(String(second.refresh_token), duplicate)));
      expect(third.status, 'the login goes on').toBe(200);
      expect(await read(handler(refreshRequest(other, duplicate)))).toEqual({
        status: 400,
        error: 'invalid_grant',
      });
    });

    test('records the answer of a claim that it has lost', async () => {
      const endpoint = createStrictEndpoint();
      const handler = createIdempotentRotation({ store: redisStore(connection) })(endpoint.handler);
      const token = endpoint.signIn();
      await connection.save();
      endpoint.decided = failOver;
      const first = await read(handler(refreshRequest(token, duplicate)));
      endpoint.decided = undefined;
      expect(await read(handler(refreshRequest(token, duplicate)))).toMatchObject({
        status: 200,
        refresh_token: first.refresh_token,
      });
      expect(endpoint.spent).toEqual([token]);
    });
  });

  test('knows its scripts again after a flush', async () => {
    const store = redisStore(byIoredis, { prefix: '{other}:' });
    await store.rotation.begin('R1', 'alice');
    await byIoredis.script('FLUSH');
    await store.rotation.begin('R2', 'alice');
    expect(await byIoredis.keys('{other}:newest:*')).toHaveLength(2);
    await store.close();
  });

  test('adopts keys from before there were versions, refuses newer ones', async () => {
    await byIoredis.flushall();
    const first = redisStore(byIoredis);
    await first.rotation.settle('R1', 'c', settlement);
    await byIoredis.del('{one-refresh}:schema');
    const second = redisStore(byIoredis);
    expect(await second.rotation.claim('R1', 'x', settlement.requester, 1_000)).toMatchObject({
      state: 'spent',
    });
    expect(await byIoredis.get('{one-refresh}:schema')).toBe('1');
    await byIoredis.set('{one-refresh}:schema', '2');
    // A process that works already goes on.
    await second.rotation.begin('R9', 'alice');
    const third = redisStore(byIoredis);
    await expect(third.rotation.begin('R8', 'alice')).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringMatching(/has version 2 .* up to 1: update/),
    });
    await byIoredis.flushall();
  });

  test('refuses what is no client', () => {
    for (const value of [undefined, {}, 'redis://localhost'])
      expect(() => redisStore(value as Redis)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIGURATION' }),
      );
  });
});
