// One SQLite file, as the store uses it: statements are prepared once, and the calls of one turn of the event loop share a transaction.
import {
  begin,
  BUSY_TIMEOUT,
  commit,
  openDatabase,
  whenFree,
  type SqliteDatabase,
  type SqliteStatement,
  type SqlValue,
} from './sqlite-database.js';
import { migrate } from './sqlite-schema.js';

export interface Statements {
  /** The first row. */
  get(sql: string, ...values: SqlValue[]): unknown;
  run(sql: string, ...values: SqlValue[]): void;
}

export interface Connection {
  /**
   * Nobody else writes meanwhile. A commit takes longer than the statements before it, so the calls of one turn of the event loop have one
   * together. If one of them throws, all are undone, and each runs again in a transaction of its own. While another process has the lock, they
   * wait for some seconds, and the calls that come meanwhile join them.
   */
  transaction<T>(run: (db: Statements) => T): Promise<T>;
  /** Empties the write-ahead log, which still has deleted rows. `false` if a reader elsewhere needs it. */
  emptyLog(): boolean;
  /** Closes the file when the calls so far are done. */
  close(): Promise<void>;
}

interface Call {
  readonly run: (db: Statements) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

// The store runs on Node only, and the package is built without Node's types.
const { setImmediate } = globalThis as unknown as { setImmediate: (run: () => void) => void };

export async function connect(file: string): Promise<Connection> {
  const db = await openDatabase(file);
  try {
    await whenFree(() => migrate(db));
  } catch (error) {
    db.close();
    throw error;
  }
  const statements = prepareOnce(db);
  /** The calls whose transaction has not begun. */
  let waiting: Call[] = [];
  /** The promises of all calls under way. */
  const underWay = new Set<Promise<unknown>>();

  function takeAll(): readonly Call[] {
    const taken = waiting;
    waiting = [];
    return taken;
  }

  /** @param take - the calls, asked for when their transaction has begun, or cannot begin */
  async function run(take: () => readonly Call[]): Promise<void> {
    try {
      const undone = await whenFree(() => {
        begin(db);
        return runTogether(take());
      });
      for (const call of undone) await run(() => [call]);
    } catch (error) {
      for (const call of take()) call.reject(error);
    }
  }

  /** In the transaction that has begun. Returns the calls that have to run again, each alone. */
  function runTogether(these: readonly Call[]): readonly Call[] {
    try {
      const values = commit(db, () => these.map((call) => call.run(statements)));
      for (const [i, call] of these.entries()) call.resolve(values[i]);
    } catch (error) {
      // guard: a call that fails takes no other with it
      if (these.length > 1) return these;
      for (const call of these) call.reject(error);
    }
    return [];
  }

  return {
    transaction<T>(call: (db: Statements) => T) {
      const done = new Promise<unknown>((resolve, reject) => {
        waiting.push({ run: call, resolve, reject });
        if (waiting.length === 1) setImmediate(() => void run(takeAll));
      });
      const forget = (): unknown => underWay.delete(done);
      underWay.add(done);
      done.then(forget, forget);
      return done as Promise<T>;
    },
    emptyLog() {
      // The next sweep tries again: nobody has to wait for a reader.
      db.exec('PRAGMA busy_timeout = 0');
      try {
        return (statements.get('PRAGMA wal_checkpoint(TRUNCATE)') as { busy: number }).busy === 0;
      } finally {
        db.exec(BUSY_TIMEOUT);
      }
    },
    async close() {
      // guard: a file is closed when its calls are done
      while (underWay.size > 0) await Promise.allSettled(underWay);
      db.close();
    },
  };
}

function prepareOnce(db: SqliteDatabase): Statements {
  const statements = new Map<string, SqliteStatement>();
  const prepared = (sql: string): SqliteStatement => {
    const statement = statements.get(sql) ?? db.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    get: (sql, ...values) => prepared(sql).get(...values),
    run: (sql, ...values) => void prepared(sql).run(...values),
  };
}
