// Of two records of the session, the one that counts.
import { withSpare, isSamePair } from './pair.js';
import { isForeign, isOpen, isOver, SCHEMA, type SessionRecord } from './record.js';

/**
 * The record that counts, of the store's and a participant's own. Of a foreign session, and of one that this version of the package may not
 * write, memory knows nothing that the store does not; and no sign-out of ours ends a foreign one.
 */
export function current(
  stored: SessionRecord | undefined,
  memory: SessionRecord | undefined,
): SessionRecord | undefined {
  // Held in memory alone, a forged record of a later version, or one without its refresh token, would outlast every sign-in:
  //
  //     A (no store)  hears a forged session of 2090, withheld ─ (store back) reads the sign-in: follows it
  //     B                                    signs in ─ writes ╯
  const isUnstored = memory?.withheld && memory.sessionId !== stored?.sessionId;
  // guard: untrusted: a withheld session that the store does not have gives way
  const isUnwritable = isOpen(memory) && (isUnstored || memory.schema > SCHEMA);
  if (isForeign(memory) || isUnwritable) return stored ?? memory;
  // guard: binding: a sign-out ends no session of another binding
  return memory && isForeign(stored) && isOver(memory) ? stored : newer(stored, memory);
}

/**
 * The newer of two records, `stored` where neither is: a later session, then a sign-out, then a version, then an
 * attempt by its number and its time, then a term, then, for tabs without a common store that won the same term, one of two leaders and pairs.
 * Every tab that joins the same records ends with the same one, whatever the order (a store that lost or rolled back a
 * write is healed by the next one).
 */
export function newer(
  stored: SessionRecord | undefined,
  mine: SessionRecord | undefined,
): SessionRecord | undefined {
  if (!mine || !stored) return stored ?? mine;
  const later = (a = '', b = ''): number => Number(a > b) - Number(a < b);
  const isSame = mine.sessionId === stored.sessionId;
  // guard: of two records of one session a sign-out counts
  // guard: of two records the higher version counts
  const apart =
    (!isSame && (mine.startedAt - stored.startedAt || later(mine.sessionId, stored.sessionId))) ||
    Number(isOver(mine)) - Number(isOver(stored)) ||
    mine.version - stored.version;
  // Of one pair, what was told without its refresh token is completed; of two pairs, it gives way.
  const missing = Number(!!stored.withheld) - Number(!!mine.withheld);
  // guard: of two records of one version the later attempt counts, not the term
  const ahead =
    apart ||
    (missing && !isSamePair(mine, stored) && missing) ||
    // To forget that a token was sent is worse than to forget who leads: terms grow also where a journal was never heard of.
    (mine.journal?.attempt ?? 0) - (stored.journal?.attempt ?? 0) ||
    // Of two attempts of one number, since a store was wiped in between, the later one may be under way.
    //
    //     store  {attempt 1 of A} ─ wiped ─ {} ─ {attempt 1 of B} ─ claimed by C: B's, not A's
    //     A      sends ─ frozen, resigns: term 9
    //     B                                      sends ──────────────────────────────────────▶
    //     C      hears of term 9                                      claims
    // guard: of two attempts of one number the later one counts, not the term
    (mine.journal?.at ?? 0) - (stored.journal?.at ?? 0) ||
    mine.term - stored.term ||
    // Two of the same millisecond: one that has failed is not under way.
    // guard: of two attempts of one moment the one that may be under way counts
    Number(!!stored.journal?.failure) - Number(!!mine.journal?.failure) ||
    later(mine.leader, stored.leader) ||
    later(mine.refreshToken, stored.refreshToken);
  const [winner, other] = ahead > 0 ? [mine, stored] : [stored, mine];
  // A session began once: a later start of it is a forgery, that the next sign-in would not get over in who believes it.
  const begun =
    isSame && other.startedAt < winner.startedAt ? { ...winner, startedAt: other.startedAt } : winner;
  // News of a later term says nothing about the end: to forget that it was announced is to announce it again.
  const { end } = other;
  const isNews = isSame && end?.said && end.at === begun.end?.at && !begun.end.said;
  // guard: end: a later term makes nobody forget that it was announced
  const known = isNews ? { ...begun, end } : begun;
  // The losing pair may live all the same: of two pairs of one version it becomes a spare. (Its own spares, which are never told, too:
  // a tab that has only heard of a later term must not make the store forget them.)
  //
  //     A  pair P1: its write fails ░░░░░░░░░░░░░░░░░░░░░░░░ hears "term 9, of B" ─ writes again
  //     B                            attempt 2 ─ pair P2: stored ─ elected: term 9
  //     store                                                                     P1 or P2, and the other one
  // guard: a session that was signed out has no spares
  if (apart || !isOpen(known)) return known;
  const { refreshToken, spares = [] } = other;
  // guard: a pair that was heard without its refresh token is completed by the tab that has it
  const whole = known.withheld && !other.withheld ? { ...known, refreshToken, withheld: undefined } : known;
  const { '': token } = other.accessTokens;
  // Its access token was in use: it may be the one that a caller has just refused.
  // guard: the access token of a pair that lost is not handed out again
  const pairs =
    token && !other.withheld ? [{ refreshToken, audience: '', accessToken: { ...token, expiresAt: 0 } }] : [];
  // guard: of two pairs of one version the one that loses is kept as a spare
  // guard: a spare is not forgotten by a tab that has only heard of a later term
  const joined = [...pairs, ...spares].reduce(withSpare, whole);
  // The tab that called it lost had not heard of them all.
  // guard: a session with a spare has not ended
  return joined.ended && joined.spares?.[0] ? { ...joined, ended: undefined } : joined;
}
