import { check } from './check.js';
import { digest } from './digest.js';
import type { PostgresPool } from './postgres-pool.js';
import { openSchema } from './postgres-schema.js';
import {
  IDLE_MS,
  LONGEST_WINDOW_MS,
  StoreClosed,
  type Claim,
  type RotationStore,
  type ServerStore,
  type VersionStore,
} from './store.js';
import { createSweeper } from './sweeper.js';
import { together } from './together.js';

/** Options of `postgresStore`. */
export interface PostgresStoreOptions {
  /**
   * Whether the store creates its tables, and upgrades those of an older version, when it is first used; default `true`. With `false`, run
   * {@link postgresSchema} yourself, also before an update that has another one.
   */
  readonly createTables?: boolean | undefined;
  /**
   * Whether each connection prepares a statement once; default `true`. Planning takes longer than the work itself. PgBouncer before 1.21 and
   * other poolers that give each statement another connection need `false`.
   */
  readonly prepareStatements?: boolean | undefined;
}

/** How soon after a refresh outdated tokens are looked through, milliseconds. */
const TIDY_MS = 60_000;
/** Longer than `storeTimeoutMs` by default: a call to a killed server may hang until then. */
const NOTICE_MS = 5_000;
/** The most that `claimMs` allows. */
const LONGEST_CLAIM_MS = 300_000;

const ms = (value: string): string => `${value}::float8 * interval '1 ms'`;
/** From now on, by the database's clock. */
const after = (value: string): string => `clock_timestamp() + ${ms(value)}`;

/** Lists as a table. A planner that saw how long they are would plan anew for each statement, which takes longer than the statement. */
const lists = (...types: string[]): string =>
  `unnest(${types.map((type, i) => `(SELECT $${i + 1}::${type}[])`).join(', ')})`;

/**
 * A claim whose time is over. While the database was away, no process could renew its claim or record an answer. So after a start each earlier
 * claim counts for its time once more, and for the time in which a process notices that its connection is dead.
 *
 * @param life - how long a claim lasts, an interval
 * @param earlier - whether the claim is older than the start of the database
 */
const abandoned = (until: string, life: string, earlier: string): string =>
  `${until} < clock_timestamp() AND NOT (${earlier} < pg_postmaster_start_time() AND
    clock_timestamp() < pg_postmaster_start_time() + ${life} + interval '${NOTICE_MS} ms')`;

/**
 * The session of a token whose version is gone. The row in conflict is read anew, and everything else as it was when the statement began. So the
 * two are compared, and the row is not asked for its version:
 *
 *     A  inserts token and version ─ commits
 *     B  inserts the token: waits for A ──────▶ sees A's token, but not A's version: no orphan
 */
const ORPHAN = `
  SELECT token.session_id FROM one_refresh_token AS token LEFT JOIN one_refresh_version AS login USING (session_id)
  WHERE token.refresh_token = $1 AND login.session_id IS NULL`;

/** A settlement takes the place of the claim before it. */
const OVER_THE_CLAIM = `ON CONFLICT (refresh_token) DO UPDATE SET claim = excluded.claim, holder = excluded.holder, request = excluded.request,
      spent_at = excluded.spent_at, forget_at = excluded.forget_at, session_id = excluded.session_id,
      version = excluded.version, answer = excluded.answer`;

