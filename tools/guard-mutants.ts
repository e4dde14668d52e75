/**
 * `npm run guard:mutants`: switches guards off, one at a time, and expects a test to fail without each. For the boundaries that is a test in
 * Chromium, for all others one of Vitest. The simulator has its own mutants: `npm run sim:mutants`.
 *
 *     npm run guard:mutants -- [--only WORDS]
 *
 * It changes the source files in place and puts them back, so nothing else may work on this checkout meanwhile.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

interface Mutant {
  guard: string;
  /** Below `src/server`, or a path. */
  file: string;
  anchor: string;
  replacement: string;
  /** The tests that have to notice, named as the file is; default: the table's. */
  tests?: string;
  /** The title of the test of `e2e/boundaries.spec.ts` that has to notice. */
  boundary?: string;
}

const rotation = 'idempotent-rotation';
const login = 'src/login/create-login.test.ts';
const logout = 'src/login/sign-out.test.ts';
const idle = 'src/browser/idle.test.ts';
const record = 'src/core/record.test.ts';
const mutants: Mutant[] = [
  {
    guard: 'progress: the wait for a holder without a journal goes on through the elections of others',
    file: 'src/core/knowledge.ts',
    anchor: "if (s.waited?.phase === 'queued') s.waited = undefined;",
    replacement: 's.waited = undefined;',
    tests: 'src/core/progress.test.ts',
  },
  {
    guard: 'processes: the next holder of the lease of a dead process learns of the death',
    file: 'src/node/folder-shared.ts',
    anchor: 'return now - since >= lease.ttlMs;',
    replacement: 'return now - since >= lease.ttlMs || isDead(lease.holder);',
    tests: 'test/node/shared-parts.test.ts',
  },
  {
    guard: 'processes: the lease of a dead process outlives the leases taken after it',
    file: 'src/node/folder-shared.ts',
    anchor: "if (!name.startsWith('attempt:')) return leases;",
    replacement: '',
    tests: 'test/node/shared-parts.test.ts',
  },
  {
    guard: 'processes: a journal whose request was not sent holds nobody up',
    file: 'src/core/answer.ts',
    anchor: "if (result.won) post(t, { type: 'refresh-failed' });",
    replacement: '',
    tests: 'src/node/create-sessions.test.ts',
  },
  {
    guard: 'processes: the lease of an attempt is kept until its answer is saved',
    file: 'src/node/process-coordinator.ts',
    anchor: 'return () => saved(release, state !== undefined && isAhead(state));',
    replacement: 'return () => (saved(() => {}, state !== undefined && isAhead(state)), release());',
    tests: 'src/node/create-sessions.test.ts',
  },
  {
    guard: 'untrusted: a number grows no further than it is read',
    file: 'src/core/record.ts',
    anchor: 'Math.min(count + 1, MOST_COUNT)',
    replacement: 'count + 1',
    tests: record,
  },
  {
    guard: 'untrusted: a withheld session that the store does not have gives way',
    file: 'src/core/record.ts',
    anchor: 'isOpen(memory) && (isUnstored || memory.schema > SCHEMA)',
    replacement: 'isOpen(memory) && memory.schema > SCHEMA',
    tests: record,
  },
  {
    guard: 'untrusted: of a session that was signed out nothing is kept',
    file: 'src/core/parse.ts',
    anchor: " || ended?.kind === 'signed-out'",
    replacement: '',
    tests: 'src/core/untrusted.test.ts',
  },
  {
    guard: 'one request of a process leads',
    file: rotation,
    anchor: 'if (leader === undefined) return lead(attempt);',
    replacement: 'return lead(attempt);',
  },
  { guard: 'the same holder', file: rotation, anchor: 'me.holder !== spent.holder', replacement: 'false' },
  { guard: 'the same request', file: rotation, anchor: 'me.request !== spent.request', replacement: 'false' },
  {
    guard: 'withoutKey conflict',
    file: rotation,
    anchor: "me.holder === null && withoutKey === 'conflict'",
    replacement: 'false',
  },
  {
    guard: 'the login has not moved on from an unrecorded answer',
    file: rotation,
    anchor: 'unrecorded.get(attempt.key)?.stop();',
    replacement: '',
  },
  {
    guard: 'an unrecorded answer stays in memory',
    file: rotation,
    anchor: 'if (further) void further.over.then(forget);\n      else forget();',
    replacement: 'forget();',
  },
  {
    guard: 'a claim is given back',
    file: rotation,
    anchor: 'if (!kept) await record',
    replacement: 'if (false) await record',
  },
  {
    guard: 'a client that is not authenticated is refused',
    file: rotation,
    anchor: "authenticated !== true && (typeof authenticated !== 'string' || authenticated === '')",
    replacement: 'false',
  },
  {
    guard: 'a claim is renewed',
    file: 'spending',
    anchor: 'renew().catch',
    replacement: 'Promise.resolve().catch',
  },
  { guard: 'a record is tried again', file: 'spending', anchor: 'void tryOften();', replacement: '' },
  {
    guard: 'an unrecorded answer ends with its window',
    file: 'spending',
    anchor: 'setTimeout(stop, forMs)',
    replacement: 'setTimeout(stop, 1e9)',
  },
  {
    guard: 'a call of the store is sent once more',
    file: 'store-call',
    anchor: 'return call();',
    replacement: 'throw new Error();',
  },
  {
    guard: 'a call of the store has a limit',
    file: 'store-call',
    anchor: 'Promise.race([twice(), late])',
    replacement: 'twice()',
  },
  {
    guard: 'a repeated parameter is refused',
    file: 'token-request',
    anchor: 'names.has(name) && !REPEATABLE.has(name)',
    replacement: 'false',
  },
  { guard: 'a long body is refused', file: 'body', anchor: 'bytes > limit', replacement: 'bytes > 1e6' },
  {
    guard: 'an introspection is no revocation',
    file: 'remedy',
    anchor: " && !('active' in (body ?? {}))",
    replacement: '',
  },
  {
    guard: 'a newer schema is refused',
    file: 'schema',
    anchor: 'if (found <= known) return;',
    replacement: 'return;',
    tests: 'sqlite-store',
  },
  {
    guard: 'only the direct predecessor is answered',
    file: 'sqlite-store',
    anchor: 'if (previous) db.run',
    replacement: 'if (false) db.run',
    tests: 'sqlite-store',
  },
  {
    guard: 'a settlement counts once',
    file: 'sqlite-store',
    anchor: 'if (settled) return',
    replacement: 'if (false) return',
    tests: 'sqlite-store',
  },
  {
    guard: 'the rows of a dead process are swept',
    file: 'sqlite-store',
    anchor: 'dueIn(spent.forget_at - now);',
    replacement: '',
    tests: 'sqlite-store',
  },
  {
    guard: 'an outdated version is refused',
    file: 'sqlite-store',
    anchor: 'known.outdated || claimed < version',
    replacement: 'false',
    tests: 'sqlite-store',
  },
  {
    guard: 'login: an answer belongs to the attempt that its state names',
    file: 'src/login/attempts.ts',
    anchor: "localStorage.getItem(PREFIX + state) ?? 'null'",
    replacement:
      "localStorage.getItem(PREFIX + state) ?? localStorage.getItem(Object.keys(localStorage).find((key) => key.startsWith(PREFIX)) ?? '') ?? 'null'",
    tests: login,
  },
  {
    guard: 'login: a state is good for one answer',
    file: 'src/login/attempts.ts',
    anchor: 'localStorage.removeItem(PREFIX + state);\n    return use(attempt);',
    replacement: 'return use(attempt);',
    tests: login,
  },
  {
    guard: 'login: a state is good for an hour',
    file: 'src/login/attempts.ts',
    anchor: 'Math.abs(Date.now() - attempt.at) < MAX_AGE_MS',
    replacement: 'true',
    tests: login,
  },
  {
    guard: "login: an ID token's nonce is that of the attempt",
    file: 'src/login/id-token.ts',
    anchor: 'nonce: nonce === expected.nonce,',
    replacement: '',
    tests: login,
  },
  {
    guard: 'login: an answer names this issuer, if any (RFC 9207)',
    file: 'src/login/code-exchange.ts',
    anchor: ': iss !== server.issuer',
    replacement: ': false',
    tests: login,
  },
  {
    guard: 'login: an answer names its issuer where the server promises to (RFC 9207)',
    file: 'src/login/code-exchange.ts',
    anchor: 'iss === null ? server.authorization_response_iss_parameter_supported :',
    replacement: 'iss === null ? false :',
    tests: login,
  },
  {
    guard: 'login: returnTo is on this origin',
    file: 'src/login/return-to.ts',
    anchor: 'protocol === here.protocol && host === here.host',
    replacement: 'true',
    tests: login,
  },
  {
    guard: 'login: returnTo is a path that names no other host',
    file: 'src/login/return-to.ts',
    anchor: "pathname.replace(/^\\/+/, '/')",
    replacement: 'pathname',
    tests: login,
  },
  {
    guard: 'login: only the user who was asked to steps up',
    file: 'src/login/create-login.ts',
    anchor: 'expected !== undefined && subject !== expected',
    replacement: 'false',
    tests: 'src/login/extensions.test.ts',
  },
  {
    guard: 'logout: the session here has ended before the page is left',
    file: 'src/login/create-login.ts',
    anchor: 'await coordinator.signOut();',
    replacement: 'void coordinator.signOut().catch(() => {});',
    tests: logout,
  },
  {
    guard: 'logout: the ID token is read before the session ends',
    file: 'src/login/create-login.ts',
    anchor: "if (idToken) url.searchParams.set('id_token_hint', idToken);",
    replacement:
      "const rest = coordinator.peekIdToken();\n      if (idToken && rest) url.searchParams.set('id_token_hint', rest);",
    tests: logout,
  },
  {
    guard: 'logout: the revocation leaves before the page does',
    file: 'src/login/create-login.ts',
    anchor: 'await new Promise((resolve) => setTimeout(resolve));',
    replacement: '',
    tests: logout,
  },
  {
    guard: 'logout: nothing ends at the provider that has not ended here',
    file: 'src/login/create-login.ts',
    anchor: 'await coordinator.signOut();',
    replacement: 'await coordinator.signOut().catch(() => {});',
    tests: logout,
  },
  {
    guard: 'idle: activity after the end does not bring the session back',
    file: 'src/browser/idle.ts',
    anchor: 'if (isOver() && isSignedIn()) return void settle().catch(() => {});',
    replacement: '',
    tests: idle,
  },
  {
    guard: 'idle: activity is written once a minute at most',
    file: 'src/browser/idle.ts',
    anchor: 'waitMs > 0 && waitMs <= pauseMs;',
    replacement: 'false;',
    tests: idle,
  },
  {
    guard: 'idle: of tabs that write at the same time one does',
    file: 'src/browser/idle.ts',
    anchor: 'void alone(async () => {',
    replacement: 'void (async (work: () => Promise<void>) => work())(async () => {',
    tests: idle,
  },
  {
    guard: 'idle: a tab with the lock waits before it reads',
    file: 'src/browser/idle.ts',
    anchor: 'await untilReadable();\n        save();',
    replacement: 'save();',
    tests: idle,
  },
  {
    guard: 'idle: a tab keeps the lock until others can read what it wrote',
    file: 'src/browser/idle.ts',
    anchor: 'arm();\n        await untilReadable();',
    replacement: 'arm();',
    tests: idle,
  },
  {
    guard: 'idle: a tab that could not write tries again before the end',
    file: 'src/browser/idle.ts',
    anchor: 'saveAt = now + Math.min(3 * READABLE_MS, pauseMs);',
    replacement: 'saveAt = now + pauseMs;',
    tests: idle,
  },
  {
    guard: 'idle: a tab that keeps the lock keeps nobody from writing',
    file: 'src/browser/idle.ts',
    anchor: 'isNews && (atOnce || refused)',
    replacement: 'isNews && atOnce',
    tests: idle,
  },
  {
    guard: 'idle: other tabs are asked before the session ends',
    file: 'src/browser/idle.ts',
    anchor: '// Other tabs may have seen the user since.\n    shared = read();',
    replacement: '',
    tests: idle,
  },
  {
    guard: 'boundary: a proof follows no redirect',
    file: 'src/fetch/send-authorized.ts',
    anchor: "const stays = isProven(headers) && request.redirect === 'follow';",
    replacement: 'const stays = false;',
    boundary: 'a DPoP request refuses a redirect; no proof follows',
  },
  {
    guard: 'boundary: a stored key that a script could carry off signs nothing',
    file: 'src/oauth/dpop/key-pair.ts',
    anchor: 'if (privateKey.extractable) {',
    replacement: 'if (false) {',
    boundary: 'a planted DPoP key signs nothing',
  },
  {
    guard: "boundary: a request is one session's",
    file: 'src/fetch/send-authorized.ts',
    anchor: "status !== 'signed-out' && coordinator.getSnapshot().sessionId === sessionId;",
    replacement: 'true;',
    boundary: 'a request does not leave after its session was signed out',
  },
  {
    guard: 'boundary: a header is read in linear time',
    file: 'src/fetch/challenge.ts',
    anchor: '|\\\\.)*"?|',
    replacement: '|\\\\.)*"|',
    boundary: 'a huge WWW-Authenticate does not block the page',
  },
  {
    guard: 'boundary: a record belongs to its server and client',
    file: 'src/core/record.ts',
    anchor: 'return one === undefined || other === undefined || one === other;',
    replacement: 'return true;',
    boundary: 'another configuration under one name neither sends nor ends',
  },
  {
    guard: 'boundary: a pair that is saved travels without its refresh token',
    file: 'src/core/commit.ts',
    anchor: "options.broadcast === 'access-token' &&",
    replacement: 'false &&',
    boundary: 'no refresh token is on the channel, however it is asked',
  },
];

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const chosen = mutants.filter(({ guard }) => guard.includes(values.only));
let survivors = 0;
for (const { guard, file, anchor, replacement, tests = rotation, boundary } of chosen) {
  const target = file.includes('/') ? file : `src/server/${file}.ts`;
  const suite = tests.includes('/') ? tests : `src/server/${tests}.test.ts`;
  const source = readFileSync(target, 'utf8');
  if (source.split(anchor).length !== 2) throw new Error(`${guard}: its anchor is not there exactly once`);
  const run = boundary
    ? ['tsx', 'tools/e2e.ts', 'e2e/boundaries.spec.ts', '--project=chromium', '--grep', boundary]
    : ['vitest', 'run', suite, '--bail', '1', '--testTimeout', '15000'];
  try {
    writeFileSync(
      target,
      source.replace(anchor, () => replacement),
    );
    const { status } = spawnSync('npx', run, { stdio: 'ignore', timeout: 180_000 });
    // Vitest and Playwright end with 1 if a test has failed. Everything else shows nothing.
    if (status !== 1) survivors++;
    console.log(`${status === 1 ? 'killed  ' : 'SURVIVED'} ${guard}`);
  } finally {
    writeFileSync(target, source);
  }
}
console.log(`${chosen.length - survivors} of ${chosen.length} mutants killed`);
process.exitCode = survivors > 0 || chosen.length === 0 ? 1 : 0;
