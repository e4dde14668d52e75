// The result of a round, by the server's log above all: no tab is believed about what was spent.
import type { TokenRequestEntry } from '../../demo/server/token-endpoint-log.js';
import type { Mode } from './plan.js';
import type { Evidence } from './round.js';
import type { Note, ServerKind } from './world.js';

export interface Verdict {
  round: number;
  what: string;
  tabs: number;
  moment: string;
  /** Each fault with whom it struck and the proof that it did. */
  struck: string[];
  missed: string[];
  /** The state of each remaining tab at the end. */
  ends: string[];
  /** Refresh requests as the server saw them: sender, token, decision and answer. */
  requests: string[];
  /** Refresh tokens of which the authorization server was asked more than once. */
  spentTwice: number;
  /** Sessions that the server ended since it took somebody for a thief. */
  revoked: number;
  /** Requests that a page sent although there is a worker. */
  byPages: number;
  /** The reason that users were given. */
  lost?: string;
  /** Why no client could have kept it. */
  because?: string;
  /** The longest time from needing a token to having one, milliseconds. */
  withoutToken: number;
  calls: number;
  violations: string[];
  /** The evidence, where something was violated. */
  notes?: readonly Note[];
  ms: number;
}

/** Kinds that stop a participant for good, or for a while. */
const STOPS = ['close', 'reload', 'navigate', 'freeze', 'kill', 'worker-stopped', 'worker-killed'];
/** Timers of a hidden tab come once a second. */
const SLACK_MS = 1_100;

