// One SQLite file, as the store uses it: statements are prepared once, and the calls of one turn of the event loop share a transaction.
import {
  BUSY_TIMEOUT,
  openDatabase,
  transaction,
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
   * together. If one of them throws, all are undone, and each runs again in a transaction of its own.
   */
  transaction<T>(run: (db: Statements) => T): Promise<T>;
  /** Empties the write-ahead log, which still has deleted rows. `false` if a reader elsewhere needs it. */
  emptyLog(): boolean;
  close(): void;
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
    migrate(db);
  } catch (error) {
    db.close();
    throw error;
  }
  const statements = prepareOnce(db);
  let calls: Call[] = [];

  function runCalls(): void {
    const together = calls;
    calls = [];
    if (together.length > 0) run(together);
  }

  function run(these: readonly Call[]): void {
    let begun = false;
    let values: unknown[];
    try {
      values = transaction(db, () => {
        begun = true;
        return these.map((call) => call.run(statements));
      });
    } catch (error) {
      // Where nobody could begin, one wait for the lock is enough.
      // guard: a call that fails takes no other with it
      if (begun && these.length > 1) for (const call of these) run([call]);
      else for (const call of these) call.reject(error);
      return;
    }
    for (const [i, call] of these.entries()) call.resolve(values[i]);
  }

  return {
    transaction: <T>(run: (db: Statements) => T) =>
      new Promise<unknown>((resolve, reject) => {
        calls.push({ run, resolve, reject });
        if (calls.length === 1) setImmediate(runCalls);
      }) as Promise<T>,
    emptyLog() {
      // The next sweep tries again: nobody has to wait for a reader.
      db.exec('PRAGMA busy_timeout = 0');
      try {
        return (statements.get('PRAGMA wal_checkpoint(TRUNCATE)') as { busy: number }).busy === 0;
      } finally {
        db.exec(BUSY_TIMEOUT);
      }
    },
    close() {
      runCalls();
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
