import { fault, unreadFault } from './calls.js';
import { revoke, SAVE_AGAIN_MS, tell } from './commit.js';
import { access, adopt } from './knowledge.js';
import type { SessionRecord } from './record.js';
import { isOpen, next, SCHEMA, tombstone } from './record.js';
import { refreshTokensIn, toAccessToken } from './pair.js';
import { firstEnd } from './session-end.js';
import type { Event, Turn } from './state.js';

/**
 * Begins a session, replacing any other. The tab where the user just signed in leads it. A write may work and be reported as
 * failed; by then others may have gone on:
 *
 *     A  writes f1 ✓ ······ hangs ················ failed: tries again, and finds f2, which began later: f1 is over
 *     B           refreshes f1    signs in: f2 ✓
 */
export function beginSession(
  t: Turn,
  event: Extract<Event, { type: 'session' }>,
  tried: number = Infinity,
  earlier?: SessionRecord,
): void {
  const { id, tokens, sessionId, subject, endsAt, ifSignedOut, at } = event;
  const { me } = t.s;
  const { binding } = t.s.options;
  let startedAt = tried;
  let replaced = earlier;
  access(
    t,
    (base) => {
      // Its own it may be, written by a try that was reported as failed; or one that has replaced that since.
      // guard: a sign-in that was written but reported as failed is not written over one that came after it
      // guard: a sign-in that was written but reported as failed is not written again
      if (base?.sessionId === sessionId || (base && base.startedAt > tried)) return undefined;
      // guard: ifSignedOut: only the first of several tabs wins
      if (ifSignedOut && isOpen(base) && !base.ended) return undefined;
      startedAt = Math.max(at, (base?.startedAt ?? 0) + 1);
      replaced = base;
      return {
        schema: SCHEMA,
        startedAt,
        // guard: hostile: a session begins at term 1, whatever the one before it claimed
        term: 1,
        leader: me,
        sessionId,
        binding,
        version: 1,
        subject,
        refreshToken: tokens.refresh_token,
        idToken: tokens.id_token,
        accessTokens: { '': toAccessToken(tokens, 1, at) },
        end: firstEnd(tokens, at, endsAt),
      };
    },
    (t, { failed, isStored }) => {
      // Again, until it works or the store counts as unusable and memory serves.
      if (failed) return beginSession(t, event, startedAt, replaced);
      const { record } = t.s;
      if (record?.sessionId === sessionId) tell(t, 'session-started', record, false);
      // A sign-in that lost. (Where memory says so, the store may have it from a try that was reported as failed.)
      // guard: a sign-in that the store may have is not revoked
      else if (tried === Infinity || isStored)
        revoke(t, [tokens.refresh_token], { subject, version: 1 }, record);
      if (replaced?.binding === binding && isOpen(replaced))
        revoke(t, refreshTokensIn(replaced), replaced, record);
      t.effects.push({ type: 'settle', id });
    },
  );
}

/**
 * Ends the session that this tab sees, and only that one. In this tab it is over at once, whatever the store says; the
 * tombstone makes it final: a refresh in flight will find it, not commit, and revoke what it got.
 */
export function endSession(t: Turn, event: Extract<Event, { type: 'sign-out' }>): void {
  const { id } = event;
  const { record, storage } = t.s;
  if (!isOpen(record)) {
    // guard: a sign-out in a tab that could not read the store has ended nothing, and says so
    t.effects.push({ type: 'settle', id, error: unreadFault(t.s) });
    return;
  }
  const { sessionId } = record;
  const known = refreshTokensIn(record);
  // Before anything else runs: the store's answer takes a while, and no token may be handed out meanwhile.
  const grave = tombstone(record, next(record.term));
  // guard: sign-out is final in this tab before the store answers
  adopt(t, grave);
  tell(t, 'signed-out', grave, true);
  // At once, too: the page may be about to leave.
  // guard: a sign-out revokes at once what its tab knows
  if (event.revoke) revoke(t, known, record);
  // guard: sign-out ends only the session that it saw
  const bury = (t: Turn): void =>
    access(
      t,
      (base) => (base?.sessionId === sessionId ? tombstone(base, next(base.term)) : undefined),
      (t, { failed, before, won }) => {
        const unsaved = failed && t.s.storage !== storage;
        if (failed && !unsaved) return bury(t);
        if (unsaved) t.s.saveAt = t.now.mono + SAVE_AGAIN_MS;
        // A transport that only hints makes the others read the store, which knew nothing yet when they were told.
        if (won && !t.s.options.answers) tell(t, 'signed-out', grave, true);
        t.effects.push({ type: 'settle', id, error: unsaved ? fault('ERR_STORAGE') : undefined });
        // The store may have held a later pair than this tab knew of.
        const others = before?.sessionId === sessionId ? refreshTokensIn(before) : [];
        if (event.revoke) {
          revoke(
            t,
            others.filter((token) => !known.includes(token)),
            record,
          );
        }
      },
    );
  bury(t);
}
