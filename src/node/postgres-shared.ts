import { TokenCoordinatorError } from '../core/errors.js';
import { checkKeepMs, sealed, type SealingOptions } from './sealed.js';
import type { Shared } from './shared.js';

/** The members of a pool of `pg` that are needed. */
export interface PostgresPool {
  /** Runs one statement on any connection. Rejects as the pool does. */
  readonly query: (
    text: string,
    values?: unknown[],
  ) => Promise<{ readonly rows: unknown[]; readonly rowCount: number | null }>;
  /** How the pool connects; the subscription does so, too. */
  readonly options: object;
}

/** Options of `postgresShared`. */
export interface PostgresSharedOptions extends SealingOptions {
  /** Before the names of the two tables and of the channel; default `one_refresh`. */
  readonly prefix?: string | undefined;
  /** A record that has not been written for so long is dropped; milliseconds; default 90 days. */
  readonly keepMs?: number | undefined;
}

/** The members of a client of `pg` that are needed. */
interface PostgresClient {
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  on(type: string, listener: (given: { payload?: string }) => void): unknown;
  end(): Promise<unknown>;
  unref?(): void;
}

/** When a subscription that ended is tried again: at first, and at most; milliseconds. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
/** So often what is over is removed: once in so many writes. */
const SWEEP_ONE_IN = 200;

/**
 * PostgreSQL as the shared part: two tables, made with the first use where they are missing. Statements go over the given pool, each on any
 * of its connections: leases are rows, not advisory locks, so nothing pins a connection. Messages (LISTEN, NOTIFY) come over one
 * connection more, which is made with the first session, ends with `sessions.close()`, and does not keep the process alive.
 *
 * @param pool - of `pg`; it stays yours to close
 * @throws `ERR_CONFIGURATION` if `pool` is no pool, or an option is not usable
 */
