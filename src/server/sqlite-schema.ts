import { refuseNewer } from './schema.js';
import { begin, commit, type SqliteDatabase } from './sqlite-database.js';

/**
 * Each step makes the next version of the schema out of the one before it. A step that was released is never changed. The first one finds
 * the tables there already where they come from a time without versions. Instants are epoch milliseconds, and a row whose `forget_at` is
 * over does not exist any more.
 */
export const STEPS: readonly string[] = [
  `
  CREATE TABLE IF NOT EXISTS one_refresh_session (
    session_id     TEXT    PRIMARY KEY,
    user_id        TEXT    NOT NULL,
    refresh_token  TEXT    NOT NULL UNIQUE,
    previous_token TEXT,
    version        INTEGER NOT NULL,
    active         INTEGER NOT NULL DEFAULT 1,
    last_active    INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS one_refresh_session_last_active ON one_refresh_session (last_active);
  CREATE TABLE IF NOT EXISTS one_refresh_spent (
    refresh_token TEXT    PRIMARY KEY,
    claim         TEXT    NOT NULL,
    holder        TEXT,
    request       TEXT    NOT NULL,
    spent_at      INTEGER NOT NULL,
    forget_at     INTEGER NOT NULL,
    session_id    TEXT,
    version       INTEGER,
    answer        TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS one_refresh_spent_forget_at ON one_refresh_spent (forget_at);
  CREATE TABLE IF NOT EXISTS one_refresh_version (
    session_id  TEXT    PRIMARY KEY,
    version     INTEGER NOT NULL,
    claim       TEXT,
    claim_until INTEGER NOT NULL DEFAULT 0,
    forget_at   INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS one_refresh_version_forget_at ON one_refresh_version (forget_at);
  CREATE TABLE IF NOT EXISTS one_refresh_token (
    refresh_token TEXT    PRIMARY KEY,
    session_id    TEXT    NOT NULL,
    outdated      INTEGER NOT NULL DEFAULT 0,
    forget_at     INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS one_refresh_token_forget_at ON one_refresh_token (forget_at);
`,
];

/**
 * Brings the tables of any older version to this one, in one transaction.
 *
 * @throws `ERR_CONFIGURATION` if they are newer
 */
export function migrate(db: SqliteDatabase, steps: readonly string[] = STEPS): void {
  begin(db);
  commit(db, () => {
    db.exec('CREATE TABLE IF NOT EXISTS one_refresh_schema (version INTEGER NOT NULL) STRICT');
    const row = db.prepare('SELECT version FROM one_refresh_schema').get() as { version: number } | undefined;
    const found = row?.version ?? 0;
    refuseNewer(found, steps.length);
    for (const step of steps.slice(found)) db.exec(step);
    if (found < steps.length)
      db.exec(`DELETE FROM one_refresh_schema; INSERT INTO one_refresh_schema VALUES (${steps.length})`);
  });
}
