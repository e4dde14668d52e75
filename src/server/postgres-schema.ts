import { TokenCoordinatorError } from '../core/errors.js';
import type { PostgresPool } from './postgres-pool.js';
import { refuseNewer } from './schema.js';

/**
 * Each step makes the next version of the schema out of the one before it. A step that was released is never changed, and a step that is run
 * again changes nothing.
 */
export const STEPS: readonly string[] = [
  `
CREATE TABLE IF NOT EXISTS one_refresh_session (
  session_id     text        PRIMARY KEY,
  user_id        text        NOT NULL,
  refresh_token  text        NOT NULL UNIQUE,
  previous_token text,
  version        integer     NOT NULL,
  active         boolean     NOT NULL DEFAULT true,
  last_active    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS one_refresh_session_last_active ON one_refresh_session (last_active);
CREATE TABLE IF NOT EXISTS one_refresh_spent (
  refresh_token text        PRIMARY KEY,
  claim         text        NOT NULL,
  holder        text,
  request       text        NOT NULL,
  spent_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  forget_at     timestamptz NOT NULL,
  session_id    text,
  version       integer,
  answer        text
);
CREATE INDEX IF NOT EXISTS one_refresh_spent_forget_at ON one_refresh_spent (forget_at);
CREATE TABLE IF NOT EXISTS one_refresh_version (
  session_id  text        PRIMARY KEY,
  version     bigint      NOT NULL,
  claim       text,
  claim_until timestamptz NOT NULL DEFAULT '-infinity',
  forget_at   timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS one_refresh_version_forget_at ON one_refresh_version (forget_at);
CREATE TABLE IF NOT EXISTS one_refresh_token (
  refresh_token text        PRIMARY KEY,
  session_id    text        NOT NULL,
  outdated      boolean     NOT NULL DEFAULT false,
  forget_at     timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS one_refresh_token_forget_at ON one_refresh_token (forget_at);
`,
];

/** All steps, and the version that they lead to. A newer version stays as it is. */
const schemaOf = (steps: readonly string[]): string => `
CREATE TABLE IF NOT EXISTS one_refresh_schema (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version  integer NOT NULL
);${steps.join('')}
INSERT INTO one_refresh_schema AS schema (version) VALUES (${steps.length})
ON CONFLICT (only_row) DO UPDATE SET version = excluded.version WHERE schema.version < excluded.version;
`;

/** The tables of `postgresStore`, in the first schema of the search path. Tables of an older version are upgraded. Running it again changes nothing. */
export const postgresSchema: string = schemaOf(STEPS);

/**
 * Two processes that create a table at the same moment would both fail without the lock. The second one must not run the statements again,
 * because the first one works on the tables by then.
 */
const creation = (steps: readonly string[]): string => `DO $$ DECLARE found integer; BEGIN
  PERFORM pg_advisory_xact_lock(7263519);
  IF to_regclass('one_refresh_schema') IS NOT NULL THEN SELECT version INTO found FROM one_refresh_schema; END IF;
  IF coalesce(found, 0) < ${steps.length} THEN ${schemaOf(steps)} END IF;
END $$`;

/**
 * Finds the tables, or creates or upgrades them. A process that starts while others work does not lock their tables if there is nothing to do.
 *
 * @throws `ERR_CONFIGURATION` if they are newer, or older and not to be upgraded here; and what the pool rejects with
 */
export async function openSchema(
  pool: PostgresPool,
  createTables: boolean,
  steps: readonly string[] = STEPS,
): Promise<void> {
  let found = await readVersion(pool);
  if (found < steps.length && createTables) {
    await pool.query({ text: creation(steps) });
    found = await readVersion(pool);
  }
  refuseNewer(found, steps.length);
  if (found === steps.length) return;
  throw new TokenCoordinatorError(
    'ERR_CONFIGURATION',
    `The database has version ${found} of the schema of one-refresh/server, and this process needs version ${steps.length}: ` +
      'run the statements of postgresSchema',
  );
}

/** 0 where there is none. */
async function readVersion(pool: PostgresPool): Promise<number> {
  try {
    const { rows } = await pool.query({ text: 'SELECT version FROM one_refresh_schema' });
    return (rows[0] as { version: number } | undefined)?.version ?? 0;
  } catch (error) {
    // undefined_table
    if ((error as { code?: unknown }).code === '42P01') return 0;
    throw error;
  }
}