export function judge(evidence: Evidence, mode: Mode, server: ServerKind, refreshTimeoutMs: number): Verdict {
  const { plan, struck, missed, entries, notes, reports, ends, survivors, locks, complaints } = evidence;
  const violations: string[] = [];
  const kinds = new Set<string>(struck.map(({ kind }) => kind));
  const stopped = new Set(struck.filter(({ kind }) => STOPS.includes(kind)).flatMap(({ who }) => who));
  const isStopped = (entry: TokenRequestEntry): boolean => stopped.has(entry.debug['x_tab'] ?? '');
  const storeSuffered = kinds.has('store-cleared') || kinds.has('store-fails');

  // I1: a refresh token is sent again only while it is in doubt.
  const refreshes = entries.filter(({ grantType }) => grantType === 'refresh_token');
  const byToken = groupBy(refreshes, ({ spent }) => spent);
  let spentTwice = 0;
  for (const requests of byToken.values()) {
    const decided = requests.filter(
      (one) => one.decided !== undefined && one.replayed !== true && !one.faults.includes('delivered again'),
    );
    if (decided.length > 1 && server !== 'dpop') spentTwice++;
    for (const [n, again] of requests.entries()) {
      const before = requests[n - 1];
      if (before === undefined || storeSuffered || isOvertime(missed)) continue;
      if (again.faults.includes('delivered again')) continue;
      const isIn = (entry: TokenRequestEntry): boolean =>
        delivered(entry) && entry.answeredAt! < again.receivedAt;
      // Delivered again: nobody heard the answer if the connection it belongs to was reset.
      const isMute = before.faults.includes('delivered again') && requests[n - 2]?.sent === 'reset';
      if (isIn(before) && !isMute && !isStopped(before) && server !== 'dpop')
        violations.push(`I1: request ${again.id} repeats ${before.id}, which was answered`);
      // Twice its deadline, counted from when it was sent, which was before it arrived.
      const overdue = again.receivedAt - before.receivedAt >= 2 * refreshTimeoutMs - SLACK_MS;
      if (before.answeredAt === undefined && before.sent === undefined && !isStopped(before) && !overdue)
        violations.push(`I1: request ${again.id} repeats ${before.id}, which was on its way`);
    }
  }
  // One need, one new pair; a clock that jumped makes tokens look old, and a new session may be refreshed as well.
  const pairs = refreshes.filter(({ decided, replayed }) => decided?.status === 200 && !replayed).length;
  const mayRepeat = ['clock', 'sign-in', 'store-cleared', 'store-fails'].some((kind) => kinds.has(kind));
  if (pairs > 1 && byToken.size > 1 && !mayRepeat)
    violations.push(`I1: ${pairs} new pairs where one was needed`);
  if (
    mode === 'worker' &&
    plan.strikes.every(({ kind }) => isDeathOfTab(kind)) &&
    !plan.wire &&
    !isOvertime(missed) &&
    spentTwice > 0
  )
    violations.push('a refresh token was spent twice');

  // I2, I6: a session is lost only if an answer reached nobody, for its true reason, and it is said once.
  const announced = notes.filter(({ what }) => what === 'reauth-required');
  const isLost = reports.some(({ snapshot }) => snapshot.status === 'reauth-required');
  // The answer was with a page that stood still: when it wakes, the session is back.
  const wasLost = [...survivors, ...ends].includes('ERR_REAUTH_REQUIRED');
  const lost = announced[0]?.reason ?? (isLost ? 'not announced' : wasLost ? 'taken back' : undefined);
  const because = lost === undefined ? undefined : excuse(evidence, refreshes, isStopped, server);
  if (lost !== undefined && because === undefined) violations.push(`I2: the session was lost (${lost})`);
  if (lost === 'not announced') violations.push('I6: nobody was told to sign in again');
  if (lost === 'refresh_rejected' && because === 'answer reached nobody')
    violations.push('I6: said refresh_rejected for a lost response');
  for (const [of, words] of groupBy(announced, ({ sessionId, version }) => `${sessionId}.${version}`)) {
    const gone = words.filter(({ by }) => stopped.has(by)).length;
    if (words.length > 1 + gone) violations.push(`I6: the loss of ${of} was announced ${words.length} times`);
  }

  // I3: every call settles within its limit.
  for (const { tab, calls } of reports) {
    for (const { ms, limitMs, rangMs, stoodStill } of calls) {
      if (ms === undefined) violations.push(`I3: a call in ${tab} never settled`);
      // By the clock that the page has: one whose own timer was not called either cannot do better.
      else if (!stoodStill && ms > (rangMs ?? Infinity) + SLACK_MS)
        violations.push(`I3: a call in ${tab} took ${Math.round(ms)} ms of ${limitMs}`);
    }
  }

  // I4, I5: a token goes to whoever it was asked for.
  const calls = reports.flatMap((report) => report.calls);
  for (const { subject, given } of calls) {
    if (given !== undefined && given !== subject && subject !== undefined)
      violations.push(`I5: a call for ${subject} was given a token of ${given}`);
  }

  // I7, and what they all end with.
  const signedOut = kinds.has('sign-out');
  const wiped = kinds.has('store-cleared') && stopped.size > 0;
  const allowed = [
    'token',
    ...(lost ? ['ERR_REAUTH_REQUIRED'] : []),
    ...(signedOut || wiped ? ['ERR_SIGNED_OUT'] : []),
  ];
  // A tab that asked before it heard of the sign-in asked for somebody else.
  const early = kinds.has('sign-in') ? [...allowed, 'ERR_SIGNED_OUT'] : allowed;
  const astray = [
    ...ends.filter((end) => !allowed.includes(end)),
    ...survivors.filter((end) => !early.includes(end)),
  ];
  for (const end of astray) if (end !== 'gone') violations.push(`I7: a tab ended with ${end}`);
  const positions = new Set(
    reports.map(({ snapshot }) => `${snapshot.status} ${snapshot.sessionId} ${snapshot.version}`),
  );
  if (positions.size > 1) violations.push(`I2: the tabs differ: ${[...positions].join('; ')}`);
  const [one] = reports;
  // A store that was cleared is filled by the next write.
  const isKept = one?.snapshot.status === 'signed-in' && one.snapshot.storage === 'indexeddb';
  if (isKept && !kinds.has('store-cleared')) {
    const { stored, snapshot } = one;
    if (stored?.version !== snapshot.version || stored.sessionId !== snapshot.sessionId)
      violations.push(`I2: the store has version ${stored?.version}, the tabs ${snapshot.version}`);
    const isDead = refreshes.some(
      ({ spent, decided, replayed }) =>
        spent === stored?.refreshToken && decided?.status === 200 && replayed !== true,
    );
    if (isDead && server !== 'dpop') violations.push('I2: the refresh token in the store is spent');
  }
  if (locks.length > 0) violations.push(`I9: at rest these locks are held: ${locks.join(', ')}`);
  for (const complaint of complaints) violations.push(`uncaught: ${complaint}`);

  return {
    round: plan.round,
    what: [
      ...plan.strikes.map(({ kind, victim }) => `${kind} ${victim}`),
      ...(plan.wire ? [plan.wire] : []),
    ].join(' + '),
    tabs: plan.tabs,
    moment: plan.strikes.length > 0 ? plan.moment : '',
    struck: struck.map(({ kind, who, proof }) => `${kind} ${who.join(' ')}: ${proof}`),
    missed,
    ends: reports.map(({ tab, snapshot }, n) => {
      const { status, version, role, storage } = snapshot;
      return `${tab}: ${ends[n]}, ${status}, version ${version}, ${role}, ${storage}`;
    }),
    requests: describe(refreshes),
    spentTwice,
    revoked: refreshes.some(({ decided }) => decided?.error === 'invalid_grant') ? 1 : 0,
    byPages: mode === 'worker' ? refreshes.filter(({ debug }) => debug['x_tab'] !== 'worker').length : 0,
    ...(lost !== undefined && { lost }),
    ...(because !== undefined && { because }),
    withoutToken: Math.round(Math.max(0, ...reports.flatMap(({ waits }) => waits))),
    calls: calls.length,
    violations,
    ...(violations.length > 0 && { notes }),
    ms: evidence.ms,
  };
}

