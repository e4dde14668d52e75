import { settleCallers } from './calls.js';
import { tell } from './commit.js';
import { begin, finish, mayFly, whileFlying } from './flight.js';
import { access, endPause, messageOf, post } from './knowledge.js';
import type { Envelope } from './protocol.js';
import { attemptOf, isLost, isOpen } from './record.js';
import { proceed, wanted } from './refresh.js';
import type { Continuation, Flight, Turn } from './state.js';

/**
 * Asks the refresh worker, which outlives this page, to do it: before queueing for the lock, which the worker takes
 * itself. Then the page queues all the same, behind it; the lock says when the worker is done, or dead.
 *
 *     page    ask ───────▶ queued ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ hears the pair: withdraws
 *     worker     starts ─▶ lock ─ journal ─ request ─ commit ─ broadcast ─ unlock
 *
 *     page    ask ───────▶ queued ░░░░░░░░░░░░░░░ granted: finds the journal, asks again at once
 *     worker     starts ─▶ lock ─ journal ─ request ─ ✝
 *
 *     page    ask ─ ─ ─ ─ ─ ─ ─ (none, or silent for `leaderTimeoutMs`) ─▶ queued: does it by itself
 */
export function askWorker(t: Turn): void {
  const { s, now } = t;
  const until = now.mono + s.options.leaderTimeoutMs;
  s.flight = { tag: s.nextTag++, phase: 'waking', until, expire: goOn('silent'), seen: '', since: now.mono };
  // The stored token may be enough; and it gets what only this tab has.
  access(
    t,
    () => undefined,
    whileFlying(t, (t) => {
      // Or nobody would be served by what was just read, and a refresh of the new pair be asked for.
      settleCallers(t);
      const audience = wanted(t);
      if (!audience) return;
      const { record, storage } = t.s;
      const { doubts = 0, failure } = record!.journal ?? {};
      // It died of it twice, most likely; or it still works, and the lock will tell.
      if (doubts > 0 && !failure) return goOn('silent')(t);
      const { resource, scope } = audience;
      const memory = storage === 'memory';
      t.effects.push({
        type: 'ask',
        message: messageOf(record, { type: 'refresh-request', resource, scope, memory }),
        resume: whileFlying(t, goOn('silent')),
      });
    }),
    true,
  );
}

/** Queues for the lock, knowing what the worker said. */
function goOn(worker: Flight['worker']): Continuation {
  return (t) => {
    finish(t);
    begin(t, proceed, worker);
  };
}

/** Somebody said that it will refresh: for the tab `to` that it names, or, being the worker, for all who ask it. */
export function accepted(t: Turn, to: string | undefined): void {
  const { s, now } = t;
  const phase = to === undefined || to === s.me ? s.flight?.phase : undefined;
  if (phase === 'waking') return goOn('accepted')(t);
  // Memory mode: this tab holds the lock, which the other one needs.
  if (phase !== 'asking' || to === undefined) return;
  finish(t);
  s.delegated = now.mono + s.options.refreshTimeoutMs;
}

/**
 * Another participant asks this one to refresh, because this one has a store, or will outlive it. The asking tab may know
 * more than was heard here: a worker has perhaps been started just for this.
 */
export function consider(t: Turn, asked: Extract<Envelope, { type: 'refresh-request' }>): void {
  const { record, active } = t.s;
  const { sessionId, version, memory } = asked;
  // A tab that knows a newer pair tells it at once: the store may hang for longer than the other tab waits before it spends a dead token.
  //
  //     A (no store)  asks ── 300 ms ─▶ sends v1, which is dead
  //     B                ╰▶ knows v2, reads ░░░░░░░░░░░░░░░░░░░░ tells of v2
  // guard: a tab without a store is told of a newer pair at once, whatever the store does
  if (memory && active && isOpen(record) && record.sessionId === sessionId && record.version > version)
    return tell(t, 'pair', record, true);
  access(t, undefined, (t, { failed }) => accept(t, asked, failed !== undefined));
}

function accept(
  t: Turn,
  { from, sessionId, version, journal, resource, scope, memory }: Parameters<typeof consider>[1],
  unread: boolean,
): void {
  const { s, now } = t;
  const { record, pause } = s;
  if (!mayFly(s) || record!.sessionId !== sessionId) return;
  // A participant with a store finds it there.
  if (record!.version > version) return memory ? tell(t, 'pair', record!, true) : undefined;
  // A tab that asks without a store may not have heard of it, and would spend the dead token once more:
  //
  //     A  writes the loss, is told that it failed: says nothing      reads the loss
  //     B  (no store)                                 wants ─ asks ─▶ told: asks the server no more
  // guard: a tab that asks without a store is told of a loss
  if (isLost(record!)) return post(t, { type: 'reauth-required' });
  // Without locks only the sender can tell that a request is under way, whether its store still works or not.
  // Nor does a tab promise it that has no refresh token either:
  //
  //     A (withheld)  asks ─ told that B will ░░░░░░░░░░░░░░░ T ─ asks …
  //     B (withheld)       ╰▶ accepts, asks ─ told that A will ░░░░░░ T ─ asks …
  // guard: a tab with a request under way says so, whether its store works or not
  const blind = (unread || s.storage === 'memory') && s.flight?.phase !== 'sending';
  // guard: hostile: a tab without a refresh token promises no refresh
  if (blind || record!.withheld) return;
  if (pause) {
    const known = journal?.failure && attemptOf({ sessionId, version }, journal);
    // It asked before it heard of the failure. All wait as one.
    if (known !== s.pausedFor) return pause.failure && post(t, { type: 'refresh-failed' });
    // Told by a person to go on; and a worker has no clock of its own, it has pages.
    if (pause.until === Infinity || !s.options.candidate) endPause(t);
  }
  s.request = { version, resource, scope, until: now.mono + s.options.refreshTimeoutMs };
  if (s.options.candidate) post(t, { type: 'refresh-accepted', to: from });
  else if (s.flight && !['queued', 'claiming', 'stealing'].includes(s.flight.phase))
    post(t, { type: 'refresh-accepted' });
}