const SQL = {
  /** Each parameter has a list, with a member for each call. */
  claim: `
    INSERT INTO one_refresh_spent AS spent (refresh_token, claim, holder, request, forget_at)
    SELECT token, claim, holder, request, ${after('claim_ms')}
    FROM ${lists('text', 'text', 'text', 'text', 'float8')} AS asked (token, claim, holder, request, claim_ms)
    WHERE (SELECT active FROM one_refresh_session WHERE refresh_token = token) IS NOT false
    ORDER BY token
    ON CONFLICT (refresh_token) DO UPDATE SET claim = excluded.claim, holder = excluded.holder, request = excluded.request,
      spent_at = excluded.spent_at, forget_at = excluded.forget_at, session_id = NULL, version = NULL, answer = NULL
      WHERE CASE WHEN spent.version IS NULL THEN spent.claim = excluded.claim
          OR (${abandoned('spent.forget_at', '(excluded.forget_at - clock_timestamp())', 'spent.spent_at')})
        ELSE spent.forget_at < clock_timestamp() END
    RETURNING refresh_token AS token`,
  findSpent: `
    SELECT coalesce(login.active, owner.active) AS active, spent.holder, spent.request, spent.session_id, spent.version, spent.answer,
      extract(epoch FROM clock_timestamp() - spent.spent_at)::float8 * 1000 AS age_ms,
      extract(epoch FROM spent.forget_at - clock_timestamp())::float8 * 1000 AS left_ms
    FROM (SELECT 1) AS one
    LEFT JOIN one_refresh_session AS login ON login.refresh_token = $1
    LEFT JOIN one_refresh_spent AS spent ON spent.refresh_token = $1 AND spent.forget_at >= clock_timestamp()
    LEFT JOIN one_refresh_session AS owner ON owner.session_id = spent.session_id`,
  renew: `UPDATE one_refresh_spent SET forget_at = ${after('$3')} WHERE refresh_token = $1 AND claim = $2 AND version IS NULL`,
  /**
   * The usual case of `settle`: the login is known by the spent token, and nobody has the successor yet. Each parameter has a list, with a
   * member for each call.
   */
  move: `
    WITH login AS (
      SELECT asked.*, s.session_id, s.previous_token
      FROM ${lists('text', 'text', 'text', 'text', 'text', 'text', 'float8')}
        AS asked (token, claim, holder, request, next, answer, window_ms)
      JOIN one_refresh_session AS s ON s.refresh_token = token
      WHERE NOT EXISTS (SELECT 1 FROM one_refresh_session WHERE refresh_token = next)
      ORDER BY token FOR UPDATE OF s),
    outdated AS (
      UPDATE one_refresh_spent AS spent SET answer = NULL FROM login
      WHERE spent.refresh_token = previous_token AND spent.refresh_token <> token),
    moved AS (
      UPDATE one_refresh_session AS s SET refresh_token = next, previous_token = token, version = s.version + 1,
        last_active = clock_timestamp()
      FROM login WHERE s.session_id = login.session_id RETURNING login.*, s.version)
    INSERT INTO one_refresh_spent AS spent (refresh_token, claim, holder, request, forget_at, session_id, version, answer)
    SELECT token, claim, holder, request, ${after('window_ms')}, session_id, version, answer FROM moved
    ${OVER_THE_CLAIM}
    RETURNING spent.refresh_token AS token, spent.session_id, spent.version`,
  settle: `
    WITH settled AS (
      SELECT session_id, version FROM one_refresh_spent
      WHERE refresh_token = $1 AND version IS NOT NULL AND forget_at >= clock_timestamp()),
    login AS (
      SELECT session_id, previous_token, active FROM one_refresh_session
      WHERE refresh_token = $1 AND NOT EXISTS (SELECT 1 FROM settled) FOR UPDATE),
    successor AS (SELECT 1 FROM one_refresh_session WHERE refresh_token = $5),
    moved AS (
      UPDATE one_refresh_session AS s SET refresh_token = $5, previous_token = $1, version = s.version + 1,
        last_active = clock_timestamp()
      FROM login WHERE s.session_id = login.session_id AND NOT EXISTS (SELECT 1 FROM successor) RETURNING s.session_id, s.version),
    merged AS (
      DELETE FROM one_refresh_session WHERE session_id IN (SELECT session_id FROM login) AND EXISTS (SELECT 1 FROM successor)),
    begun AS (
      INSERT INTO one_refresh_session AS s (session_id, user_id, refresh_token, previous_token, version)
      SELECT $9, $6, $5, $1, 2
      WHERE (NOT EXISTS (SELECT 1 FROM login) OR EXISTS (SELECT 1 FROM successor)) AND NOT EXISTS (SELECT 1 FROM settled)
      ON CONFLICT (refresh_token) DO UPDATE SET last_active = clock_timestamp(),
        active = s.active AND coalesce((SELECT active FROM login), true)
      RETURNING s.session_id, s.version),
    session AS (SELECT * FROM moved UNION ALL SELECT * FROM begun),
    outdated AS (
      UPDATE one_refresh_spent SET answer = NULL
      WHERE refresh_token = (SELECT previous_token FROM login) AND refresh_token <> $1),
    kept AS (
      INSERT INTO one_refresh_spent AS spent (refresh_token, claim, holder, request, forget_at, session_id, version, answer)
      SELECT $1, $2, $3, $4, ${after('$8')}, session_id, version, $7 FROM session
      ${OVER_THE_CLAIM})
    SELECT session_id, version FROM settled UNION ALL SELECT session_id, version FROM session`,
  release: 'DELETE FROM one_refresh_spent WHERE refresh_token = $1 AND claim = $2 AND version IS NULL',
  begin:
    'INSERT INTO one_refresh_session (session_id, user_id, refresh_token, version) VALUES ($3, $2, $1, 1) ON CONFLICT DO NOTHING',
  end: `
    WITH gone AS (
      DELETE FROM one_refresh_session WHERE active AND (refresh_token = $1
        OR session_id = (SELECT session_id FROM one_refresh_spent WHERE refresh_token = $1))
      RETURNING previous_token)
    DELETE FROM one_refresh_spent WHERE version IS NOT NULL AND EXISTS (SELECT 1 FROM gone)
      AND (refresh_token = $1 OR refresh_token IN (SELECT previous_token FROM gone))`,
  deactivate: `
    WITH locked AS (
      UPDATE one_refresh_session SET active = false WHERE session_id = $1 RETURNING session_id, previous_token, version)
    INSERT INTO one_refresh_spent AS spent (refresh_token, claim, request, forget_at, session_id, version)
    SELECT previous_token, '', '', ${after('$2')}, session_id, version FROM locked WHERE previous_token IS NOT NULL
    ON CONFLICT (refresh_token) DO UPDATE SET forget_at = excluded.forget_at, answer = NULL WHERE spent.version IS NOT NULL`,
  findVersion: `
    SELECT token.session_id, token.outdated, login.version FROM one_refresh_token AS token
    JOIN one_refresh_version AS login USING (session_id)
    WHERE token.refresh_token = $1 AND token.forget_at >= clock_timestamp()`,
  claimVersion: `
    UPDATE one_refresh_version SET claim = $2, claim_until = ${after('$4')}
    WHERE session_id = $1 AND version = $3 AND (claim IS NULL OR claim = $2 OR (${abandoned('claim_until', ms('$4'), 'claim_until')}))
    RETURNING 1`,
  beginVersion: `
    WITH token AS (
      INSERT INTO one_refresh_token AS known (refresh_token, session_id, forget_at) VALUES ($1, $2, ${after('$6')})
      ON CONFLICT (refresh_token) DO UPDATE SET session_id = excluded.session_id, outdated = false, forget_at = excluded.forget_at
        WHERE known.forget_at < clock_timestamp() OR known.session_id = (${ORPHAN})
      RETURNING session_id)
    INSERT INTO one_refresh_version (session_id, version, claim, claim_until, forget_at)
    SELECT session_id, $3::bigint, $4::text, ${after('$5')}, ${after('$6')} FROM token RETURNING 1`,
  renewVersion: `UPDATE one_refresh_version SET claim_until = ${after('$3')} WHERE session_id = $1 AND claim = $2`,
  settleVersion: `
    WITH login AS (
      INSERT INTO one_refresh_version AS login (session_id, version, forget_at) VALUES ($3, $5, ${after('$7')})
      ON CONFLICT (session_id) DO UPDATE SET version = greatest(login.version, excluded.version),
        claim = nullif(login.claim, $2), forget_at = excluded.forget_at),
    old AS (
      INSERT INTO one_refresh_token AS known (refresh_token, session_id, outdated, forget_at)
      SELECT $1, $3, true, ${after('$6')} WHERE $1 <> $4
      ON CONFLICT (refresh_token) DO UPDATE SET session_id = excluded.session_id, outdated = true, forget_at = excluded.forget_at)
    INSERT INTO one_refresh_token AS known (refresh_token, session_id, forget_at) VALUES ($4, $3, ${after('$7')})
    ON CONFLICT (refresh_token) DO UPDATE SET session_id = excluded.session_id, outdated = false, forget_at = excluded.forget_at`,
  releaseVersion: `
    WITH fresh AS (DELETE FROM one_refresh_version WHERE session_id = $2 AND claim = $3 AND version = 0 RETURNING 1),
    token AS (DELETE FROM one_refresh_token WHERE refresh_token = $1 AND EXISTS (SELECT 1 FROM fresh))
    UPDATE one_refresh_version SET claim = NULL WHERE session_id = $2 AND claim = $3 AND version > 0`,
  endVersion: `
    WITH gone AS (DELETE FROM one_refresh_token WHERE refresh_token = $1 RETURNING session_id)
    DELETE FROM one_refresh_version WHERE session_id IN (SELECT session_id FROM gone)`,
  sweep: `
    WITH spent AS (
      DELETE FROM one_refresh_spent WHERE CASE WHEN version IS NULL THEN ${abandoned('forget_at', ms('$2'), 'spent_at')}
        ELSE forget_at < clock_timestamp() END),
    token AS (DELETE FROM one_refresh_token WHERE forget_at < clock_timestamp()),
    login AS (DELETE FROM one_refresh_version WHERE forget_at < clock_timestamp())
    DELETE FROM one_refresh_session WHERE last_active < clock_timestamp() - ${ms('$1')}`,
} as const;

