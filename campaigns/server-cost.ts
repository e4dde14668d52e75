/**
 * `npm run server-cost`: the cost that `one-refresh/server` adds to a refresh, beside the bare endpoint (the demo's oidc-provider), in one run.
 *
 *     npm run server-cost -- [--refreshes 200] [--seconds 5] [--rows 1000000] [--json FILE] [--ledger docs/ledgers/server-cost.jsonl]
 *
 * Latency: one refresh after another, the ways by turns, so that a busy machine is busy for all. Throughput: 50 logins at once, each way for
 * so many seconds, as often as there are ways. Then the store's own calls per refresh (claim, settle), while the table of logins grows.
 */
import Database from 'libsql';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  createIdempotentRotation,
  postgresStore,
  redisStore,
  sqliteStore,
  type ServerStore,
} from 'one-refresh/server';
import { startPostgres, startRedis, type DatabaseServer } from '../test/support/database-servers.js';
import { commit, writeJson } from '../tools/output.js';
import type { Address, Login } from './server-cost/endpoint.js';

const { values } = parseArgs({
  options: {
    refreshes: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '1000000' },
    json: { type: 'string' },
    ledger: { type: 'string' },
  },
});
const CONNECTIONS = 50;
/** Twice the processors, as PostgreSQL's own rule has it. */
const POOL = 2 * availableParallelism();
/** Refreshes of each way before the first one that counts. A server has been running for longer. */
const WARM_UP = 200;
const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-cost-'));
const file = path.join(folder, 'sessions.db');
const servers: DatabaseServer[] = [];
const stores = new Map<string, ServerStore>([['SQLite', sqliteStore(file)]]);
/** Adds so many logins that nobody refreshes. */
const grow = new Map<string, (rows: number) => Promise<unknown>>();
const endings: (() => unknown)[] = [];

