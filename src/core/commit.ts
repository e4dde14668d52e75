import { endAttempt } from './attempt-lock.js';
import { finish, letGo } from './flight.js';
import { access, adopt, emit, post, see } from './knowledge.js';
import type { SessionRecord } from './record.js';
import { audienceKey, isBoundAlike, isOpen, isUnanswered, next } from './record.js';
import { isSamePair, refreshTokensIn, toAccessToken, withPair, withSpare } from './pair.js';
import { endAfter } from './session-end.js';
import type { Attempt, Turn } from './state.js';
import type { Outcome } from './outcome.js';

type Answer = Extract<Outcome, { kind: 'tokens' }>;

/** When a write that failed is tried again, milliseconds. */
export const SAVE_AGAIN_MS = 1_000;

/**
 * The next thing that happens after a successful answer: one transaction, pair in, journal out. Durable, then one
 * broadcast, then the locks go, then callbacks. If the write fails, the broadcast comes first, and the locks stay for one
 * more try. The broadcast goes before the locks, or the next in the queue is granted them for nothing:
 *
 *     A  commit ─ pair ──╮ unlock ─╮
 *     B  queued ░░░░░░░░░╰▶ withdraws (not granted, and no attempt lock asked for)
 */
export function commit(t: Turn, attempt: Attempt, answer: Answer, again = false): void {
  const { tokens, refused } = answer;
  const { wall } = t.now;
  // Its life counts from the request, not from an answer that a freeze may have held up.
  const key = audienceKey(attempt);
  if (!refused) see(t, key, next(attempt.version), attempt.sent.mono);
  const change = (base: SessionRecord | undefined): SessionRecord | undefined =>
    withAnswer(base, attempt, answer, wall);
  access(t, change, (t, { won, failed, record }) => {
    // guard: ⚑ if the write of a pair fails: broadcast first, one more try
    const unsaved = failed && !again ? change(t.s.record) : undefined;
    if (unsaved) adopt(t, unsaved);
    const pair = won ? record : unsaved;
    if (pair && (refused || pair.accessTokens[key]?.token === tokens.access_token))
      announce(t, attempt, pair, !won, refused !== undefined);
    if (unsaved) return commit(t, attempt, answer, true);
    land(t, attempt, failed !== undefined);
    // After a first failure the second try may have served memory alone.
    if (failed || again) t.s.saveAt = t.now.mono + SAVE_AGAIN_MS;
    // Signed out or replaced meanwhile: nobody may use this pair. (Otherwise it is only a repetition of what is there.)
    else if (!won && (record?.sessionId !== attempt.sessionId || !isOpen(record))) {
      const { subject, version } = attempt;
      // guard: a pair that comes after the sign-out is revoked
      revoke(t, [tokens.refresh_token], { subject, version: next(version) }, record);
    }
  });
}

/**
 * Compares session and version, never term or attempt: the server has rotated, so whatever it gave counts, under
 * any leader, and the first answer of a version wins. A pair that comes too late for its version is kept as a spare:
 * of two pairs for one version nobody but the server knows which one lives.
 *
 *     A  attempt 1 ───────────── T ──────────────────────▶ pair P1: version moved on, spare
 *     B                            attempt 2 ──▶ pair P2: committed as version + 1
 *     C  version + 1: sends P2's refresh token ──▶ invalid_grant ──▶ P1 becomes version + 2
 */
function withAnswer(
  base: SessionRecord | undefined,
  attempt: Attempt,
  { tokens, refused }: Answer,
  at: number,
): SessionRecord | undefined {
  // guard: commit: never into another session
  // guard: commit: never into a session that was signed out
  // guard: ⚑ commit compares the version, never the term
  if (base?.sessionId !== attempt.sessionId || !isOpen(base)) return undefined;
  const accessToken = toAccessToken(tokens, next(base.version), attempt.sent.wall);
  const pair = {
    refreshToken: tokens.refresh_token ?? base.refreshToken,
    audience: audienceKey(attempt),
    accessToken: refused ? { ...accessToken, token: '', expiresAt: 0 } : accessToken,
  };
  // A late answer brings a lost session back; not one that only repeats what was lost (a server that forgives replays).
  const isNews = base.accessTokens[pair.audience]?.token !== tokens.access_token;
  // (Of a version whose successor has worked since, none is needed; and none twice, where a first write was reported as failed.)
  const proven = base.version > attempt.version + 1 && !base.spares;
  // Nor does it replace a pair that the server refused without a word, and that may live:
  //
  //     A  attempt of v2 ─ answer: v3 ─ cached ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ returns: v3, long spent
  //     B                               asks again: v3 ─ v4 ─ 400, three times: waits for a wake-up
  // guard: commit: a late answer replaces no later pair that may live
  // guard: commit: a late answer that repeats what was lost brings nothing back
  const isRevived = base.ended && isNews && !(proven && isUnanswered(base));
  // guard: commit: the first answer of a version wins
  if (base.version <= attempt.version || isRevived) {
    const renewed = { ...withPair(base, pair), end: endAfter(base, tokens, attempt.sent.wall) };
    if (!refused) return { ...renewed, idToken: tokens.id_token ?? base.idToken };
    // The server has rotated all the same: the old refresh token is not sent again, and the new one when a person asks for it. Of the
    // access tokens those that were there stay.
    const failure = { at, retryInMs: 0, unspent: true, fault: refused };
    const journal = { attempt: 0, by: attempt.by, term: base.term, at, doubts: 0, failures: 0, failure };
    return { ...renewed, accessTokens: base.accessTokens, journal };
  }
  // guard: no spare of a version whose successor has worked since
  // guard: ⚑ spare: a pair of a version already advanced is kept
  const richer = proven ? base : withSpare(base, pair);
  return richer === base ? undefined : richer;
}