/**
 * Sessions and versions in PostgreSQL 12 or newer, shared by any number of machines. Each statement is a transaction of its own. Refreshes that
 * come while a statement is under way share the next one. The database's clock counts.
 *
 * @param pool - a pool of `pg`; the store does not close it. Listen to its `error` event, as for every use of `pg`
 * @param options - whether the tables are created
 * @throws `ERR_CONFIGURATION` if the pool or an option is not usable
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): ServerStore {
  const { createTables = true, prepareStatements = true } = Object(options) as PostgresStoreOptions;
  check('pool', typeof (Object(pool) as Partial<PostgresPool>).query === 'function', 'a pool of pg');
  check('createTables', typeof createTables === 'boolean', 'true or false');
  check('prepareStatements', typeof prepareStatements === 'boolean', 'true or false');
  const names = new Map<string, string>();
  let closed = false;
  let opening: Promise<void> | undefined;

  const open = (): Promise<void> =>
    (opening ??= openSchema(pool, createTables).catch((error: unknown) => {
      opening = undefined;
      throw error;
    }));

  /** From the text, because another version of this package may use the same pool. */
  async function nameOf(text: string): Promise<string> {
    const name = names.get(text) ?? `one_refresh_${(await digest('statement', text)).slice(0, 22)}`;
    names.set(text, name);
    return name;
  }

  async function queryAll<Row>(text: string, values: unknown[]): Promise<readonly Row[]> {
    if (closed) throw new StoreClosed();
    await open();
    const { rows } = await pool.query(
      prepareStatements ? { name: await nameOf(text), text, values } : { text, values },
    );
    return rows as Row[];
  }

  const query = async <Row>(text: string, ...values: unknown[]): Promise<Row | undefined> =>
    (await queryAll<Row>(text, values))[0];

  /** One statement for several tokens. A call is the values for one of them, and is answered by the row of its token. */
  const queryTogether = <Row extends { token: string }>(text: string) =>
    together<readonly [token: string, ...values: unknown[]], Row | undefined>(
      async (calls) => {
        const values = calls[0]!.map((_, i) => calls.map((call) => call[i]));
        const rows = new Map((await queryAll<Row>(text, values)).map((row) => [row.token, row]));
        return calls.map(([token]) => rows.get(token));
      },
      ([token]) => token,
    );
  const claim = queryTogether(SQL.claim);
  const move = queryTogether<SettledRow>(SQL.move);

  const sweep = async (): Promise<void> => void (await query(SQL.sweep, IDLE_MS, LONGEST_CLAIM_MS));
  const sweeper = createSweeper(sweep);
  // Leftovers of a process that died.
  sweeper.dueIn(TIDY_MS / 60);

  const rotation: RotationStore = {
    async claim(token, claimId, { holder, request }, claimMs): Promise<Claim> {
      if (await claim([token, claimId, holder, request, claimMs])) {
        sweeper.dueIn(claimMs);
        return { state: 'claimed' };
      }
      const row = await query<SpentRow>(SQL.findSpent, token);
      if (row?.active === false) return { state: 'inactive' };
      if (row?.version == null) {
        // Or the row has gone since the first statement: then the next claim gets it.
        sweeper.dueIn(claimMs);
        return { state: 'pending' };
      }
      // The process that wrote the row may not live as long as the row.
      sweeper.dueIn(Math.min(row.left_ms, LONGEST_WINDOW_MS));
      const { session_id: sessionId, version, age_ms: ageMs, answer } = row;
      return {
        state: 'spent',
        spent: { holder: row.holder, request: row.request, sessionId, version, ageMs, answer },
      };
    },
    async renew(token, claimId, claimMs) {
      await query(SQL.renew, token, claimId, claimMs);
      sweeper.dueIn(claimMs);
    },
    async settle(token, claimId, { requester: { holder, request }, next, userId, answer, windowMs }) {
      const asked = [token, claimId, holder, request, next] as const;
      const row =
        (await move([...asked, answer, windowMs])) ??
        (await query<Omit<SettledRow, 'token'>>(
          SQL.settle,
          ...asked,
          userId,
          answer,
          windowMs,
          crypto.randomUUID(),
        ));
      sweeper.dueIn(windowMs);
      return { sessionId: row?.session_id ?? '', version: row?.version ?? 0 };
    },
    release: async (token, claimId) => void (await query(SQL.release, token, claimId)),
    begin: async (token, userId) => void (await query(SQL.begin, token, userId, crypto.randomUUID())),
    end: async (token) => void (await query(SQL.end, token)),
    deactivate: async (sessionId) => void (await query(SQL.deactivate, sessionId, IDLE_MS)),
  };

  const versions: VersionStore = {
    async claim(token, claimId, claimed, claimMs) {
      for (;;) {
        const row = await query<VersionRow>(SQL.findVersion, token);
        if (row === undefined) {
          const sessionId = crypto.randomUUID();
          // Version 0: nothing has come of it yet.
          if (await query(SQL.beginVersion, token, sessionId, 0, claimId, claimMs, IDLE_MS))
            return { state: 'claimed', sessionId, newest: claimed + 1 };
          continue;
        }
        const { session_id: sessionId, outdated } = row;
        const version = Number(row.version);
        if (outdated || claimed < version)
          return { state: 'conflict', reason: 'outdated', sessionId, newest: version };
        const newest = Math.max(claimed, version) + 1;
        if (await query(SQL.claimVersion, sessionId, claimId, version, claimMs))
          return { state: 'claimed', sessionId, newest };
        return { state: 'conflict', reason: 'pending', sessionId, newest };
      }
    },
    renew: async (sessionId, claimId, claimMs) =>
      void (await query(SQL.renewVersion, sessionId, claimId, claimMs)),
    async settle(token, claimId, { sessionId, next, newest, outdatedMs }) {
      await query(SQL.settleVersion, token, claimId, sessionId, next, newest, outdatedMs, IDLE_MS);
      sweeper.dueIn(TIDY_MS);
    },
    release: async (token, sessionId, claimId) =>
      void (await query(SQL.releaseVersion, token, sessionId, claimId)),
    begin: async (token) =>
      void (await query(SQL.beginVersion, token, crypto.randomUUID(), 1, null, 0, IDLE_MS)),
    end: async (token) => void (await query(SQL.endVersion, token)),
  };

  return {
    rotation,
    versions,
    sweep,
    async close() {
      closed = true;
      sweeper.stop();
    },
  };
}

interface SpentRow {
  active: boolean | null;
  holder: string | null;
  request: string;
  session_id: string;
  version: number | null;
  answer: string | null;
  age_ms: number;
  left_ms: number;
}

interface SettledRow {
  token: string;
  session_id: string;
  version: number;
}

interface VersionRow {
  session_id: string;
  outdated: boolean;
  version: string;
}
