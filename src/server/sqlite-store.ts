import { check } from './check.js';
import { connect, type Connection, type Statements } from './sqlite-connection.js';
import {
  IDLE_MS,
  LONGEST_WINDOW_MS,
  StoreClosed,
  type Claim,
  type RotationStore,
  type ServerStore,
  type VersionClaim,
  type VersionStore,
} from './store.js';
import { createSweeper } from './sweeper.js';

/** How soon a log that a reader needs is looked at again, milliseconds. */
const EMPTY_AGAIN_MS = 1_000;
/** How soon after a refresh outdated tokens are looked through, milliseconds. */
const TIDY_MS = 60_000;

/**
 * Sessions and versions in a SQLite file, for one machine and any number of processes. Uses `node:sqlite` where Node has it (22.13), else
 * the package `libsql`, which has to be installed. The file and its tables are created by the first request; methods of the store reject
 * with `ERR_CONFIGURATION` where neither SQLite is there.
 *
 * @param file - path of the file, or `':memory:'` for a test
 * @throws `ERR_CONFIGURATION` if the path is no text
 * @example
 * createIdempotentRotation({ store: sqliteStore('/var/lib/my-app/sessions.db') })
 */
export function sqliteStore(file: string): ServerStore {
  check('file', typeof file === 'string' && file !== '', 'the path of a file');
  let opening: Promise<Connection> | undefined;
  /** A file that could not be opened is tried again by the next request. */
  const connection = (): Promise<Connection> =>
    (opening ??= open(file).catch((error: unknown) => {
      opening = undefined;
      throw error;
    }));
  let closed = false;
  const opened = (): Promise<Connection> => {
    if (closed) throw new StoreClosed();
    return connection();
  };
  const use: Use = async (run) => (await opened()).transaction(run);
  const sweep = async (): Promise<void> => {
    // guard: a log that a reader needed is emptied later
    if (!(await sweepAll(await opened()))) sweeper.dueIn(EMPTY_AGAIN_MS);
  };
  const sweeper = createSweeper(sweep);

  return {
    rotation: rotationIn(use, (ms) => sweeper.dueIn(ms)),
    versions: versionsIn(use, () => sweeper.dueIn(TIDY_MS)),
    sweep,
    async close() {
      closed = true;
      sweeper.stop();
      const db = await opening?.catch(() => undefined);
      opening = undefined;
      await db?.close();
    },
  };
}

type Use = <T>(run: (db: Statements) => T) => Promise<T>;

async function open(file: string): Promise<Connection> {
  const db = await connect(file);
  try {
    // Leftovers of a process that died.
    await sweepAll(db);
  } catch (error) {
    await db.close();
    throw error;
  }
  return db;
}

