import { LEASES } from '#leases';
import { createHash } from 'node:crypto';
import { fault, isDuration } from '../core/calls.js';
import { TokenCoordinatorError } from '../core/errors.js';
import { checkOptions } from '../options.js';
import type { TokenCoordinator, TokenCoordinatorOptions } from '../types.js';
import { createHolds } from './holds.js';
import { createHub } from './hub.js';
import { Session, type SessionContext } from './session.js';
import type { Shared } from './shared.js';

/** Options of `createSessions`. Durations are milliseconds. */
export interface SessionsOptions extends Pick<
  TokenCoordinatorOptions,
  'refresh' | 'binding' | 'minValidityMs' | 'refreshTimeoutMs' | 'isSessionLost'
> {
  /** The parts that all processes share: `redisShared()`, `postgresShared()`, `folderShared()`, or your own. */
  readonly shared: Shared;
  /**
   * For how long after a read a fresh token is handed out from memory, without asking the shared part. Within that time a sign-out in
   * another process may go unnoticed if its message is lost. Default 0: every call reads once.
   */
  readonly trustMemoryMs?: number | undefined;
  /** A session that has not been used for so long gives everything back, and reads again when it is used; default 60_000. */
  readonly idleMs?: number | undefined;
}

/** Many sessions in one process. Every method can be destructured. */
export interface Sessions {
  /**
   * The session of this name, for example of one browser: cheap, synchronous, without a timer or a socket of its own.
   * @throws `ERR_CONFIGURATION` if `id` is no text, `ERR_CLOSED`
   */
  readonly open: (id: string) => TokenCoordinator;
  /**
   * Ends all sessions of this process, and its subscription. Resolves when nothing is pending; a request that is on its way is waited for,
   * at most `refreshTimeoutMs`. The sessions themselves stay. Never rejects.
   */
  readonly close: () => Promise<void>;
}

/**
 * The same coordination as between tabs, between processes: replicas of a server, functions, command-line tools. Of all processes that share
 * a session exactly one refreshes at a time, and all of them have the result. Where the shared part cannot be reached, calls
 * reject `ERR_STORAGE`, and nothing is spent.
 *
 * @param options - the shared part, the refresh function, and durations in milliseconds with their defaults
 * @throws `ERR_CONFIGURATION` if an option is not usable, saying what to change; `ERR_UNSUPPORTED` in a bundle made without the condition `node`
 * @example
 * const shared = folderShared('~/.my-app')
 * const refresh = refreshTokenGrant({ issuer: 'https://login.example.com', clientId: 'my-app' })
 * const sessions = createSessions({ shared, refresh })
 * const token = await sessions.open('default').getAccessToken()
 */
export function createSessions(options: SessionsOptions): Sessions {
  // A bundle for a page, or for a platform that is not Node, has none of the rules that leases need.
  if (!LEASES)
    throw fault('ERR_UNSUPPORTED', undefined, 'one-refresh/node has to be bundled with the condition `node`');
  const given: SessionsOptions = Object(options);
  const { shared, trustMemoryMs = 0, idleMs = 60_000 } = given;
  const { refresh, binding, minValidityMs, refreshTimeoutMs, isSessionLost } = given;
  const checked = checkOptions({
    name: '-',
    refresh,
    binding,
    minValidityMs,
    refreshTimeoutMs,
    isSessionLost,
  });
  check(
    typeof shared?.read === 'function',
    '`shared` must be redisShared(), postgresShared() or folderShared()',
  );
  check(isDuration(trustMemoryMs), '`trustMemoryMs` must be a number of milliseconds');
  check(isDuration(idleMs) && idleMs > 0, '`idleMs` must be a number of milliseconds above 0');

  const { hold, settled } = createHolds();
  const hub = createHub(shared, hold);
  /** Those that have something to give back. */
  const used = new Map<string, Session>();
  let closing: Promise<void> | undefined;
  let sweeper: NodeJS.Timeout | undefined;

  const context: SessionContext = {
    shared,
    hub,
    hold,
    options: checked,
    trustMemoryMs,
    inUse: (key) => used.get(key),
    use(session) {
      if (closing) throw fault('ERR_CLOSED');
      if (!used.has(session.key)) used.set(session.key, session);
      sweeper ??= setInterval(sweep, Math.min(idleMs, 2 ** 31 - 1) / 2).unref();
    },
  };

  function sweep(): void {
    for (const [key, session] of used) if (session.rest(idleMs)) used.delete(key);
    if (used.size > 0) return;
    clearInterval(sweeper);
    sweeper = undefined;
  }

  async function close(): Promise<void> {
    clearInterval(sweeper);
    used.forEach((session) => session.close());
    used.clear();
    await settled(checked.refreshTimeoutMs);
    await hub.close();
  }

  return {
    open(id) {
      check(
        // (All lone surrogates have one encoding.)
        // guard: processes: an id with a lone surrogate names no session
        typeof id === 'string' && id !== '' && !/\p{Surrogate}/u.test(id),
        'open() takes the id of a session, a non-empty string of whole characters',
      );
      if (closing) throw fault('ERR_CLOSED');
      // An id may be a secret (a cookie), and contain anything; a key is neither.
      const key = createHash('sha256').update(id).digest('base64url');
      return new SessionHandle(used.get(key) ?? new Session(context, key, id), id);
    },
    close: () => (closing ??= close()),
  };
}

