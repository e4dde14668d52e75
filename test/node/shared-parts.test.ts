/** The duties of every shared part, on real servers: records by compare-and-set, leases, messages. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { folderShared, postgresShared, redisShared, type Shared } from 'one-refresh/node';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LockOutcome } from '../../src/core/ports.js';
import type { Hub } from '../../src/node/hub.js';
import { leaseLocks } from '../../src/node/lease-locks.js';
import { newHolder } from '../../src/node/process-identity.js';
import { startPostgres, startRedis } from '../support/database-servers.js';

interface Kind {
  readonly start: () => Promise<void>;
  /** As another process would open it. */
  readonly open: () => Promise<Shared>;
  readonly stop: () => Promise<void>;
}

/** As a process of this machine that has ended would have named itself. */
function deadHolder(): string {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return newHolder().replace(/:\d+:\d*:/, `:${pid}:1:`);
}

function redisKind(client: 'ioredis' | 'redis'): Kind {
  let server: Awaited<ReturnType<typeof startRedis>>;
  const ends: (() => unknown)[] = [];
  return {
    start: async () => void (server = await startRedis()),
    async open() {
      if (client === 'ioredis') {
        const one = new Redis(server.port, '127.0.0.1');
        ends.push(() => one.quit());
        return redisShared(one);
      }
      const one = createClient({ socket: { host: '127.0.0.1', port: server.port } });
      await one.connect();
      ends.push(() => one.close());
      return redisShared(one);
    },
    async stop() {
      await Promise.all(ends.map((end) => end()));
      await server.remove();
    },
  };
}

function postgresKind(): Kind {
  let server: Awaited<ReturnType<typeof startPostgres>>;
  const pools: Pool[] = [];
  return {
    start: async () => void (server = await startPostgres()),
    async open() {
      const pool = new Pool({ host: '127.0.0.1', port: server.port, user: 'postgres', max: 3 });
      pools.push(pool);
      return postgresShared(pool);
    },
    async stop() {
      await Promise.all(pools.map((pool) => pool.end()));
      await server.remove();
    },
  };
}

function folderKind(): Kind {
  let folder: string;
  return {
    start: async () => void (folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-folder-'))),
    open: async () => folderShared(folder),
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

describe.each([
  ['ioredis', redisKind('ioredis')],
  ['redis', redisKind('redis')],
  ['postgres', postgresKind()],
  ['folder', folderKind()],
])('%s', (_, kind) => {
  let one: Shared;
  let other: Shared;
  let key: string;
  let keys = 0;
  beforeAll(async () => {
    await kind.start();
    [one, other] = [await kind.open(), await kind.open()];
  });
  afterAll(() => kind.stop());
  beforeEach(() => void (key = `session-${keys++}`));

  test('no record is none', async () => {
    expect(await one.read(key)).toBeUndefined();
  });

  test('a record is written once from one mark', async () => {
    const marks = await Promise.all(
      Array.from({ length: 10 }, (_, n) => [one, other][n % 2]!.write(key, undefined, `${n}`)),
    );
    expect(marks.filter((mark) => mark !== undefined)).toHaveLength(1);
    const { mark, text } = (await other.read(key))!;
    expect(mark).toBe(marks.find((one) => one !== undefined));
    expect(text).toBe(String(marks.indexOf(mark)));
  });

  test('twenty writers count to twenty', async () => {
    async function add(shared: Shared): Promise<void> {
      for (;;) {
        const stored = await shared.read(key);
        const text = String(Number(stored?.text ?? 0) + 1);
        if ((await shared.write(key, stored?.mark, text)) !== undefined) return;
      }
    }
    await Promise.all(Array.from({ length: 20 }, (_, n) => add([one, other][n % 2]!)));
    expect((await one.read(key))!.text).toBe('20');
  });

  test('a mark that was seen long ago writes nothing', async () => {
    const first = await one.write(key, undefined, 'first');
    let mark = first;
    for (let n = 0; n < 50; n++) mark = await other.write(key, mark, `${n}`);
    const late = await one.write(key, first, 'late').catch(() => undefined);
    expect(late).toBeUndefined();
    expect(await one.write(key, undefined, 'late').catch(() => undefined)).toBeUndefined();
    expect((await one.read(key))!.text).toBe('49');
  });

  test('one of many has a lease, until it lets go', async () => {
    const ask = (holder: string) =>
      [one, other][Number(holder) % 2]!.acquire({ key, name: 'refresh', holder, ttlMs: 60_000 });
    const holders = await Promise.all(Array.from({ length: 10 }, (_, n) => ask(String(n))));
    const [holder = ''] = new Set(holders.filter((each) => each !== ''));
    expect(holders.filter((each, n) => each === String(n))).toEqual([holder]);
    expect(await ask(holder)).toBe(holder);
    await one.release({ key, name: 'refresh', holder: 'somebody' });
    expect(await ask('77')).toBe(holder);
    await one.release({ key, name: 'refresh', holder });
    expect(await ask('77')).toBe('77');
  });

  test('leases of different names and sessions do not meet', async () => {
    const lease = { key, name: 'refresh', holder: 'a', ttlMs: 60_000 };
    await one.acquire(lease);
    expect(await other.acquire({ ...lease, name: 'attempt:1', holder: 'b' })).toBe('b');
    expect(await other.acquire({ ...lease, key: `${key}-2`, holder: 'b' })).toBe('b');
  });

  test('a lease that is not prolonged ends', async () => {
    const lease = { key, name: 'refresh', ttlMs: 300 };
    const start = performance.now();
    await one.acquire({ ...lease, holder: 'a' });
    const present = await other.acquire({ ...lease, holder: 'b' });
    // (On a busy machine it may have ended by now.)
    const isOver = performance.now() - start >= 300;
    expect(isOver ? 'a' : present).toBe('a');
    await expect.poll(() => other.acquire({ ...lease, holder: 'b' }), { interval: 20 }).toBe('b');
    expect(performance.now() - start).toBeGreaterThan(290);
  });

  test('a lease passes on from a dead process', async () => {
    const lease = { key, name: 'refresh', ttlMs: 60_000 };
    await one.acquire({ ...lease, holder: 'a' });
    expect(await other.acquire({ ...lease, holder: 'b', instead: 'c' })).toBe('a');
    expect(await other.acquire({ ...lease, holder: 'b', instead: 'a' })).toBe('b');
    await one.steal({ ...lease, holder: 'd' });
    expect(await other.acquire({ ...lease, holder: 'b' })).toBe('d');
  });

  test('a dead process’s lease tells its next holder', async () => {
    const name = 'attempt:1';
    await one.acquire({ key, name: 'refresh', holder: deadHolder(), ttlMs: 60_000 });
    await one.acquire({ key, name, holder: deadHolder(), ttlMs: 60_000 });
    const hub = { onRelease: () => () => {} } as unknown as Hub;
    const locks = leaseLocks({ shared: other, hub, hold: () => () => {} }, key, 30_000);
    const outcomeOf = (lock: string): Promise<LockOutcome> =>
      new Promise((resolve) => locks.request(lock, 'wait', resolve));
    expect(await outcomeOf('refresh')).toBe('granted');
    expect(await outcomeOf(name)).toBe('inherited');
  });

  test('a topic reaches the others', async () => {
    const heard = new Set<string>();
    const stop = one.listen(
      (topic) => heard.add(topic),
      () => {},
    );
    await expect
      .poll(async () => {
        await other.post(`${key}.c`);
        return heard.has(`${key}.c`);
      })
      .toBe(true);
    await stop();
  });
});