/**
 * Revokes refresh tokens that nobody is to use any more. To some servers a token stands for all of its grant (RFC 7009 §2.1), and a second
 * sign-in of one user may be of the same grant: then it waits until the session that is `open` now is over. Of two subjects there are two
 * grants. Without subjects, a token that was never refreshed and is not the one in use is of another.
 */
export function revoke(
  t: Turn,
  tokens: readonly (string | undefined)[],
  of: Pick<SessionRecord, 'subject' | 'version'>,
  open?: SessionRecord,
): void {
  const keeper = isOpen(open) ? open : undefined;
  const isNamed = of.subject !== undefined && keeper?.subject !== undefined;
  const isOther = isNamed ? of.subject !== keeper.subject : of.version === 1 && keeper?.version === 1;
  const after = isOther ? undefined : keeper?.sessionId;
  const used = keeper ? refreshTokensIn(keeper) : [];
  for (const token of new Set(tokens)) {
    if (token !== undefined && !used.includes(token)) t.effects.push({ type: 'revoke', token, after });
  }
}

/** The attempt is over, and the flight that sent it, if it still flies. */
function land(t: Turn, attempt: Attempt, unsaved: boolean): void {
  const { s } = t;
  const flies = ({ s: { flight } }: Turn): boolean =>
    flight?.lockTag === attempt.tag && flight.phase === 'committing';
  const end = (t: Turn): void => {
    endAttempt(t, attempt);
    if (flies(t)) finish(t);
  };
  // guard: news that no store tells is heard before the locks go
  letGo(t, flies(t) && (unsaved || s.storage === 'memory'), end);
}

function announce(
  t: Turn,
  { attempt, sent }: Attempt,
  record: SessionRecord,
  unsaved: boolean,
  isRefused: boolean,
): void {
  const { version } = record;
  tell(t, 'pair', record, unsaved);
  const details = { version, attempt, durationMs: t.now.mono - sent.mono };
  if (isRefused) return emit(t, 'refresh-failed', { ...details, reason: 'answer_refused' });
  t.s.received = version;
  emit(t, 'refresh-succeeded', details);
}

/** The one broadcast of a refresh, of a sign-in or of an answer; it names leader and term as well. */
export function tell(
  t: Turn,
  type: 'pair' | 'session-started' | 'signed-out',
  { spares: _, withheld: wasWithheld, ...record }: SessionRecord,
  unsaved: boolean,
): void {
  const { storage, options, saved } = t.s;
  // (The end of a foreign session that the store has lost, say.)
  // guard: binding: of a session of another binding nothing is told
  if (!isBoundAlike(record.binding, options.binding)) return;
  // A pair that no store keeps has to travel whole, or it is lost with its sender. No caller and no option changes that.
  // guard: a record that no store keeps travels whole
  // guard: broadcast access-token: nor is it told by a tab whose store has failed since
  // guard: broadcast access-token: a tab that asks is not told the refresh token
  // guard: ⚑ broadcast access-token: the refresh token stays off the channel
  // guard: boundary: a pair that is saved travels without its refresh token
  const isHidden =
    options.broadcast === 'access-token' && record.refreshToken !== undefined && isSamePair(saved, record);
  const withheld = wasWithheld || isHidden;
  const shown = isHidden ? { ...record, refreshToken: undefined } : record;
  post(t, { type, record: shown, unsaved: !withheld && (unsaved || storage === 'memory'), withheld });
}
