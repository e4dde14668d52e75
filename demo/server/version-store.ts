// What a version check has to remember: one number per login, and which login a refresh token belongs to.
import { randomUUID } from 'node:crypto';
import sqlite, { type Database } from 'node-sqlite3-wasm';

export interface VersionStore {
  /** The login of this refresh token, and its newest version. */
  lineOf(token: Uint8Array): { session: string; version: number; held: number } | undefined;
  begin(token: Uint8Array, version: number, now: number): void;
  /** Moves a login from one version to another; true for exactly one caller. */
  move(session: string, from: number, to: number): boolean;
  /** The pair of this version was issued; without rotation, the token is the old one. */
  issued(session: string, token: Uint8Array, version: number, now: number): void;
  /** Forgets tokens that are older than any client that may still hold them. */
  forget(before: number): void;
  close(): void;
}

export function openVersionStore(file: string): VersionStore {
  const db: Database = new sqlite.Database(file);
  db.exec('PRAGMA busy_timeout = 5000;');
  db.exec(`
    CREATE TABLE IF NOT EXISTS token_version (
      session_id TEXT    PRIMARY KEY,
      version    INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS token_line (
      refresh_token BLOB    PRIMARY KEY,
      session_id    TEXT    NOT NULL,
      version       INTEGER NOT NULL,
      issued_at     INTEGER NOT NULL
    ) STRICT;`);

  const issued: VersionStore['issued'] = (session, token, version, now) =>
    void db.run(
      'INSERT INTO token_line VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version',
      [token, session, version, now],
    );

  return {
    lineOf: (token) =>
      (db.get(
        `SELECT token_line.session_id AS session, token_version.version AS version, token_line.version AS held
         FROM token_line JOIN token_version USING (session_id) WHERE refresh_token = ?`,
        [token],
      ) ?? undefined) as { session: string; version: number; held: number } | undefined,
    begin(token, version, now) {
      const session = randomUUID();
      db.run('INSERT INTO token_version VALUES (?, ?)', [session, version]);
      issued(session, token, version, now);
    },
    move: (session, from, to) =>
      db.run('UPDATE token_version SET version = ? WHERE session_id = ? AND version = ?', [to, session, from])
        .changes === 1,
    issued,
    forget(before) {
      db.run('DELETE FROM token_line WHERE issued_at < ?', [before]);
      db.run('DELETE FROM token_version WHERE session_id NOT IN (SELECT session_id FROM token_line)');
    },
    close: () => db.close(),
  };
}
