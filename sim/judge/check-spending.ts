import {
  attemptLock,
  fingerprint,
  idempotencyKey,
  isLost,
  isOpen,
  type SessionRecord,
} from '../../src/core/record.js';
import type { Check, Violate } from './check.js';
import type { Exchange } from '../world/network.js';
import type { Participant } from '../world/participant.js';
import type { Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

/** Milliseconds that the simulated pipes, timers and transactions may take on top of a limit. */
const SLACK_MS = 50;

/**
 * I1: a refresh token is sent again only while it is in doubt, never while its request is known to be in flight, and
 * never once a response to it was committed and the sender could know.
 */
export function checkSpending(world: World, truth: Truth, violate: Violate): Check {
  const { plan, participants, scheduler, locks } = world;
  const T = plan.options.refreshTimeoutMs ?? 30_000;
  const { now } = scheduler;
  /** When each participant last saw what the store holds, and wrote a journal on it. */
  const journaled = new Map<
    Participant,
    { at: number; wall: number; mono: number; version: number; sessionId: string }
  >();
  /** Requests of tabs without a store: no journal is durable. */
  const unstored = new Set<Exchange>();
  /** Participants whose present journal was only said. (The store may be back by the time its request leaves.) */
  const saidOnly = new Set<Participant>();
  /** When the journal of each request was last seen in the store by its sender. */
  const noted = new Map<Exchange, number>();
  /** Requests sent long after their journal, by clocks that said otherwise. */
  const belated = new Set<Exchange>();
  /** All states that the store ever had. */
  const written = new Set<string>();
  /** When each participant last asked for an attempt lock. */
  const queuedAt = new Map<Participant, number>();
  /** When each participant last found that nobody else's request is under way. */
  const cleared = new Map<Participant, number>();
  /** When each participant last asked the others, and for which flight. */
  const asked = new Map<Participant, { at: number; flight: number }>();
  /** When a participant without a store was last asked by whom, with its own request for the same token under way. */
  const askedBy = new Map<Participant, Map<string, number>>();
  /** When each participant last answered any such question. */
  const spoke = new Map<Participant, number>();
  /** The attempts that each participant knows, or knew, a journal of. */
  const heardOf = new Map<Participant, Set<string>>();

  const attemptOf = (by: string, of: Pick<SessionRecord, 'sessionId' | 'version'>, attempt: number): string =>
    [by, idempotencyKey(of), attempt].join();

  /**
   * A journal that no store keeps was said, but not heard: this participant cannot know of the request.
   *
   *     A  journal: sends ─ crashes
   *     B (no store)                journal: said ─ sends ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░
   *     C  knows A's                   (lost)                 waits 2T since A's ─ sends
   */
  function unheard(one: Exchange, by: Participant): boolean {
    const sender = participants[one.tab.index]!.state()!.me;
    const isLost = world.stats.faults['message: lost'] !== undefined;
    const attempt = attemptOf(sender, one.request, one.request.attempt);
    return unstored.has(one) && isLost && heardOf.get(by)?.has(attempt) !== true;
  }

  /** The sender was there, was asked in time, and did not say a word: no misfortune, but a fault. */
  function ignored(sender: Participant, by: Participant): boolean {
    const question = asked.get(by);
    const state = by.state()!;
    const heardAt = askedBy.get(sender)?.get(state.me) ?? -Infinity;
    if (!question || question.flight !== state.flight?.tag || heardAt < question.at) return false;
    const present = !sender.closed && [sender, by].every(({ tab }) => tab.lastStill() < question.at);
    return present && now() - heardAt > SLACK_MS && (spoke.get(sender) ?? -Infinity) < heardAt;
  }

  /** Why an earlier request of the same token may no longer be believed in flight; `undefined` if it must be. */
  function over(earlier: Exchange, by: Participant): string | undefined {
    const sender = participants[earlier.tab.index]!;
    const { sessionId, version } = earlier.request;
    if (earlier.outcome !== undefined && earlier.outcome !== 'tokens') return 'failed';
    if (!sender.tab.alive()) return 'page gone';
    if (sender.left) return 'page left';
    // Back again, but too late for a decision that was made without it.
    const decided = Math.min(cleared.get(by) ?? Infinity, journaled.get(by)?.at ?? now());
    // (Without locks nothing says that it is back; nor to who was before it in the queue for the lock.)
    const queued = Math.min(decided, queuedAt.get(by) ?? Infinity);
    const unnoticed = !plan.locks || queued < sender.returnedAt + SLACK_MS;
    if (sender !== by && sender.returnedAt > earlier.sentAt && unnoticed) return 'page left';
    if (truth.committed.has(`${sessionId}.${version + 1}`)) return 'committed';
    // Heard, and written down in vain: its page knows, the others may not.
    if (earlier.outcome === 'tokens' && sender.closed && truth.storeHurt()) return 'page gone';
    // A process that lives keeps the lease of its attempt until the pair is saved, for as long as the lease lasts.
    const guarded = plan.leases && sender.tab.alive() && now() - earlier.sentAt < 2 * T && !locks.forgotten();
    if (earlier.outcome === 'tokens' && !guarded && (sender.state()?.record?.version ?? 0) > version)
      return 'kept in memory';
    // Heard, and revoked, since the session had been signed out, or replaced; of which nothing tells any more.
    const given = earlier.answer?.kind === 'tokens' ? earlier.answer.tokens.refresh_token : undefined;
    const revoked = truth.signedOut.has(sessionId) || truth.revoked.has(given ?? '');
    if (earlier.outcome === 'tokens' && revoked && truth.storeReset()) return 'forgotten';
    // (The deadline counts from when the journal was written, which may be T/2 before the send.)
    const since = noted.get(earlier) ?? earlier.begunAt;
    if (now() - since >= T - SLACK_MS || belated.has(earlier)) return 'overdue';
    // Without locks the journal is all there is, and it went with the store; so it is for who waited T + R in vain, counted from
    // an older journal, for the lock that a page held as it stood still: it sends with its place in the queue.
    const mine = locks.holds(by.tab, attemptLock(earlier.request));
    const lost = truth.storeResetAt >= (noted.get(earlier) ?? Infinity) && !mine;
    // Nor does a process learn that its own journal went, until it prolongs its lease.
    const ownLost = plan.leases && truth.storeResetAt >= (journaled.get(by)?.at ?? Infinity);
    if (locks.forgotten() || ownLost) return 'forgotten';
    if (plan.locks ? lost : truth.storeReset()) return 'forgotten';
    return undefined;
  }

  return {
    step(by, event, before, after, effects) {
      if (effects.some((one) => one.type === 'lock' && one.name.startsWith('attempt:'))) {
        queuedAt.set(by, now());
      }
      const was = before?.flight?.phase;
      const { flight, record, storage } = after;
      if (record?.journal && record.journal !== before?.record?.journal) {
        const { by: sender, attempt } = record.journal;
        heardOf.set(by, (heardOf.get(by) ?? new Set()).add(attemptOf(sender, record, attempt)));
      }
      if (was === 'probing' && flight?.phase !== was) cleared.set(by, now());
      if (flight?.phase === 'journaling') saidOnly[storage === 'memory' ? 'add' : 'delete'](by);
      if (flight?.phase === 'asking' && was !== 'asking') asked.set(by, { at: now(), flight: flight.tag });
      if (event.type === 'message' && event.message.type === 'refresh-request') {
        const { from, sessionId, version, memory } = event.message;
        const same = record?.sessionId === sessionId && record.version === version && !record.ended;
        // (One that knows nothing newer waits for its store first.)
        const better =
          memory &&
          before?.active &&
          isOpen(record) &&
          record.sessionId === sessionId &&
          record.version > version;
        if (better || (same && storage === 'memory' && flight?.phase === 'sending')) {
          askedBy.set(by, (askedBy.get(by) ?? new Map<string, number>()).set(from, now()));
        }
      }
      const answers = ['refresh-accepted', 'refresh-failed', 'pair'];
      if (effects.some((one) => one.type === 'post' && answers.includes(one.message.type))) {
        spoke.set(by, now());
      }
    },

    executed(by, _before, after) {
      if (!after?.journal) return;
      const { sessionId, version, journal } = after;
      const { clock } = by.tab;
      // Its own counts from when it was built: the clock may have been set back since.
      const wall = journal.by === by.state()?.me ? journal.at : clock.wall();
      journaled.set(by, { at: now(), wall, mono: clock.monotonic(), version, sessionId });
    },

    /**
     * A journal can be lost after the failover, too: written on a record that the new store still had, under one that a process knows from
     * the old one.
     *
     *     A                      (failover: {n3})   journal n4 ─ sends ────────────────────
     *     B  {n5}                                                       writes n5 again
     *     C  {n5} ─ waits for a holder, in vain                                      queues ─ claims n5: knows of no request
     *
     *     A  (failover: {n3}) waits for n3's sender ── journal n4 ─ sends ────────────────────
     *     B  {n5}              waits for the lock, in vain ─────────── claims, on n5: n6
     */
    written(by, before, after) {
      const state = fingerprint(after);
      const isSame = before && before.sessionId === after.sessionId && before.version === after.version;
      if (plan.leases && truth.storeReset() && isSame && after.term > before.term + 1)
        truth.storeResetAt = now();
      if (plan.leases && written.has(state) && before && fingerprint(before) !== state) {
        // Of the exceptions that a store which loses writes forces none is granted to one that does not.
        if (!truth.storeReset()) violate('I1', `${by.tab.name} takes the store back to an earlier state`);
        truth.storeResetAt = now();
      }
      written.add(state);
    },

    sent(exchange, by) {
      const { sessionId, version, refreshToken } = exchange.request;
      const earlier = (truth.requests.get(refreshToken ?? '') ?? []).filter((one) => one !== exchange);
      const state = by.state()!;
      const mine = state.record;
      if (mine?.sessionId !== sessionId || mine.version > version || isLost(mine)) {
        violate('I1', `${by.tab.name} sends version ${version} although it knows better`);
      }
      if (state.storage === 'memory' && plan.leases)
        violate('I1', `${by.tab.name} sends version ${version} without the shared part`);
      if (state.storage === 'memory' || saidOnly.has(by)) unstored.add(exchange);
      else if (journaled.has(by)) noted.set(exchange, journaled.get(by)!.at);
      const committed = truth.committed.get(`${sessionId}.${version + 1}`);
      const journal = journaled.get(by);
      const { clock } = by.tab;
      // (In sleep one of its clocks stood still, and the other was set back.)
      const fooled =
        journal &&
        now() - journal.at > T / 2 &&
        Math.max(clock.wall() - journal.wall, clock.monotonic() - journal.mono) <= T / 2;
      if (fooled) belated.add(exchange);
      if (committed !== undefined && !truth.storeReset()) {
        const knew = journal && journal.sessionId === sessionId && committed < journal.at;
        if (unstored.has(exchange)) {
          const silent = participants.find((one) => one !== by && ignored(one, by));
          if (silent)
            violate(
              'I1',
              `${by.tab.name} sends version ${version}, whose successor ${silent.tab.name} keeps to itself`,
            );
          truth.excuse(refreshToken, 'blind');
        } else if (knew || (!fooled && committed < now() - T / 2 - 2_000)) {
          violate('I1', `${by.tab.name} sends version ${version}, whose successor was committed before`);
        } else truth.excuse(refreshToken, 'overtaken');
      }
      // Only tabs without a store know of the successor, and what they said about it was lost on its way, or they stand still.
      const knowing = participants.filter(({ tab, state }) => {
        const record = state()?.record;
        return tab.alive() && record?.sessionId === sessionId && record.version > version;
      });
      // (Or have not had the time to say it to who has just begun.)
      const early = by.tab.age() < SLACK_MS;
      const silent =
        early || world.stats.faults['message: lost'] || knowing.every(({ tab }) => !tab.running());
      if (committed === undefined && knowing.length > 0 && silent) truth.excuse(refreshToken, 'blind');
      if (plan.server === 'static') return;
      for (const one of earlier) {
        const reason = over(one, by);
        // Without locks nothing arbitrates between a tab that writes its journal and one that can only say it; but it has to say it.
        const apart = [exchange, ...earlier].some((any) => unstored.has(any));
        const excused = unstored.has(exchange) || (!plan.locks && apart) || unheard(one, by);
        const blind = excused && !ignored(participants[one.tab.index]!, by);
        if (reason === undefined && !blind && !fooled) {
          violate(
            'I1',
            `${by.tab.name} sends version ${version} while request ${one.number} of ${one.tab.name} is in flight for ${Math.round(now() - one.sentAt)} ms`,
          );
        } else if (blind) truth.excuse(refreshToken, 'blind');
        else if (reason === undefined) truth.excuse(refreshToken, 'overtaken');
        const isGone = reason === 'page gone' || reason === 'page left';
        if (isGone) {
          truth.excuse(
            refreshToken,
            one.outcome === 'tokens' ? 'page gone before the commit' : 'answer lost',
          );
        } else if (reason === 'overdue') truth.excuse(refreshToken, 'overtaken');
        // Among processes memory is nobody else's: the store took the pair of a living one for no time of its lease.
        else if (reason === 'kept in memory' && plan.leases) truth.excuse(refreshToken, 'overtaken');
        else if (reason === 'forgotten') truth.excuse(refreshToken, 'store lost it');
        // Without a store its journal was only said, and perhaps died with its page, be it after the answer.
        if (unstored.has(one) && (isGone || !one.tab.alive())) truth.excuse(refreshToken, 'blind');
      }
      if (plan.profile !== 'no-faults') return;
      // (Its tab was closed when the journal had been written, and nothing was sent.)
      const last = world.database.history()[1]?.journal?.by;
      const unsent = participants.some(({ closed, state }) => closed && state()?.me === last);
      if (earlier.length > 0 || (exchange.request.attempt > 1 && !unsent)) {
        violate('I1', `${by.tab.name} sends version ${version} a second time without any fault`);
      }
    },

    heard({ request, outcome }) {
      if (plan.profile === 'no-faults' && outcome !== 'tokens' && !truth.signedOut.has(request.sessionId)) {
        violate('I1', `the server answers version ${request.version} with ${outcome} without any fault`);
      }
    },
  };
}