grow.set('SQLite', async (rows) => {
  const db = new Database(file);
  db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
     INSERT INTO one_refresh_session (session_id, user_id, refresh_token, version, last_active)
     SELECT lower(hex(randomblob(16))), 'user', lower(hex(randomblob(21))), 1, ${Date.now()} FROM n`,
  );
  db.close();
});
try {
  const server = await startPostgres();
  servers.push(server);
  const pool = new Pool({ host: '127.0.0.1', port: server.port, user: 'postgres', max: POOL });
  pool.on('error', () => {});
  endings.push(() => pool.end());
  stores.set('PostgreSQL', postgresStore(pool));
  grow.set('PostgreSQL', async (rows) => {
    await pool.query(
      `INSERT INTO one_refresh_session (session_id, user_id, refresh_token, version)
       SELECT gen_random_uuid()::text, 'user', gen_random_uuid()::text, 1 FROM generate_series(1, ${rows})`,
    );
    await pool.query('ANALYZE one_refresh_session');
  });
} catch (error) {
  console.log(`PostgreSQL: skipped, ${(error as Error).message}`);
}
try {
  const server = await startRedis('everysec');
  servers.push(server);
  const client = new Redis({ host: '127.0.0.1', port: server.port });
  endings.push(() => client.disconnect());
  stores.set('Redis', redisStore(client));
  grow.set('Redis', async (rows) => {
    for (let from = 0; from < rows; from += 20_000) {
      await client.eval(
        `for i = ${from + 1}, ${Math.min(rows, from + 20_000)} do
           local id = ARGV[1] .. i
           redis.call('HSET', '{one-refresh}:session:' .. id, 'user', 'user', 'active', '1', 'token', id, 'version', '1')
           redis.call('SET', '{one-refresh}:newest:' .. id, id)
         end`,
        0,
        randomUUID(),
      );
    }
  });
} catch (error) {
  console.log(`Redis: skipped, ${(error as Error).message}`);
}

const endpoint = fork(new URL('server-cost/endpoint.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
const told = async <T>(): Promise<T> => ((await once(endpoint, 'message')) as [T])[0];
const { issuer, clientId } = await told<Address>();
const bare = (request: Request): Promise<Response> =>
  fetch(`${issuer}/token`, {
    method: 'POST',
    headers: request.headers,
    body: request.body,
    duplex: 'half',
  } as RequestInit);
const ways = new Map<string, (request: Request) => Promise<Response>>([
  ['bare', bare],
  ...[...stores].map(([name, store]) => [name, createIdempotentRotation({ store })(bare)] as const),
]);

/** A login that refreshes again and again. */
async function createLogin(): Promise<(handler: (request: Request) => Promise<Response>) => Promise<number>> {
  endpoint.send('sign in');
  let { refreshToken: refresh_token } = await told<Login>();
  return async (handler) => {
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token,
    }).toString();
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'idempotency-key': randomUUID(),
    };
    const startedAt = performance.now();
    const answer = await handler(new Request('http://127.0.0.1/token', { method: 'POST', headers, body }));
    const tokens = (await answer.json()) as { refresh_token?: string };
    const took = performance.now() - startedAt;
    if (tokens.refresh_token === undefined) throw new Error(`A refresh was answered ${answer.status}`);
    refresh_token = tokens.refresh_token;
    return took;
  };
}

const median = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;

/** Median of writing 8 kB. */
function diskWait(): number {
  const fd = openSync(path.join(folder, 'probe'), 'w');
  const samples = Array.from({ length: 50 }, () => {
    writeSync(fd, Buffer.alloc(8192));
    const startedAt = performance.now();
    fdatasyncSync(fd);
    return performance.now() - startedAt;
  });
  closeSync(fd);
  return median(samples);
}

async function latency(): Promise<Record<string, number>> {
  const login = await createLogin();
  const samples = new Map([...ways.keys()].map((name) => [name, [] as number[]]));
  for (let n = 0; n < Number(values.refreshes) + WARM_UP; n++) {
    for (const [name, handler] of ways) {
      const took = await login(handler);
      if (n >= WARM_UP) samples.get(name)!.push(took);
    }
  }
  return Object.fromEntries([...samples].map(([name, times]) => [name, median(times)]));
}

async function throughput(): Promise<Record<string, number>> {
  const logins: Awaited<ReturnType<typeof createLogin>>[] = [];
  while (logins.length < CONNECTIONS) logins.push(await createLogin());
  const counts = new Map([...ways.keys()].map((name) => [name, 0]));
  // Node goes on compiling for a minute. So each way comes once at each place.
  const order = [...ways];
  for (let pass = 0; pass < order.length; pass++, order.push(order.shift()!)) {
    for (const [name, handler] of order) {
      const until = performance.now() + Number(values.seconds) * 1000;
      const done = logins.map(async (login) => {
        for (let count = 0; ; count++) {
          if (performance.now() > until) return count;
          await login(handler);
        }
      });
      const sum = (await Promise.all(done)).reduce((a, b) => a + b, 0);
      counts.set(name, counts.get(name)! + sum);
    }
  }
  const seconds = order.length * Number(values.seconds);
  return Object.fromEntries([...counts].map(([name, count]) => [name, count / seconds]));
}

/** Median of a claim and its settlement, without an endpoint. */
async function storeCost(store: ServerStore): Promise<number> {
  const samples: number[] = [];
  let token: string = randomUUID();
  for (let n = 0; n < Number(values.refreshes); n++) {
    const next = randomUUID();
    const requester = { holder: randomUUID(), request: randomUUID() };
    const startedAt = performance.now();
    await store.rotation.claim(token, 'claim', requester, 10_000);
    const answer = 'x'.repeat(2_000);
    await store.rotation.settle(token, 'claim', {
      requester,
      next,
      userId: 'user',
      answer,
      windowMs: 10_000,
    });
    samples.push(performance.now() - startedAt);
    token = next;
  }
  return median(samples);
}

try {
  const medians = await latency();
  const perSecond = await throughput();
  console.log(
    `One write that waits for this disk (fdatasync): ${diskWait().toFixed(1)} ms; no database here waits for it`,
  );
  console.log('way           median    added   refreshes/s   of bare');
  for (const name of ways.keys()) {
    const added = medians[name]! - medians['bare']!;
    const share = (perSecond[name]! / perSecond['bare']!) * 100;
    console.log(
      `${name.padEnd(12)} ${medians[name]!.toFixed(2).padStart(5)} ms ${added.toFixed(2).padStart(5)} ms ${perSecond[name]!.toFixed(0).padStart(13)} ${share.toFixed(0).padStart(7)} %`,
    );
  }
  const costs: Record<string, Record<string, number>> = {};
  for (const [name, store] of stores) {
    costs[name] = {};
    let rows = 0;
    for (const target of [0, 10_000, 100_000, Number(values.rows)]) {
      if (target > rows) await grow.get(name)!(target - rows);
      rows = target;
      costs[name][String(target)] = await storeCost(store);
    }
    const shown = Object.entries(costs[name]).map(([count, ms]) => `${count}: ${ms.toFixed(2)} ms`);
    console.log(`${name}, claim and settle by logins in the table: ${shown.join(', ')}`);
  }
  writeJson(values.json, { medians, perSecond, costs });
  if (values.ledger !== undefined) {
    const asked = process.argv
      .slice(2)
      .join(' ')
      .replace(/ ?--ledger \S+/, '');
    const run = {
      date: new Date().toISOString().slice(0, 10),
      commit: commit(),
      command: `npm run server-cost -- ${asked}`,
      machine: `${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}`,
    };
    appendFileSync(values.ledger, `${JSON.stringify({ ...run, medians, perSecond, costs })}\n`);
  }
} finally {
  for (const store of stores.values()) await store.close();
  for (const end of endings) await end();
  for (const server of servers) await server.remove();
  endpoint.disconnect();
  rmSync(folder, { recursive: true, force: true });
}
