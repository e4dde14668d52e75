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

/** Another process may write just now. Its transactions take a fraction of a millisecond. */
export const BUSY_TIMEOUT = 'PRAGMA busy_timeout = 5000';

async function configure(db: SqliteDatabase): Promise<void> {
  db.exec(BUSY_TIMEOUT);
  await useWriteAheadLog(db);
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

/** The switch needs the file for itself for a moment, and does not wait for it. */
async function useWriteAheadLog(db: SqliteDatabase): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      db.prepare('PRAGMA journal_mode = WAL').get();
      return;
    } catch (error) {
      if (tries === 50 || !/busy|locked/i.test(String(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Nobody else writes meanwhile. */
export function transaction<T>(db: SqliteDatabase, run: () => T): T {
  db.exec('BEGIN IMMEDIATE');
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
