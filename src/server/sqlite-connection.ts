// One SQLite file, as the store uses it: statements are prepared once, and the calls of one turn of the event loop share a transaction.
import {
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
   * together. A call that throws is undone alone.
   */
  transaction<T>(run: (db: Statements) => T): Promise<T>;
  /** Empties the write-ahead log, which still has deleted rows. A reader elsewhere puts that off. */
  emptyLog(): void;
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
    const now = calls;
    calls = [];
    if (now.length === 0) return;
    try {
      const tell = transaction(db, () => now.map((call) => runOne(call, now.length > 1)));
      for (const told of tell) told();
    } catch (error) {
      for (const { reject } of now) reject(error);
    }
  }

  function runOne({ run, resolve, reject }: Call, beside: boolean): () => void {
    if (!beside) {
      const value = run(statements);
      return () => resolve(value);
    }
    statements.run('SAVEPOINT call');
    try {
      const value = run(statements);
      statements.run('RELEASE call');
      return () => resolve(value);
    } catch (error) {
      // guard: a call that fails is undone alone
      statements.run('ROLLBACK TO call');
      statements.run('RELEASE call');
      return () => reject(error);
    }
  }

  return {
    transaction: <T>(run: (db: Statements) => T) =>
      new Promise<unknown>((resolve, reject) => {
        calls.push({ run, resolve, reject });
        if (calls.length === 1) setImmediate(runCalls);
      }) as Promise<T>,
    emptyLog: () => void statements.get('PRAGMA wal_checkpoint(TRUNCATE)'),
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