function rotationIn(use: Use, dueIn: (ms: number) => void): RotationStore {
  const drop = 'DELETE FROM one_refresh_spent WHERE refresh_token = ?';

  return {
    claim: (token, claimId, { holder, request }, claimMs) =>
      use((db) => {
        const now = Date.now();
        const claimed = db.get(
          `INSERT INTO one_refresh_spent AS spent (refresh_token, claim, holder, request, spent_at, forget_at)
           SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM one_refresh_session WHERE refresh_token = ? AND NOT active)
           ON CONFLICT (refresh_token) DO UPDATE SET claim = excluded.claim, holder = excluded.holder, request = excluded.request,
             spent_at = excluded.spent_at, forget_at = excluded.forget_at, session_id = NULL, version = NULL, answer = NULL
             WHERE ${isOver('excluded.spent_at')}
           RETURNING 1`,
          token,
          claimId,
          holder,
          request,
          now,
          now + claimMs,
          token,
        );
        if (claimed) {
          dueIn(claimMs);
          return { state: 'claimed' };
        }
        const spent = db.get(
          `SELECT *, (SELECT min(active) FROM one_refresh_session AS login
             WHERE login.session_id = spent.session_id OR login.refresh_token = spent.refresh_token) AS active
           FROM one_refresh_spent AS spent WHERE refresh_token = ?`,
          token,
        ) as SpentRow | undefined;
        // guard: a login that is locked out stays so
        if (!spent || spent.active === 0) return { state: 'inactive' };
        // The process that wrote the row may not live as long as the row.
        // guard: the rows of a dead process are swept
        dueIn(Math.min(spent.forget_at - now, LONGEST_WINDOW_MS));
        return claimOf(spent, claimId, now);
      }),
    renew: (token, claimId, claimMs) =>
      use((db) => {
        db.run(
          'UPDATE one_refresh_spent SET forget_at = ? WHERE refresh_token = ? AND claim = ? AND version IS NULL',
          Date.now() + claimMs,
          token,
          claimId,
        );
        dueIn(claimMs);
      }),
    settle: (token, claimId, { requester, next, userId, answer, windowMs }) =>
      use((db) => {
        const now = Date.now();
        const settled = db.get(
          `SELECT session_id AS sessionId, version FROM one_refresh_spent AS spent
           WHERE refresh_token = ? AND version IS NOT NULL AND NOT (${isOver('?')})`,
          token,
          now,
          now,
        ) as { sessionId: string; version: number } | undefined;
        // This call again, after its answer was lost; or another process took the claim over, and the authorization server served both.
        // guard: a settlement counts once
        if (settled) return { sessionId: settled.sessionId, version: settled.version };
        const { sessionId, version } = moveSession(db, token, next, userId, now);
        db.run(
          'INSERT OR REPLACE INTO one_refresh_spent (refresh_token, claim, holder, request, spent_at, forget_at, session_id, version, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
          token,
          claimId,
          requester.holder,
          requester.request,
          now,
          now + windowMs,
          sessionId,
          version,
          answer,
        );
        dueIn(windowMs);
        return { sessionId, version };
      }),
    release: (token, claimId) =>
      use((db) => db.run(`${drop} AND claim = ? AND version IS NULL`, token, claimId)),
    begin: (token, userId) =>
      use((db) =>
        db.run(
          'INSERT OR IGNORE INTO one_refresh_session (session_id, user_id, refresh_token, version, last_active) VALUES (?, ?, ?, 1, ?)',
          crypto.randomUUID(),
          userId,
          token,
          Date.now(),
        ),
      ),
    end: (token) =>
      use((db) => {
        // guard: a login that is locked out does not end
        const session = db.get(
          'DELETE FROM one_refresh_session WHERE active AND (refresh_token = ? OR session_id = (SELECT session_id FROM one_refresh_spent WHERE refresh_token = ?)) RETURNING previous_token',
          token,
          token,
        ) as { previous_token: string | null } | undefined;
        if (!session) return;
        for (const spent of [token, session.previous_token ?? token])
          db.run(`${drop} AND version IS NOT NULL`, spent);
      }),
    deactivate: (sessionId) =>
      use((db) => {
        const session = db.get(
          'UPDATE one_refresh_session SET active = 0 WHERE session_id = ? RETURNING previous_token, version',
          sessionId,
        ) as { previous_token: string | null; version: number } | undefined;
        // An authorization server that forgives it would begin the login anew.
        // guard: a lock-out includes the token before the newest
        if (!session?.previous_token) return;
        const now = Date.now();
        db.run(
          `INSERT INTO one_refresh_spent (refresh_token, claim, request, spent_at, forget_at, session_id, version) VALUES (?, '', '', ?, ?, ?, ?)
           ON CONFLICT (refresh_token) DO UPDATE SET forget_at = excluded.forget_at, answer = NULL WHERE version IS NOT NULL`,
          session.previous_token,
          now,
          now + IDLE_MS,
          sessionId,
          session.version,
        );
      }),
  };
}