/**
 * One user of a session, with the public interface of every coordinator. Others in this process may use the same session: `close()` ends
 * this one alone. A class for its size: an object of its own with a getter has a shape of its own, which weighs more than all the rest.
 */
class SessionHandle implements TokenCoordinator {
  readonly name: string;
  readonly setSession: TokenCoordinator['setSession'];
  readonly getAccessToken: TokenCoordinator['getAccessToken'];
  readonly peekAccessToken: TokenCoordinator['peekAccessToken'];
  readonly peekIdToken: TokenCoordinator['peekIdToken'];
  readonly getAuthorizationHeaders: TokenCoordinator['getAuthorizationHeaders'];
  readonly getSnapshot: TokenCoordinator['getSnapshot'];
  readonly subscribe: TokenCoordinator['subscribe'];
  readonly on: TokenCoordinator['on'];
  readonly signOut: TokenCoordinator['signOut'];
  readonly exportSession: TokenCoordinator['exportSession'];
  readonly close: TokenCoordinator['close'];
  #known: Session;
  #closed = false;
  /** The ends of this handle's calls and listeners. */
  #ends: Set<() => void> | undefined;

  constructor(session: Session, name: string) {
    this.name = name;
    this.#known = session;
    this.setSession = (tokens, options) =>
      this.#call((session) => session.change((core) => core.setSession(tokens, options)));
    this.getAccessToken = (options) => {
      const token = this.#closed ? undefined : this.#session().trustedToken(options);
      return token === undefined
        ? this.#call((session) => session.getAccessToken(options))
        : Promise.resolve(token);
    };
    this.peekAccessToken = (selector = {}) => this.#session().peekAccessToken(selector);
    this.peekIdToken = () => this.#session().peekIdToken();
    this.getAuthorizationHeaders = (request) =>
      this.#call((session) => session.getAuthorizationHeaders(request));
    this.getSnapshot = () => this.#session().snapshot();
    this.subscribe = (listener) => this.#listen((core) => core.subscribe(listener));
    this.on = (type, listener) => this.#listen((core) => core.on(type, listener));
    this.signOut = (options) => this.#call((session) => session.change((core) => core.signOut(options)));
    this.exportSession = () => this.#call((session) => session.change((core) => core.exportSession()));
    // guard: processes: closing one handle ends no call of another
    this.close = async () => {
      this.#closed = true;
      this.#ends?.forEach((end) => end());
    };
  }

  get ready(): Promise<void> {
    return this.#closed ? Promise.resolve() : this.#session().ready();
  }

  #session(): Session {
    return (this.#known = this.#known.inUse());
  }

  /** What is under way goes on after `close()`, for the others. */
  #call<T>(run: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(fault('ERR_CLOSED'));
    const ends = (this.#ends ??= new Set());
    return new Promise((resolve, reject) => {
      const end = (): void => reject(fault('ERR_CLOSED'));
      const ended =
        <R>(settle: (result: R) => void) =>
        (result: R): void => {
          ends.delete(end);
          settle(result);
        };
      ends.add(end);
      run(this.#session()).then(ended(resolve), ended(reject));
    });
  }

  #listen(attach: (core: TokenCoordinator) => () => void): () => void {
    if (this.#closed) return () => {};
    const stop = this.#session().listen(attach);
    const ends = (this.#ends ??= new Set()).add(stop);
    return () => {
      ends.delete(stop);
      stop();
    };
  }
}

function check(sound: boolean, sentence: string): void {
  if (!sound) throw new TokenCoordinatorError('ERR_CONFIGURATION', sentence);
}