export function postgresShared(pool: PostgresPool, options: PostgresSharedOptions = {}): Shared {
  const { prefix = 'one_refresh', keepMs: keptMs } = Object(options) as PostgresSharedOptions;
  if (typeof Object(pool).query !== 'function' || typeof Object(pool).options !== 'object') {
    throw new TokenCoordinatorError('ERR_CONFIGURATION', '`postgresShared` takes a Pool of pg');
  }
  if (!/^[a-z_][a-z0-9_]{0,40}$/.test(prefix)) {
    throw new TokenCoordinatorError('ERR_CONFIGURATION', '`prefix` must be a lower-case identifier of SQL');
  }
  const keepMs = checkKeepMs(keptMs);
  const records = `${prefix}_records`;
  const leases = `${prefix}_leases`;
  const over = (milliseconds: string): string =>
    `clock_timestamp() + ${milliseconds}::double precision * interval '1 millisecond'`;
  let prepared: Promise<void> | undefined;

  async function prepare(): Promise<void> {
    const { rows } = await pool.query('SELECT to_regclass($1) AS records, to_regclass($2) AS leases', [
      records,
      leases,
    ]);
    const found = rows[0] as { records: string | null; leases: string | null };
    if (found.records !== null && found.leases !== null) return;
    // Two processes that do this at once are in each other's way (unique_violation, duplicate_table): the other one has done it.
    for (const table of [
      `${records} (key text PRIMARY KEY, mark text NOT NULL, record text NOT NULL, keep_until timestamptz NOT NULL)`,
      `${leases} (name text PRIMARY KEY, holder text NOT NULL, ends timestamptz NOT NULL)`,
    ]) {
      await pool.query(`CREATE TABLE IF NOT EXISTS ${table}`).catch((error: { code?: string }) => {
        if (error.code !== '23505' && error.code !== '42P07') throw error;
      });
    }
  }

  async function query<T>(text: string, ...values: unknown[]): Promise<T[]> {
    await (prepared ??= prepare().catch((error: unknown) => {
      prepared = undefined;
      throw error;
    }));
    return (await pool.query(text, values)).rows as T[];
  }

  async function sweep(): Promise<void> {
    await query(`DELETE FROM ${records} WHERE keep_until < clock_timestamp()`);
    await query(`DELETE FROM ${leases} WHERE ends < clock_timestamp() - interval '1 day'`);
  }

  const shared: Shared = {
    async read(key) {
      const [row] = await query<{ mark: string; record: string }>(
        `SELECT mark, record FROM ${records} WHERE key = $1`,
        key,
      );
      return row && { mark: row.mark, text: row.record };
    },
    async write(key, mark, text) {
      const next = crypto.randomUUID();
      const keep = over('$4');
      const written =
        mark === undefined
          ? await query(
              `INSERT INTO ${records} (key, mark, record, keep_until) VALUES ($1, $2, $3, ${keep})
               ON CONFLICT (key) DO NOTHING RETURNING 1`,
              key,
              next,
              text,
              keepMs,
            )
          : await query(
              `UPDATE ${records} SET mark = $2, record = $3, keep_until = ${keep} WHERE key = $1 AND mark = $5 RETURNING 1`,
              key,
              next,
              text,
              keepMs,
              mark,
            );
      if (Math.random() * SWEEP_ONE_IN < 1) sweep().catch(() => {});
      return written.length > 0 ? next : undefined;
    },
    async acquire({ key, name, holder, ttlMs, instead }) {
      const [row] = await query<{ holder: string }>(
        `WITH taken AS (
           INSERT INTO ${leases} AS lease (name, holder, ends) VALUES ($1, $2, ${over('$3')})
           ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, ends = EXCLUDED.ends
           WHERE lease.ends <= clock_timestamp() OR lease.holder IN ($2, $4)
           RETURNING holder
         )
         SELECT holder FROM taken
         UNION ALL
         SELECT holder FROM ${leases} WHERE name = $1 AND NOT EXISTS (SELECT FROM taken)`,
        `${key}:${name}`,
        holder,
        ttlMs,
        instead ?? '',
      );
      // Released between the two halves: the next try tells.
      return row?.holder ?? '';
    },
    async steal({ key, name, holder, ttlMs }) {
      await query(
        `INSERT INTO ${leases} (name, holder, ends) VALUES ($1, $2, ${over('$3')})
         ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, ends = EXCLUDED.ends`,
        `${key}:${name}`,
        holder,
        ttlMs,
      );
    },
    async release({ key, name, holder }) {
      await query(`DELETE FROM ${leases} WHERE name = $1 AND holder = $2`, `${key}:${name}`, holder);
    },
    async post(topic) {
      await query('SELECT pg_notify($1, $2)', prefix, topic);
    },
    listen(hear, missed) {
      // A pool knows the class of its clients, but its types do not say so.
      const { Client } = pool as unknown as { Client: new (options: object) => PostgresClient };
      let client: PostgresClient | undefined;
      let stopped = false;
      let timer: NodeJS.Timeout | undefined;

      async function start(): Promise<void> {
        const mine = new Client(pool.options);
        client = mine;
        mine.on('notification', ({ payload = '' }) => hear(payload));
        let over = false;
        const ended = (): void => {
          if (over) return;
          over = true;
          mine.end().catch(() => {});
          again();
        };
        mine.on('error', ended);
        mine.on('end', ended);
        try {
          await mine.connect();
          mine.unref?.();
          await mine.query(`LISTEN "${prefix}"`);
          wait = FIRST_WAIT_MS;
          if (lost) missed();
        } catch {
          ended();
        }
      }

      let wait = FIRST_WAIT_MS;
      let lost = false;
      function again(): void {
        lost = true;
        if (stopped) return;
        timer = setTimeout(() => void start(), wait).unref();
        wait = Math.min(2 * wait, LONGEST_WAIT_MS);
      }

      void start();
      return async () => {
        stopped = true;
        clearTimeout(timer);
        await client?.end().catch(() => {});
      };
    },
  };
  return sealed(shared, options);
}
