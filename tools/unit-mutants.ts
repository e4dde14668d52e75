// The guards that the simulator does not reach: of the server's half, the sign-in and the stores, and some of the core that chance shows too
// rarely.
import type { Patch } from './guards.js';

export interface UnitMutant extends Patch {
  /** The tests that have to notice, a path, or a name below `src/server`; default: the table's. */
  readonly tests?: string;
  /** The title of the test of `e2e/boundaries.spec.ts` that has to notice. */
  readonly boundary?: string;
}

const login = 'src/login/create-login.test.ts';
const logout = 'src/login/sign-out.test.ts';
const idle = 'src/browser/idle.test.ts';
const record = 'src/core/record.test.ts';
const knowledge = 'src/core/knowledge.test.ts';
const waiting = 'src/core/waiting.test.ts';
const handles = 'src/node/handles.test.ts';
export const unitMutants: readonly UnitMutant[] = [
  {
    guard: 'progress: the wait for a holder without a journal goes on through the elections of others',
    anchor: "if (s.waited?.phase === 'queued') s.waited = undefined;",
    replacement: 's.waited = undefined;',
    tests: 'src/core/progress.test.ts',
  },
  {
    guard: 'of two attempts of one moment the one that may be under way counts',
    anchor: '    Number(!!stored.journal?.failure) - Number(!!mine.journal?.failure) ||\n',
    replacement: '',
    tests: record,
  },
  {
    guard: 'only a refusal of the token itself is a conflict',
    anchor: ' && !outcome.reason',
    replacement: " && outcome.reason !== 'no_refresh_token'",
    tests: 'src/refusals.test.ts',
  },
  {
    guard: 'a session that only waits for an answer is handed over',
    anchor: 'core.isLost(record) ? undefined',
    replacement: 'record.ended ? undefined',
    tests: 'src/refusals.test.ts',
  },
  {
    guard: 'processes: closing one handle ends no call of another',
    anchor: 'this.#ends?.forEach((end) => end());',
    replacement: 'this.#session().close();',
    tests: handles,
  },
  {
    guard: 'processes: an id with a lone surrogate names no session',
    anchor: String.raw` && !/\p{Surrogate}/u.test(id)`,
    replacement: '',
    tests: handles,
  },
  {
    guard: 'processes: a call tries again a minute after a failure that waiting does not heal',
    anchor: 'until === Infinity && failure &&',
    replacement: 'until === -1 && failure &&',
    tests: handles,
  },
  {
    guard: 'processes: a database that hangs does not hold up the end',
    anchor: 'inTime(stop(), CLOSE_MS).catch(() => {})',
    replacement: 'stop()',
    tests: handles,
  },
  {
    guard: 'processes: a lease lasts whole milliseconds',
    anchor: 'Math.ceil(ms)',
    replacement: 'ms',
    tests: handles,
  },
  {
    guard: 'processes: an assertion is for the issuer as the server spells it',
    anchor: 'tokenEndpoint === undefined ? metadata.known()!.issuer : ',
    replacement: '',
    tests: 'src/node/refresh-token-grant.test.ts',
  },
  {
    guard: 'processes: the refusal of a first attempt is told at once',
    anchor: '(s.options.locks && !(LEASES && s.options.leases))',
    replacement: 's.options.locks',
    tests: 'src/node/create-sessions.test.ts',
  },
  {
    guard: 'processes: a session of another binding serves nobody',
    anchor: 'asSeenBy(this.#context.options.binding, record)',
    replacement: 'record',
    tests: 'src/node/create-sessions.test.ts',
  },
  {
    guard: 'a tab without the refresh token leads nobody',
    anchor: ' && !record!.withheld;',
    replacement: ';',
    tests: waiting,
  },
  {
    guard: 'nobody refreshes a token ahead of expiry that it has just seen come',
    anchor:
      '        s.advanced ? life / 2 - Math.max(now.mono - s.advanced.mono, now.wall - s.advanced.wall) : -Infinity,\n',
    replacement: '',
    tests: knowledge,
  },
  {
    guard: 'the attempt lock of a version that is over is waited for no longer',
    anchor: "!(phase === 'probing' && awaited(s.record!) !== seen)",
    replacement: "!(phase === 'probing' && !seen && !awaited)",
    tests: waiting,
  },
  {
    guard: 'an attempt that has failed is waited for no longer',
    anchor: '${idempotencyKey(record)}.${record.journal?.failure?.at}',
    replacement: '${idempotencyKey(record)}',
    tests: waiting,
  },
  {
    guard: 'a tab with the attempt lock and no journal is waited for no longer than others wait for this tab',
    anchor: ' : refreshTimeoutMs - waitedIn(',
    replacement: ' : 2 * refreshTimeoutMs - waitedIn(',
    tests: 'src/core/progress.test.ts',
  },
  {
    guard: 'refusals: a reload counts for the failures that were missed before it',
    anchor: 'if (starting && s.pause?.until === Infinity) endPause(t);',
    replacement: '',
    tests: 'src/refusals.test.ts',
  },
  {
    guard: 'a session that was signed out has no spares',
    anchor: 'if (apart || !isOpen(known)) return known;',
    replacement: 'if (apart) return known;',
    tests: record,
  },
  {
    guard: 'processes: the next holder of the lease of a dead process learns of the death',
    anchor: 'return now - since >= lease.ttlMs;',
    replacement: 'return now - since >= lease.ttlMs || isDead(lease.holder);',
    tests: 'test/node/shared-parts.test.ts',
  },
  {
    guard: 'processes: the lease of a dead process outlives the leases taken after it',
    anchor: "if (!name.startsWith('attempt:')) return leases;",
    replacement: '',
    tests: 'test/node/shared-parts.test.ts',
  },
  {
    guard: 'processes: a journal whose request was not sent holds nobody up',
    anchor: "if (result.won) post(t, { type: 'refresh-failed' });",
    replacement: '',
    tests: 'src/node/create-sessions.test.ts',
  },
  {
    guard: 'processes: the lease of an attempt is kept until its answer is saved',
    anchor: 'return () => saved(release, state !== undefined && isAhead(state));',
    replacement: 'return () => (saved(() => {}, state !== undefined && isAhead(state)), release());',
    tests: 'src/node/create-sessions.test.ts',
  },
  {
    guard: 'untrusted: a number grows no further than it is read',
    anchor: 'Math.min(count + 1, MOST_COUNT)',
    replacement: 'count + 1',
    tests: record,
  },
  {
    guard: 'untrusted: a withheld session that the store does not have gives way',
    anchor: 'isOpen(memory) && (isUnstored || memory.schema > SCHEMA)',
    replacement: 'isOpen(memory) && memory.schema > SCHEMA',
    tests: record,
  },
  {
    guard: 'untrusted: of a session that was signed out nothing is kept',
    anchor: " || ended?.kind === 'signed-out'",
    replacement: '',
    tests: 'src/core/untrusted.test.ts',
  },
  {
    guard: 'one request of a process leads',
    anchor: 'if (leader === undefined) return lead(attempt);',
    replacement: 'return lead(attempt);',
  },
  { guard: 'the same holder', anchor: 'me.holder !== spent.holder', replacement: 'false' },
  { guard: 'the same request', anchor: 'me.request !== spent.request', replacement: 'false' },
  {
    guard: 'withoutKey conflict',
    anchor: "me.holder === null && withoutKey === 'conflict'",
    replacement: 'false',
  },
  {
    guard: 'the login has not moved on from an unrecorded answer',
    anchor: 'unrecorded.get(attempt.key)?.stop();',
    replacement: '',
  },
  {
    guard: 'an unrecorded answer stays in memory',
    anchor: 'if (further) void further.over.then(forget);\n      else forget();',
    replacement: 'forget();',
  },
  {
    guard: 'a claim is given back',
    anchor: 'if (!kept) await record',
    replacement: 'if (false) await record',
  },
  {
    guard: 'a client that is not authenticated is refused',
    anchor: "authenticated !== true && (typeof authenticated !== 'string' || authenticated === '')",
    replacement: 'false',
  },
  {
    guard: 'a claim is renewed',
    anchor: 'renew().catch',
    replacement: 'Promise.resolve().catch',
  },
  { guard: 'a record is tried again', anchor: 'void tryOften();', replacement: '' },
  {
    guard: 'an unrecorded answer ends with its window',
    anchor: 'setTimeout(stop, forMs)',
    replacement: 'setTimeout(stop, 1e9)',
  },
  {
    guard: 'a call of the store is sent once more',
    anchor: 'return once();',
    replacement: 'throw new Error();',
  },
  {
    guard: 'a call of the store has a limit',
    anchor: 'Promise.race([twice(), limit])',
    replacement: 'twice()',
  },
  {
    guard: 'a repeated parameter is refused',
    anchor: 'names.has(name) && !REPEATABLE.has(name)',
    replacement: 'false',
  },
  { guard: 'a long body is refused', anchor: 'bytes > limit', replacement: 'bytes > 1e6' },
  {
    guard: 'an introspection is no revocation',
    anchor: ' && !isIntrospection(read)',
    replacement: '',
  },
  {
    guard: 'durations are whole milliseconds',
    anchor: 'Math.ceil(value)',
    replacement: 'value',
  },
  {
    guard: 'an empty key proves nothing',
    anchor: 'return key ? `key ${key}` : null;',
    replacement: 'return key && `key ${key}`;',
  },
  {
    guard: 'a compressed form is refused',
    anchor: "encoding.toLowerCase() !== 'identity'",
    replacement: 'false',
  },
  {
    guard: 'a subject is a text',
    anchor: "typeof sub === 'string' ? sub : undefined",
    replacement: 'sub as string',
  },
  {
    guard: 'the window begins with the answer',
    anchor: 'windowMs - lateMs',
    replacement: 'windowMs',
  },
  {
    guard: 'a claim that comes too late is given back',
    anchor: 'if (gaveUp) late(value);',
    replacement: '',
    tests: 'version-check',
  },
  {
    guard: 'what is due first is swept first',
    anchor: 'timer === undefined || sooner',
    replacement: 'timer === undefined',
    tests: 'sqlite-store',
  },
  {
    guard: 'a log that a reader needed is emptied later',
    anchor: 'if (!(await sweepAll(await opened()))) sweeper.dueIn(EMPTY_AGAIN_MS);',
    replacement: 'await sweepAll(await opened());',
    tests: 'sqlite-store',
  },
  {
    guard: 'a login that is locked out stays so',
    anchor: '|| spent.active === 0',
    replacement: '',
    tests: 'sqlite-store',
  },
  {
    guard: 'a login that is locked out does not end',
    anchor: 'WHERE active AND (',
    replacement: 'WHERE (',
    tests: 'sqlite-store',
  },
  {
    guard: 'a lock-out includes the token before the newest',
    anchor: 'if (!session?.previous_token) return;',
    replacement: 'return;',
    tests: 'sqlite-store',
  },
  {
    guard: 'two logins that come to one token are one',
    anchor: 'if (session && session.sessionId !== successor.sessionId) {',
    replacement: 'if (false) {',
    tests: 'sqlite-store',
  },
  {
    guard: 'a call that is refused takes no other with it',
    anchor: 'these.length > 1',
    replacement: 'false',
    tests: 'together',
  },
  {
    guard: 'one statement has one call for each token',
    anchor: '|| these.has(key)',
    replacement: '',
    tests: 'together',
  },
  {
    guard: 'a slow statement holds nobody up for long',
    anchor: 'setTimeout(goOn, PATIENCE_MS)',
    replacement: '0',
    tests: 'together',
  },
  {
    guard: 'a newer schema is refused',
    anchor: 'if (found <= known) return;',
    replacement: 'return;',
    tests: 'sqlite-store',
  },
  {
    guard: 'only the direct predecessor is answered',
    anchor: 'if (previous) db.run',
    replacement: 'if (false) db.run',
    tests: 'sqlite-store',
  },
  {
    guard: 'a settlement counts once',
    anchor: 'if (settled) return',
    replacement: 'if (false) return',
    tests: 'sqlite-store',
  },
  {
    guard: 'a call that fails takes no other with it',
    anchor: 'if (these.length > 1)',
    replacement: 'if (false)',
    tests: 'sqlite-store',
  },
  {
    guard: 'the rows of a dead process are swept',
    anchor: 'dueIn(Math.min(spent.forget_at - now, LONGEST_WINDOW_MS));',
    replacement: '',
    tests: 'sqlite-store',
  },
  {
    guard: 'an outdated version is refused',
    anchor: 'known.outdated || claimed < version',
    replacement: 'false',
    tests: 'sqlite-store',
  },
  {
    guard: 'login: an answer belongs to the attempt that its state names',
    anchor: "localStorage.getItem(PREFIX + state) ?? 'null'",
    replacement:
      "localStorage.getItem(PREFIX + state) ?? localStorage.getItem(Object.keys(localStorage).find((key) => key.startsWith(PREFIX)) ?? '') ?? 'null'",
    tests: login,
  },
  {
    guard: 'login: a state is good for one answer',
    anchor: 'localStorage.removeItem(PREFIX + state);\n    return use(attempt);',
    replacement: 'return use(attempt);',
    tests: login,
  },
  {
    guard: 'login: a state is good for an hour',
    anchor: 'Math.abs(Date.now() - attempt.at) < MAX_AGE_MS',
    replacement: 'true',
    tests: login,
  },
  {
    guard: "login: an ID token's nonce is that of the attempt",
    anchor: 'nonce: nonce === expected.nonce,',
    replacement: '',
    tests: login,
  },
  {
    guard: 'login: an answer names this issuer, if any (RFC 9207)',
    anchor: ': iss !== server.issuer',
    replacement: ': false',
    tests: login,
  },
  {
    guard: 'login: an answer names its issuer where the server promises to (RFC 9207)',
    anchor: 'iss === null ? server.authorization_response_iss_parameter_supported :',
    replacement: 'iss === null ? false :',
    tests: login,
  },
  {
    guard: 'login: returnTo is on this origin',
    anchor: 'protocol === here.protocol && host === here.host',
    replacement: 'true',
    tests: login,
  },
  {
    guard: 'login: returnTo is a path that names no other host',
    anchor: "pathname.replace(/^\\/+/, '/')",
    replacement: 'pathname',
    tests: login,
  },
  {
    guard: 'logout: two at once are one',
    anchor: '(leaving ??= endSession(how)',
    replacement: '(leaving = endSession(how)',
    tests: logout,
  },
  {
    guard: 'login: a step-up knows its user before the first read',
    anchor: 'await coordinator.ready;',
    replacement: '',
    tests: 'src/login/extensions.test.ts',
  },
  {
    guard: 'login: a step-up knows its user by the ID token',
    anchor: ' ?? (sub as string | undefined)',
    replacement: '',
    tests: 'src/login/extensions.test.ts',
  },
  {
    guard: 'login: only the user who was asked to steps up',
    anchor: 'expected !== undefined && subject !== expected',
    replacement: 'false',
    tests: 'src/login/extensions.test.ts',
  },
  {
    guard: 'logout: the session here has ended before the page is left',
    anchor: 'await coordinator.signOut();',
    replacement: 'void coordinator.signOut().catch(() => {});',
    tests: logout,
  },
  {
    guard: 'logout: the ID token is read before the session ends',
    anchor: "if (idToken) url.searchParams.set('id_token_hint', idToken);",
    replacement:
      "const rest = coordinator.peekIdToken();\n      if (idToken && rest) url.searchParams.set('id_token_hint', rest);",
    tests: logout,
  },
  {
    guard: 'logout: the revocation leaves before the page does',
    anchor: 'await new Promise((resolve) => setTimeout(resolve));',
    replacement: '',
    tests: logout,
  },
  {
    guard: 'logout: nothing ends at the provider that has not ended here',
    anchor: 'await coordinator.signOut();',
    replacement: 'await coordinator.signOut().catch(() => {});',
    tests: logout,
  },
  {
    guard: 'idle: activity after the end does not bring the session back',
    anchor: 'if (isOver() && isSignedIn()) return void settle().catch(() => {});',
    replacement: '',
    tests: idle,
  },
  {
    guard: 'idle: activity is written once a minute at most',
    anchor: 'waitMs > 0 && waitMs <= pauseMs;',
    replacement: 'false;',
    tests: idle,
  },
  {
    guard: 'idle: of tabs that write at the same time one does',
    anchor: 'void alone(async () => {',
    replacement: 'void (async (work: () => Promise<void>) => work())(async () => {',
    tests: idle,
  },
  {
    guard: 'idle: a tab with the lock waits before it reads',
    anchor: 'await untilReadable();\n        save();',
    replacement: 'save();',
    tests: idle,
  },
  {
    guard: 'idle: a tab keeps the lock until others can read what it wrote',
    anchor: 'arm();\n        await untilReadable();',
    replacement: 'arm();',
    tests: idle,
  },
  {
    guard: 'idle: a tab that could not write tries again before the end',
    anchor: 'saveAt = now + Math.min(3 * READABLE_MS, pauseMs);',
    replacement: 'saveAt = now + pauseMs;',
    tests: idle,
  },
  {
    guard: 'idle: a tab that keeps the lock keeps nobody from writing',
    anchor: 'isNews && (atOnce || refused)',
    replacement: 'isNews && atOnce',
    tests: idle,
  },
  {
    guard: 'idle: other tabs are asked before the session ends',
    anchor: 'shared = read();',
    replacement: '',
    tests: idle,
  },
  {
    guard: 'boundary: a proof follows no redirect',
    anchor: "const stays = isProven(headers) && request.redirect === 'follow';",
    replacement: 'const stays = false;',
    boundary: 'a DPoP request refuses a redirect; no proof follows',
  },
  {
    guard: 'boundary: a stored key that a script could carry off signs nothing',
    anchor: 'if (privateKey.extractable) {',
    replacement: 'if (false) {',
    boundary: 'a planted DPoP key signs nothing',
  },
  {
    guard: "boundary: a request is one session's",
    anchor: "status !== 'signed-out' && coordinator.getSnapshot().sessionId === sessionId;",
    replacement: 'true;',
    boundary: "a request does not leave after its session's sign-out",
  },
  {
    guard: 'boundary: a header is read in linear time',
    anchor: '|\\\\.)*"?|',
    replacement: '|\\\\.)*"|',
    boundary: 'a huge WWW-Authenticate does not block the page',
  },
  {
    guard: 'boundary: a record belongs to its server and client',
    anchor: 'return one === undefined || other === undefined || one === other;',
    replacement: 'return true;',
    boundary: 'another configuration under one name neither sends nor ends',
  },
  {
    guard: 'boundary: a pair that is saved travels without its refresh token',
    anchor: "options.broadcast === 'access-token' &&",
    replacement: 'false &&',
    boundary: 'no refresh token is on the channel, however asked',
  },
  {
    guard: 'codings have no case, and are a list',
    anchor: "codings.split(',').map((name) => name.trim().toLowerCase())",
    replacement: '[codings]',
  },
  {
    guard: 'a body that is not compressed says so',
    anchor: 'headers.delete(name)',
    replacement: 'void name',
  },
  {
    guard: 'an answer is asked for as it is',
    anchor: "forwarded.headers.set('accept-encoding', 'identity');",
    replacement: '',
  },
  {
    guard: 'an answer that cannot be read is reported',
    anchor: 'guarded(() => onStoreError(error));',
    replacement: 'void error;',
  },
  {
    guard: 'a body is kept as it was written',
    anchor: '${issued.text}',
    replacement: '${JSON.stringify(JSON.parse(issued.text))}',
  },
  {
    guard: 'a file that is locked is tried again',
    anchor: 'if (!isBusy(error) || performance.now() > until) throw error;',
    replacement: 'throw error;',
    tests: 'sqlite-store',
  },
  {
    guard: 'a file is closed when its calls are done',
    anchor: 'while (underWay.size > 0) await Promise.allSettled(underWay);',
    replacement: '',
    tests: 'sqlite-store',
  },
  {
    guard: 'a store closed meanwhile is not tried again',
    anchor: 'if (wasClosed(error)) return letGo();',
    replacement: '',
    tests: 'spending',
  },
  {
    guard: 'a closed store does not keep the process alive',
    anchor: '(timer as { unref?(): void }).unref?.();',
    replacement: '',
    tests: 'spending',
  },
  {
    guard: 'a version is kept though its login was revoked meanwhile',
    anchor: 'VALUES (?, ?, ?)',
    replacement: 'SELECT ?, ?, ? WHERE false',
    tests: 'sqlite-store',
  },
];