/** A row whose time is over; also an answer from a future that no window reaches, because the clock was set back. */
const isOver = (now: string): string =>
  `spent.forget_at < ${now} OR (spent.version IS NOT NULL AND spent.spent_at > ${now} + ${LONGEST_WINDOW_MS})`;

function moveSession(db: Statements, token: string, next: string, userId: string, now: number) {
  const find = (hash: string) =>
    db.get(
      'SELECT session_id AS sessionId, previous_token AS previous, version, active FROM one_refresh_session WHERE refresh_token = ?',
      hash,
    ) as { sessionId: string; previous: string | null; version: number; active: number } | undefined;
  const session = find(token);
  const successor = find(next);
  if (successor) {
    // Some servers forgive a replay by themselves, and issue the same successor again.
    // guard: two logins that come to one token are one
    if (session && session.sessionId !== successor.sessionId) {
      db.run('DELETE FROM one_refresh_session WHERE session_id = ?', session.sessionId);
      db.run(
        'UPDATE one_refresh_session SET active = min(active, ?) WHERE session_id = ?',
        session.active,
        successor.sessionId,
      );
    }
    return { sessionId: successor.sessionId, version: successor.version };
  }
  if (session) {
    const { sessionId, previous } = session;
    const version = session.version + 1;
    db.run(
      'UPDATE one_refresh_session SET refresh_token = ?, previous_token = ?, version = ?, last_active = ? WHERE session_id = ?',
      next,
      token,
      version,
      now,
      sessionId,
    );
    // guard: only the direct predecessor is answered
    if (previous) db.run('UPDATE one_refresh_spent SET answer = NULL WHERE refresh_token = ?', previous);
    return { sessionId, version };
  }
  const sessionId = crypto.randomUUID();
  db.run(
    'INSERT INTO one_refresh_session (session_id, user_id, refresh_token, previous_token, version, last_active) VALUES (?, ?, ?, ?, 2, ?)',
    sessionId,
    userId,
    next,
    token,
    now,
  );
  return { sessionId, version: 2 };
}

interface SpentRow {
  claim: string;
  holder: string | null;
  request: string;
  spent_at: number;
  forget_at: number;
  session_id: string;
  version: number | null;
  answer: string | null;
  /** Of its login. */
  active: number | null;
}

function claimOf(row: SpentRow, claimId: string, now: number): Claim {
  const { claim, holder, request, spent_at, session_id: sessionId, version, answer } = row;
  if (version === null) return { state: claim === claimId ? 'claimed' : 'pending' };
  const spent = { holder, request, sessionId, version, ageMs: now - spent_at, answer };
  return { state: 'spent', spent };
}

