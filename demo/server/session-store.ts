// The rows behind the session table. Every method is one SQL transaction, so that several server processes may share the file.
import { createHash, randomUUID } from 'node:crypto';
import sqlite, { type Database } from 'node-sqlite3-wasm';

/** One login. Its refresh token is known by its hash only: nobody who reads the table can refresh with it. */
export interface StoredSession {
  user_id: string;
  session_id: string;
  version: number;
  active: number;
}

/** A refresh token that was just spent, or is being spent right now. */
export interface SpentToken {
  /** Who spent it: hash of a DPoP key or of an idempotency key; null where the request had neither. */
  holder: Uint8Array | null;
  /** Hash of what was asked for: client, scope and resources. */
  asked: Uint8Array;
  spent_at: number;
  /** The session's version since then; null while the request is under way. */
  version: number | null;
  /** The sealed answer; null while the request is under way. */
  answer: Uint8Array | null;
}

export interface SessionStore {
  /** The login whose newest refresh token this is. */
  sessionOf(token: Uint8Array): StoredSession | undefined;
  /** A code exchange, or the first refresh of a login that is older than this table. */
  begin(user: string, token: Uint8Array, now: number): void;
  /** True for exactly one caller, whoever else tries at the same time. */
  claim(token: Uint8Array, by: Pick<SpentToken, 'holder' | 'asked'>, now: number): boolean;
  /** Nothing was spent after all. */
  release(token: Uint8Array): void;
  /** The refresh succeeded: the session moves on to its next token, and the answer is kept for a while. */
  settle(token: Uint8Array, next: Uint8Array, user: string, answer: Uint8Array, now: number): void;
  spent(token: Uint8Array): SpentToken | undefined;
  /** Deletes the answers issued before `answeredBefore`, and claims whose process died. */
  sweep(answeredBefore: number, claimedBefore: number): void;
  /** Locks a session out (an administrator's choice); it stays in the table. */
  deactivate(sessionId: string): void;
  /** Signed out: nothing is left of it. */
  end(token: Uint8Array): void;
  close(): void;
}

export function hash(...parts: string[]): Uint8Array {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

export function openSessionStore(file: string): SessionStore {
  const db: Database = new sqlite.Database(file);
  // Several processes: wait for each other's transactions. A deleted answer is overwritten, not merely forgotten.
  db.exec('PRAGMA busy_timeout = 5000; PRAGMA secure_delete = ON;');
  db.exec(`
    CREATE TABLE IF NOT EXISTS session (
      user_id       TEXT    NOT NULL,
      refresh_token BLOB    PRIMARY KEY,
      session_id    TEXT    NOT NULL,
      last_active   INTEGER NOT NULL,
      version       INTEGER NOT NULL,
      active        INTEGER NOT NULL DEFAULT 1,
      UNIQUE (user_id, session_id)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS spent (
      refresh_token BLOB    PRIMARY KEY,
      session_id    TEXT,
      holder        BLOB,
      asked         BLOB    NOT NULL,
      spent_at      INTEGER NOT NULL,
      version       INTEGER,
      answer        BLOB
    ) STRICT;`);

  const row = (sql: string, token: Uint8Array): unknown => db.get(sql, [token]) ?? undefined;
  const transaction = (run: () => void): void => {
    db.exec('BEGIN IMMEDIATE');
    try {
      run();
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
  const sessionOf: SessionStore['sessionOf'] = (token) =>
    row('SELECT user_id, session_id, version, active FROM session WHERE refresh_token = ?', token) as
      StoredSession | undefined;
  const begin: SessionStore['begin'] = (user, token, now) =>
    void db.run('INSERT OR IGNORE INTO session VALUES (?, ?, ?, ?, 1, 1)', [user, token, randomUUID(), now]);

  return {
    sessionOf,
    begin,
    claim: (token, { holder, asked }, now) =>
      db.run(
        'INSERT INTO spent (refresh_token, holder, asked, spent_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
        [token, holder, asked, now],
      ).changes === 1,
    release: (token) => void db.run('DELETE FROM spent WHERE refresh_token = ? AND answer IS NULL', [token]),
    settle(token, next, user, answer, now) {
      transaction(() => {
        if (sessionOf(token) === undefined) begin(user, token, now);
        db.run(
          'UPDATE session SET refresh_token = ?, version = version + 1, last_active = ? WHERE refresh_token = ?',
          [next, now, token],
        );
        const session = sessionOf(next);
        db.run(
          'UPDATE spent SET answer = ?, spent_at = ?, session_id = ?, version = ? WHERE refresh_token = ?',
          [answer, now, session?.session_id ?? null, session?.version ?? null, token],
        );
      });
    },
    spent: (token) =>
      row('SELECT holder, asked, spent_at, version, answer FROM spent WHERE refresh_token = ?', token) as
        SpentToken | undefined,
    sweep(answeredBefore, claimedBefore) {
      if (!db.isOpen) return;
      db.run('DELETE FROM spent WHERE spent_at < ? AND (answer IS NOT NULL OR spent_at < ?)', [
        answeredBefore,
        claimedBefore,
      ]);
    },
    deactivate: (sessionId) => void db.run('UPDATE session SET active = 0 WHERE session_id = ?', [sessionId]),
    end(token) {
      const spent = 'SELECT session_id FROM spent WHERE refresh_token = ?';
      const { session_id } = (sessionOf(token) ?? row(spent, token) ?? {}) as { session_id?: string | null };
      if (session_id == null) return;
      transaction(() => {
        db.run('DELETE FROM spent WHERE session_id = ?', [session_id]);
        db.run('DELETE FROM session WHERE session_id = ?', [session_id]);
      });
    },
    close: () => db.close(),
  };
}
