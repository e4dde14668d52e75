import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { folderShared, postgresShared, redisShared, type Shared } from '../../src/node/index.js';
import { startPostgres, startRedis, type DatabaseServer } from '../../test/support/database-servers.js';

export const kinds = ['redis', 'postgres', 'folder'] as const;
export type Kind = (typeof kinds)[number];

/** Where the shared part is, as a child process is told. */
export interface Place {
  readonly kind: Kind;
  readonly port: number;
  readonly folder: string;
}

/** The shared part as one process opens it, and what is to be closed in the end. */
export function openShared({ kind, port, folder }: Place): { shared: Shared; end: () => Promise<unknown> } {
  if (kind === 'folder') return { shared: folderShared(folder), end: async () => {} };
  if (kind === 'redis') {
    const redis = openRedis(port);
    return { shared: redisShared(redis), end: () => redis.quit() };
  }
  const pool = new Pool({ host: '127.0.0.1', port, user: 'postgres', max: 3 });
  // A connection that was cut while nobody used it.
  pool.on('error', () => {});
  return { shared: postgresShared(pool), end: () => pool.end() };
}

export function openRedis(port: number): Redis {
  const redis = new Redis(port, '127.0.0.1', { retryStrategy: () => 50 });
  redis.on('error', () => {});
  return redis;
}

export interface Store extends Place {
  readonly restart?: () => Promise<void>;
  readonly cut?: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** A real server of this kind, or a folder. */
export async function startStore(kind: Kind): Promise<Store> {
  if (kind === 'folder') {
    const folder = mkdtempSync(path.join(tmpdir(), 'one-refresh-processes-'));
    return { kind, port: 0, folder, remove: async () => rmSync(folder, { recursive: true, force: true }) };
  }
  const server: DatabaseServer = await (kind === 'redis' ? startRedis() : startPostgres());
  const { port } = server;
  return {
    kind,
    port,
    folder: '',
    async restart() {
      await server.stop('kill');
      await server.restart();
    },
    async cut() {
      if (kind === 'redis') {
        const redis = openRedis(port);
        await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await redis.quit();
      } else {
        const pool = new Pool({ host: '127.0.0.1', port, user: 'postgres', max: 1 });
        await pool.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL',
        );
        await pool.end();
      }
    },
    remove: () => server.remove(),
  };
}