function describe(refreshes: readonly TokenRequestEntry[]): string[] {
  const tokens = [...new Set(refreshes.map(({ spent }) => spent))];
  const startedAt = refreshes[0]?.receivedAt ?? 0;
  return refreshes.map(({ receivedAt, debug, spent, decided, sent, replayed, faults }) => {
    const answer = typeof sent === 'object' ? sent.status : sent;
    const verdict = replayed ? 'replayed' : decided ? (decided.error ?? decided.status) : 'not decided';
    const [at, by, token] = [receivedAt - startedAt, debug['x_tab'], tokens.indexOf(spent) + 1];
    return `+${at} ms ${by}, token ${token}: ${verdict}, answer: ${answer}${faults.map((one) => `, ${one}`).join('')}`;
  });
}

/** The machine was too slow for what was planned. */
function isOvertime(missed: readonly string[]): boolean {
  return missed.some((one) => one.startsWith('it stood still'));
}

function isDeathOfTab(kind: string): boolean {
  return STOPS.includes(kind) && !kind.startsWith('worker');
}

/** Whether the client was sent a pair. */
function delivered({ sent }: TokenRequestEntry): boolean {
  return typeof sent === 'object' && sent.status === 200;
}

/** Why no client could have kept the session; `undefined` if one could. */
function excuse(
  { struck, missed }: Evidence,
  refreshes: readonly TokenRequestEntry[],
  isStopped: (entry: TokenRequestEntry) => boolean,
  server: ServerKind,
): string | undefined {
  const has = (kind: string): boolean => struck.some((one) => one.kind === kind);
  if (has('store-cleared')) return server === 'dpop' ? 'the key was deleted' : 'the store was cleared';
  if (server !== 'strict') return undefined;
  if (isOvertime(missed)) return 'the answer took longer than its deadline';
  if (has('duplicate')) return 'a request was delivered twice';
  const reachedNobody = refreshes.some(
    (entry) => entry.decided?.status === 200 && (!delivered(entry) || isStopped(entry)),
  );
  return reachedNobody ? 'answer reached nobody' : undefined;
}

function groupBy<Key, Value>(values: readonly Value[], keyOf: (value: Value) => Key): Map<Key, Value[]> {
  const groups = new Map<Key, Value[]>();
  for (const value of values) {
    const key = keyOf(value);
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return groups;
}
