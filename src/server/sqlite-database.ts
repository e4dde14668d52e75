// SQLite from wherever this process has it. `node:sqlite` and `libsql` have the same few methods.
import { TokenCoordinatorError } from '../core/errors.js';

export type SqlValue = string | number | null;

export interface SqliteStatement {
  get(...values: SqlValue[]): unknown;
  run(...values: SqlValue[]): { changes: number | bigint };
}

export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

type Opener = new (file: string) => SqliteDatabase;

/** @throws `ERR_CONFIGURATION` if this process has no SQLite, and what SQLite throws if the file cannot be used */
export async function openDatabase(file: string): Promise<SqliteDatabase> {
  const Database = await findSqlite();
  const db = new Database(file);
  try {
    await configure(db);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/**
 * Another process may write just now. Its transactions take a fraction of a millisecond, and SQLite waits that long by itself. This process does
 * nothing else meanwhile, so {@link whenFree} waits for longer ones.
 */
export const BUSY_TIMEOUT = 'PRAGMA busy_timeout = 10';

/** How long a call waits for another process's lock, milliseconds. */
const LONGEST_WAIT_MS = 5_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;

const isBusy = (error: unknown): boolean => /database is locked|SQLITE_BUSY/.test(String(error));

/**
 * Runs something until no other process has the lock that it needs. Between two tries this process does other work.
 *
 * @param run - has done nothing at all when it fails because of a lock
 */
export async function whenFree<T>(run: () => T): Promise<T> {
  const until = performance.now() + LONGEST_WAIT_MS;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return run();
    } catch (error) {
      // guard: a file that is locked is tried again
      if (!isBusy(error) || performance.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
  }
}

async function configure(db: SqliteDatabase): Promise<void> {
  db.exec(BUSY_TIMEOUT);
  // The switch needs the file for itself for a moment.
  await whenFree(() => db.prepare('PRAGMA journal_mode = WAL').get());
  // NORMAL: a power cut may take the last transactions. Their duplicates are then the authorization server's business again.
  // secure_delete: a deleted answer is overwritten.
  // wal_autocheckpoint: a checkpoint waits for the disk while the process does nothing else, so it comes every 16 MB instead of every 4.
  db.exec('PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 4000');
}

async function findSqlite(): Promise<Opener> {
  // Not as literals: a bundler must not look for a module that only some have.
  const [builtIn, installed] = ['node:sqlite', 'libsql'];
  try {
    return ((await import(/* @vite-ignore */ builtIn)) as { DatabaseSync: Opener }).DatabaseSync;
  } catch {
    // Node 20, or another runtime.
  }
  try {
    return ((await import(/* @vite-ignore */ installed)) as { default: Opener }).default;
  } catch (cause) {
    throw new TokenCoordinatorError(
      'ERR_CONFIGURATION',
      'sqliteStore() needs Node 22.13 or newer, or the package libsql: npm install libsql',
      { cause },
    );
  }
}

/** Nobody else writes meanwhile. A lock of another process is met here, when nothing has been done yet. */
export function begin(db: SqliteDatabase): void {
  db.exec('BEGIN IMMEDIATE');
}

/** Ends what {@link begin} has begun. If `run` throws, nothing is changed. */
export function commit<T>(db: SqliteDatabase, run: () => T): T {
  try {
    const result = run();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    try {
      db.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself.
    }
    throw error;
  }
}