function versionsIn(use: Use, tidy: () => void): VersionStore {
  const put =
    'INSERT OR REPLACE INTO one_refresh_token (refresh_token, session_id, outdated, forget_at) VALUES (?, ?, ?, ?)';
  const begin = (db: Statements, token: string, version: number, claimId: string | null, until: number) => {
    const sessionId = crypto.randomUUID();
    const forgetAt = Date.now() + IDLE_MS;
    db.run(
      'INSERT INTO one_refresh_version (session_id, version, claim, claim_until, forget_at) VALUES (?, ?, ?, ?, ?)',
      sessionId,
      version,
      claimId,
      until,
      forgetAt,
    );
    db.run(put, token, sessionId, 0, forgetAt);
    return sessionId;
  };

  return {
    claim: (token, claimId, claimed, claimMs) =>
      use((db): VersionClaim => {
        const now = Date.now();
        const until = now + claimMs;
        const known = db.get(
          'SELECT token.session_id AS sessionId, token.outdated, login.version, login.claim, login.claim_until AS claimUntil FROM one_refresh_token AS token JOIN one_refresh_version AS login USING (session_id) WHERE token.refresh_token = ? AND token.forget_at >= ?',
          token,
          now,
        ) as VersionRow | undefined;
        if (!known) {
          // Version 0: nothing has come of it yet.
          const sessionId = begin(db, token, 0, claimId, until);
          return { state: 'claimed', sessionId, newest: claimed + 1 };
        }
        const { sessionId, version } = known;
        const mine = known.claim === claimId;
        // guard: an outdated version is refused
        if (known.outdated || claimed < version)
          return { state: 'conflict', reason: 'outdated', sessionId, newest: version };
        const newest = Math.max(claimed, version) + 1;
        if (known.claim !== null && !mine && known.claimUntil >= now)
          return { state: 'conflict', reason: 'pending', sessionId, newest };
        db.run(
          'UPDATE one_refresh_version SET claim = ?, claim_until = ? WHERE session_id = ?',
          claimId,
          until,
          sessionId,
        );
        return { state: 'claimed', sessionId, newest };
      }),
    renew: (sessionId, claimId, claimMs) =>
      use((db) =>
        db.run(
          'UPDATE one_refresh_version SET claim_until = ? WHERE session_id = ? AND claim = ?',
          Date.now() + claimMs,
          sessionId,
          claimId,
        ),
      ),
    settle: (token, claimId, { sessionId, next, newest, outdatedMs }) =>
      use((db) => {
        const now = Date.now();
        // guard: a version is kept though its login was revoked meanwhile
        db.run(
          `INSERT INTO one_refresh_version AS login (session_id, version, forget_at) VALUES (?, ?, ?)
           ON CONFLICT (session_id) DO UPDATE SET version = max(login.version, excluded.version),
             claim = NULLIF(login.claim, ?), forget_at = excluded.forget_at`,
          sessionId,
          newest,
          now + IDLE_MS,
          claimId,
        );
        db.run(put, token, sessionId, 1, now + outdatedMs);
        db.run(put, next, sessionId, 0, now + IDLE_MS);
        tidy();
      }),
    release: (token, sessionId, claimId) =>
      use((db) => {
        const fresh = db.get(
          'DELETE FROM one_refresh_version WHERE session_id = ? AND claim = ? AND version = 0 RETURNING 1',
          sessionId,
          claimId,
        );
        if (fresh) db.run('DELETE FROM one_refresh_token WHERE refresh_token = ?', token);
        else
          db.run(
            'UPDATE one_refresh_version SET claim = NULL WHERE session_id = ? AND claim = ?',
            sessionId,
            claimId,
          );
      }),
    begin: (token) =>
      use((db) => {
        if (db.get('SELECT 1 FROM one_refresh_token WHERE refresh_token = ?', token) === undefined)
          begin(db, token, 1, null, 0);
      }),
    end: (token) =>
      use((db) => {
        db.run(
          'DELETE FROM one_refresh_version WHERE session_id = (SELECT session_id FROM one_refresh_token WHERE refresh_token = ?)',
          token,
        );
        db.run('DELETE FROM one_refresh_token WHERE refresh_token = ?', token);
      }),
  };
}

interface VersionRow {
  sessionId: string;
  outdated: number;
  version: number;
  claim: string | null;
  claimUntil: number;
}

/** Resolves to `false` if deleted answers are still in the write-ahead log. */
async function sweepAll(db: Connection): Promise<boolean> {
  const kept = await db.transaction((statements) => {
    const now = Date.now();
    statements.run('DELETE FROM one_refresh_session WHERE last_active < ?', now - IDLE_MS);
    statements.run('DELETE FROM one_refresh_token WHERE forget_at < ?', now);
    statements.run('DELETE FROM one_refresh_version WHERE forget_at < ?', now);
    statements.run(`DELETE FROM one_refresh_spent AS spent WHERE ${isOver('?')}`, now, now);
    return statements.get('SELECT 1 FROM one_refresh_spent WHERE answer IS NOT NULL LIMIT 1');
  });
  return kept !== undefined || db.emptyLog();
}
