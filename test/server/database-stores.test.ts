// The stores on real servers. Where a server cannot be started, its tests are skipped by name.
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIdempotentRotation, postgresStore, redisStore, type ServerStore } from 'one-refresh/server';
import { startPostgres, startRedis, type DatabaseServer } from '../support/database-servers.js';
import { describeStore } from './store-conformance.js';
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

const duplicate = { headers: { 'idempotency-key': 'k' } };

/** A restart in the middle: what was answered before is answered again, and what waits is served afterwards. */
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

const noPostgres = typeof postgres === 'string';
describe.skipIf(noPostgres)(`postgresStore${noPostgres ? `: ${postgres}` : ''}`, () => {
  const server = postgres as DatabaseServer;
  let pool: Pool;
  beforeAll(() => {
    pool = new Pool({ host: '127.0.0.1', port: server.port, user: 'postgres', max: 10 });
    pool.on('error', () => {});
  });
  afterAll(() => pool.end());

  describeStore(async () => {
    await pool.query(
      'DROP TABLE IF EXISTS one_refresh_session, one_refresh_spent, one_refresh_version, one_refresh_token',
    );
    const store = postgresStore(pool);
    return {
      store,
      another: async () => postgresStore(pool),
      async dump() {
        await store.sweep();
        const tables = ['session', 'spent', 'version', 'token'].map((table) =>
          pool.query(`SELECT * FROM one_refresh_${table}`),
        );
        return JSON.stringify((await Promise.all(tables)).map(({ rows }) => rows));
      },
      close: () => store.close(),
    };
  });
  describeRestart(
    () => server,
    () => postgresStore(pool),
  );

  test('creates no tables under createTables: false', async () => {
    await pool.query(
      'DROP TABLE IF EXISTS one_refresh_session, one_refresh_spent, one_refresh_version, one_refresh_token',
    );
    const store = postgresStore(pool, { createTables: false });
    await expect(store.sweep()).rejects.toThrow('one_refresh_spent');
    await store.close();
  });

  test('creates its tables once for many processes', async () => {
    const stores = times(8, () => postgresStore(pool));
    await expect(Promise.all(stores.map((store) => store.sweep()))).resolves.toHaveLength(8);
    await Promise.all(stores.map((store) => store.close()));
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

  test('knows its scripts again after a flush', async () => {
    const store = redisStore(byIoredis, { prefix: '{other}:' });
    await store.rotation.begin('R1', 'alice');
    await byIoredis.script('FLUSH');
    await store.rotation.begin('R2', 'alice');
    expect(await byIoredis.keys('{other}:newest:*')).toHaveLength(2);
    await store.close();
  });

  test('refuses what is no client', () => {
    for (const value of [undefined, {}, 'redis://localhost'])
      expect(() => redisStore(value as Redis)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIGURATION' }),
      );
  });
});
