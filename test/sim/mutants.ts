import type { Patch } from '../../tools/sim-jobs.js';

/**
 * The guards of the protocol, each with the patch that switches it off. The simulator has to find a violation within
 * `within` schedules; a guard that no schedule shows to be needed is removed or explained. ⚑ marks the rules of the
 * protocol that were found by leaving them out.
 */
export interface Mutant extends Patch {
  readonly guard: string;
  readonly within: number;
  readonly profile?: 'no-faults' | 'faults' | 'everything';
}

const refresh = 'src/core/refresh.ts';
const flight = 'src/core/flight.ts';
const commit = 'src/core/commit.ts';
const reconcile = 'src/core/reconcile.ts';
const machine = 'src/core/machine.ts';
const session = 'src/core/session.ts';
const record = 'src/core/record.ts';
const answer = 'src/core/answer.ts';

export const mutants: readonly Mutant[] = [
  {
    guard: 'compare before spend: the journal is written only on the state that the decision was made on',
    file: refresh,
    anchor: 'base && !base.ended && fingerprint(base) === basis',
    replacement: 'base && !base.ended',
    within: 2_000,
  },
  {
    guard: 'journal: who finds one waits for its sender',
    file: refresh,
    anchor: 'locks ? 2 * refreshTimeoutMs - waited : lease',
    replacement: '0 * waited * lease',
    within: 5_000,
  },
  {
    guard: '⚑ claim before steal: one silent tab causes one steal',
    file: flight,
    anchor: 'base && fingerprint(base) === seen',
    replacement: 'base',
    within: 10_000,
  },
  {
    guard: 'a claim that comes back after the lock was granted steals nothing',
    file: flight,
    anchor: `      // Granted meanwhile, after all.
      if (turn.s.flight!.phase !== 'claiming') return;`,
    replacement: '',
    within: 20_000,
  },
  {
    guard: '⚑ attempt lock: held from before the journal until the answer',
    file: flight,
    anchor: "lock(t, attemptLock(s.record!), 'wait', whileFlying(t, granted))",
    replacement: "lock(t, `${attemptLock(s.record!)}#${s.me}`, 'wait', whileFlying(t, granted))",
    within: 5_000,
  },
  {
    guard: 'attempt lock: taken again by a page that returns before its answer',
    file: machine,
    anchor: 's.attempts.forEach((attempt) => retakeAttemptLock(t, attempt));',
    replacement: '',
    within: 5_000,
  },
  {
    guard: 'attempt lock: a page that returns while another sends waits for it behind that one',
    file: flight,
    anchor: "name, mode: 'wait', then",
    replacement: "name, mode: 'try', then",
    within: 50_000,
  },
  {
    guard: "a journal's age is counted on the tab's own monotonic clock",
    file: refresh,
    anchor: 'journal ? now.mono - s.journalSeen : refreshTimeoutMs',
    replacement: 'journal ? now.wall - journal.at : refreshTimeoutMs',
    within: 10_000,
  },
  {
    guard: '⚑ check before send: not when more than T/2 has passed since the journal was built',
    file: refresh,
    anchor: ' <= options.refreshTimeoutMs / 2;',
    replacement: ' < Infinity;',
    within: 5_000,
  },
  {
    guard: '⚑ check before send: not when memory holds something newer',
    file: refresh,
    anchor: 'journal?.by === mine.by && journal.term === mine.term && !ended && inTime(s, built, now)',
    replacement: '(journal || !ended || mine) && inTime(s, built, now)',
    within: 10_000,
  },
  {
    guard: '⚑ check before send: not when the lock was lost',
    file: refresh,
    anchor: 'const flying = turn.s.flight?.tag === tag;',
    replacement: 'const flying = turn.s.flight !== undefined || tag < 0;',
    within: 10_000,
  },
  {
    guard: 'after the attempt lock was granted: is everything as it was when it was asked for?',
    file: refresh,
    anchor: 'if (!audience || fingerprint(turn.s.record!) !== basis) return finish(turn);',
    replacement: 'if (!audience || basis === "") return finish(turn);',
    within: 5_000,
  },
  {
    guard: '⚑ in doubt, a retry keeps the audience of the attempt that the server may replay',
    file: refresh,
    anchor: 'doubts > 0 ? previous! : audience',
    replacement: 'audience',
    within: 5_000,
  },
  {
    guard: '⚑ lease rule: without locks a foreign journal is waited for',
    file: refresh,
    anchor: 'journal && !journal.failure ? refreshTimeoutMs - waited : 0;',
    replacement: '0;',
    within: 2_000,
  },
  {
    guard: '⚑ commit compares the version, never the term',
    file: commit,
    anchor: 'if (base?.sessionId !== attempt.sessionId || !isOpen(base)) return undefined;',
    replacement:
      'if (base?.sessionId !== attempt.sessionId || !isOpen(base) || base.term !== attempt.term) return undefined;',
    within: 2_000,
  },
  {
    guard: 'commit: the first answer of a version wins',
    file: commit,
    anchor: 'if (base.version > attempt.version && !base.ended) {',
    replacement: 'if (base.version < 0) {',
    within: 10_000,
  },
  {
    guard: '⚑ spare: a pair of a version already advanced is kept',
    file: commit,
    anchor: '{ ...base, spares: [...(base.spares ?? []), { refreshToken, audience, accessToken }] }',
    replacement: 'undefined',
    within: 20_000,
  },
  {
    guard: 'commit: never into a session that was signed out',
    file: commit,
    anchor: '|| !isOpen(base)) return undefined;\n  const audience',
    replacement: ') return undefined;\n  const audience',
    within: 10_000,
  },
  {
    guard: 'commit: never into another session',
    file: commit,
    anchor: 'if (base?.sessionId !== attempt.sessionId || !isOpen(base))',
    replacement: 'if (!isOpen(base))',
    within: 10_000,
  },
  {
    guard: '⚑ reauth-required is revisable: a late pair brings the session back',
    file: commit,
    anchor: '    spares: undefined,\n    ended: undefined,',
    replacement: '    spares: undefined,',
    within: 10_000,
  },
  {
    guard: '⚑ if the write of a pair fails: broadcast first, one more try',
    file: commit,
    anchor: 'failed && !again ? change(turn.s.record) : undefined',
    replacement: 'failed && again && !failed ? change(turn.s.record) : undefined',
    within: 5_000,
  },
  {
    guard: 'a pair that comes after the sign-out is revoked',
    file: commit,
    anchor: "turn.effects.push({ type: 'revoke', token: tokens.refresh_token });",
    replacement: '',
    within: 5_000,
  },
  {
    guard: '⚑ broadcast access-token: the refresh token stays off the channel',
    file: commit,
    anchor: "!memory && !unsaved && options.broadcast === 'access-token'",
    replacement: "!memory && !unsaved && options.broadcast === ('' as string)",
    within: 200,
  },
  {
    guard: '⚑ after invalid_grant: another attempt that may still be answered is waited for',
    file: reconcile,
    anchor: 'others ? reconcileMs(s) : 0',
    replacement: 'others && attempt.tag < 0 ? reconcileMs(s) : 0',
    within: 20_000,
  },
  {
    guard: 'a session ends only at the version that was refused',
    file: reconcile,
    anchor: 'base.version !== attempt.version || ',
    replacement: '',
    within: 20_000,
  },
  {
    guard: '⚑ after invalid_grant: a spare becomes the pair',
    file: reconcile,
    anchor: 'if (spare) {',
    replacement: 'if (spare && term < 0) {',
    within: 20_000,
  },
  {
    guard: '⚑ backoff shared through the journal, and kept on the own clock of who hears of it',
    file: 'src/core/knowledge.ts',
    anchor: 'const rest = hearsay ? retryInMs : Math.max(',
    replacement: 'const rest = hearsay ? 0 : Math.max(',
    within: 5_000,
  },
  {
    guard: 'a failure pauses everybody',
    file: answer,
    anchor: 'journal: { ...base.journal, failures: base.journal.failures + 1, failure },',
    replacement: 'journal: { ...base.journal, failures: base.journal.failures + 1 },',
    within: 5_000,
  },
  {
    guard: 'withdraw on freeze: no place in a queue is kept',
    file: machine,
    anchor: '      finish(t);\n      if (s.active) resign(t);',
    replacement: '      if (s.active) resign(t);',
    within: 2_000,
  },
  {
    guard: 'a page that leaves lets its attempt locks go',
    file: machine,
    anchor: 's.attempts.forEach((attempt) => releaseAttemptLock(t, attempt));',
    replacement: '',
    within: 2_000,
  },
  {
    guard: 'an unread store is not an empty one',
    file: machine,
    anchor: "if (s.storage !== 'memory') return load(turn);",
    replacement: "if (s.storage !== 'memory') return void (s.loaded = true);",
    within: 5_000,
  },
  {
    guard: 'a tab in memory mode goes back to the store',
    file: machine,
    anchor: 's.saveAt ??= now.mono + saveAgainMs(s);',
    replacement: '',
    within: 20_000,
  },
  {
    guard: 'per-resource version: done means that this very token was renewed',
    file: 'src/core/calls.ts',
    anchor: 'version: tokenOf(s, caller.key)?.version ?? 0 };',
    replacement: 'version: -1 };',
    within: 200,
    profile: 'no-faults',
  },
  {
    guard: 'a caller keeps to the session it asked under',
    file: 'src/core/calls.ts',
    anchor: 'if (!isOpen(record) || caller.sessionId !== record.sessionId)',
    replacement: 'if (!isOpen(record))',
    within: 5_000,
  },
  {
    guard: 'sign-out ends only the session that it saw',
    file: session,
    anchor: '(base?.sessionId === sessionId ? tombstone(base) : undefined)',
    replacement: '(base ? tombstone(base) : undefined)',
    within: 20_000,
  },
  {
    guard: 'sign-out is final in this tab before the store answers',
    file: session,
    anchor: '  adopt(t, grave);\n',
    replacement: '',
    within: 10_000,
  },
  {
    guard: 'ifSignedOut: only the first of several tabs wins',
    file: session,
    anchor: '(ifSignedOut && isOpen(base) && !base.ended)',
    replacement: 'ifSignedOut === undefined',
    within: 2_000,
  },
  {
    guard: 'a sign-in that was written but reported as failed is not written again',
    file: session,
    anchor: 'base?.sessionId === sessionId || (ifSignedOut',
    replacement: '(ifSignedOut',
    within: 20_000,
  },
  {
    guard: 'of two records the higher version counts',
    file: record,
    anchor: '    mine.version - stored.version ||\n',
    replacement: '',
    within: 5_000,
  },
  {
    guard: 'of two records of one session a sign-out counts',
    file: record,
    anchor: 'if (!isOpen(mine) || !isOpen(stored)) return isOpen(stored) ? mine : stored;',
    replacement: '',
    within: 5_000,
  },
  {
    guard: 'of two records of one version the later attempt counts, not the term',
    file: record,
    anchor: '    (mine.journal?.attempt ?? 0) - (stored.journal?.attempt ?? 0) ||\n',
    replacement: '',
    within: 50_000,
  },
  {
    guard: 'nobody refreshes ahead of expiry what it has just seen come',
    file: 'src/core/knowledge.ts',
    anchor: '        s.advancedAt + life / 2 - now.mono,\n',
    replacement: '',
    within: 50_000,
  },
  {
    guard: 'a frozen page keeps no takeover lock',
    file: flight,
    anchor: "      hold(turn, 'claiming', { attempt: tag });\n",
    replacement: '',
    within: 50_000,
  },
  {
    guard: 'what no store keeps travels whole',
    file: commit,
    anchor: "!memory && !unsaved && options.broadcast === 'access-token'",
    replacement: "!memory && options.broadcast === 'access-token'",
    within: 5_000,
  },
  {
    guard: 'a delegation ends with its time',
    file: machine,
    anchor: 'if (s.delegated && s.delegated <= now.mono) s.delegated = undefined;',
    replacement: '',
    within: 20_000,
  },
  {
    guard: 'who holds a newer version speaks up when the session is called lost',
    file: 'src/core/messages.ts',
    anchor: "} else if (type === 'reauth-required' && isOpen(record)) {",
    replacement: "} else if (type === 'reauth-required' && !record) {",
    within: 50_000,
  },
  {
    guard: 'the store is asked before a caller is told that nobody is signed in',
    file: 'src/core/calls.ts',
    anchor: 'const unread = s.loaded && !isOpen(s.record);',
    replacement: 'const unread = false;',
    within: 10_000,
  },
  {
    guard: 'a store that cannot be read is asked again before a caller hears that nobody is signed in',
    file: 'src/core/calls.ts',
    anchor: 'if (failed) return readFor(turn, id);',
    replacement: 'void [failed, readFor];',
    within: 40_000,
  },
  {
    guard: 'what no store tells is heard before the locks go',
    file: commit,
    anchor: 'if (said && flies(t))',
    replacement: 'if (said && !flies(t))',
    within: 20_000,
  },
  {
    guard: 'a sign-in whose write was reported as failed is not repeated when it was heard of',
    file: session,
    anchor: 'if (failed && !begun)',
    replacement: 'if (failed)',
    within: 50_000,
  },
  {
    guard: 'no election once a leader is known, be it of the same term',
    file: 'src/core/knowledge.ts',
    anchor: '    s.elect = undefined;\n',
    replacement: '',
    within: 50_000,
  },
  {
    guard: 'no spare of a version whose successor has worked since',
    file: commit,
    anchor: 'proven || refreshToken',
    replacement: '(proven && !base) || refreshToken',
    within: 50_000,
  },
  {
    guard: 'whoever has a request under way says so, whether its store works or not',
    file: 'src/core/delegation.ts',
    anchor: " && s.flight?.phase !== 'sending'",
    replacement: '',
    within: 50_000,
  },
  {
    guard: 'a call made while this tab signs in waits for it',
    file: 'src/core/calls.ts',
    anchor: 's.loaded && (s.signingIn === 0 || isOpen(s.record))',
    replacement: 's.loaded',
    within: 50_000,
  },
  {
    guard: 'two journals of one term, by a tab with a store and by one without, are two',
    file: 'src/core/knowledge.ts',
    anchor: ' || before.journal?.by !== by',
    replacement: '',
    within: 100_000,
  },
  {
    guard: 'a claim of the same term, by a tab that missed a resignation, is a sign of life',
    file: record,
    anchor: 'version, term, leader, journal?.attempt',
    replacement: 'version, term, void leader, journal?.attempt',
    within: 100_000,
  },
  {
    guard: 'without a store that can be read for now, nobody is told that nobody is signed in',
    file: 'src/core/calls.ts',
    anchor: "if (!record && s.unread) return { error: fault('ERR_STORAGE') };",
    replacement: '',
    within: 20_000,
  },
];

/** Three that `npm test` tries each time: if the simulator goes blind, it shows there. */
export const canary: readonly string[] = [
  'compare before spend: the journal is written only on the state that the decision was made on',
  '⚑ lease rule: without locks a foreign journal is waited for',
  '⚑ commit compares the version, never the term',
];
