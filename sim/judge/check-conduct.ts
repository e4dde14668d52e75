import { lifeLeft, proactiveDue } from '../../src/core/knowledge.js';
import type { Journal, SessionRecord } from '../../src/core/record.js';
import { attemptOf, idempotencyKey, isBoundAlike } from '../../src/core/record.js';
import { newer } from '../../src/core/join.js';
import { asOf } from '../../src/core/session-end.js';
import type { Event, State } from '../../src/core/state.js';
import type { Check, Violate } from './check.js';
import type { Exchange } from '../world/network.js';
import type { Participant } from '../world/participant.js';
import type { Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

/** Milliseconds that pipes and timers may take. */
const SLACK_MS = 50;
/** The adapter's limit for a read, and the time to open the database again. */
const LONGEST_READ_MS = 6_000;
/** A moment for what is on its way between a page and the browser process, milliseconds. */
const PIPE_MS = 20;

/** Whether this step begins to write a journal; perhaps in place of one that was written in vain. */
export function beginsJournal(before: State | undefined, { flight }: State): boolean {
  return (
    flight?.phase === 'journaling' &&
    !(before?.flight?.phase === 'journaling' && before.flight.tag === flight.tag)
  );
}

/**
 * The rules that keep the herd calm: nobody refreshes what nobody wants (I1), all wait as one after a failure, one silent tab is
 * replaced once (I3), and a page that leaves or freezes keeps no lock (I9).
 */
export function checkConduct(world: World, truth: Truth, violate: Violate): Check {
  const { plan, scheduler, participants, locks, stats } = world;
  const { now, at } = scheduler;
  const T = plan.options.refreshTimeoutMs ?? 30_000;
  let theft: { by: Participant; at: number } | undefined;
  /** The last winner of an election without a store, and in which term of which session and version. */
  let elected: { by: Participant; at: number; term: string } | undefined;
  /** The term that each heard had been won, of a version that it had not heard of. */
  const outran = new Map<Participant, string>();
  /** When each was robbed of a lock. */
  const robbed = new Map<Participant, number>();
  /** When each learned of who leads. */
  const learned = new Map<Participant, number>();
  /** The wait that each participant heard of, by the failure it belongs to. */
  const waits = new Map<Participant, { version: string; until: number; failure: string }>();
  /** The version that each participant wanted to spend when it wrote its journal. */
  const prepared = new Map<Participant, number | undefined>();

  /** Those that were woken since they learned of the last failure. */
  const woken = new Set<Participant>();
  /** Those of them that have learned of no failure since. */
  const unheard = new Set<Participant>();
  /** When each was woken last: virtual time, and by its wall clock. */
  const wokenAt = new Map<Participant, { readonly at: number; readonly wall: number }>();
  /** The last failure that each learned of. */
  const learnedOf = new Map<Participant, string>();

  /** Names a failure, in any tab's copy. */
  const failureIn = (journal: Journal | undefined): string | undefined =>
    journal?.failure && `${journal.by} ${journal.attempt} ${journal.failure.at}`;

  function isWanted(state: State, by: Participant): boolean {
    if (state.request) return true;
    // Nobody is left to ask where a session was refused without a word: each wake-up tries it once more, by itself.
    //
    //     A  400 ─ 10 s ─ 400 ─ 10 s ─ 400: lost, refresh_unanswered
    //     B                                     hears of it ░░░░░░░ is looked at, or begins: sends ─ fails ░░░ sends no more
    //
    // And who was woken may die before its request has an outcome; then another one finishes what it began:
    //
    //     A  is looked at: journal ─ killed
    //     B                        ╰▶ hears of it ░░░░░░ A's lock is free: sends
    const { ended, journal } = state.record ?? {};
    const isBegun = woken.has(by) || (journal && !journal.failure && journal.by !== state.me);
    if (ended?.reason === 'refresh_unanswered') return !!isBegun;
    if (state.callers.length > 0) return true;
    const wall = by.tab.clock.wall();
    const instant = { wall, mono: by.tab.clock.monotonic(), random: 0 };
    return proactiveDue(state, instant) <= 0 || lifeLeft(state, '', instant) <= 0;
  }

  /**
   * A wake-up lasts until the next failure is known, unless that is read in it, or is from before it and was told late, or is the first
   * one and was not sent.
   */
  function noteWaking(by: Participant, event: Event, before: State | undefined, after: State): void {
    const failure = failureIn(after.record?.journal);
    // (A journal that was taken back shows the failure before it once more: that is no news.)
    if (failure !== undefined && failure !== learnedOf.get(by)) {
      learnedOf.set(by, failure);
      const { at, unspent, status, fault } = after.record!.journal!.failure!;
      const isFirst = unheard.delete(by);
      const isUnsent = isFirst && unspent && status === undefined && !fault;
      if (at >= (wokenAt.get(by)?.wall ?? 0) && !isUnsent) woken.delete(by);
    }
    const isStart = !before?.loaded && after.loaded;
    const isWaking = event.type === 'lifecycle' && !['leave', 'freeze', 'hidden'].includes(event.change);
    if (isWaking) {
      wokenAt.set(by, { at: now(), wall: by.tab.clock.wall() });
      unheard.add(by);
    }
    // (Its read brings the failures that it missed before.)
    const isRead = event.type === 'stored' && event.real && !event.result.wrote && !event.result.failed;
    const isOfWaking = isRead && now() - (wokenAt.get(by)?.at ?? -Infinity) < LONGEST_READ_MS;
    if (isStart || isWaking || isOfWaking) woken.add(by);
  }

  /**
   * A process reads of a failure, and waits as long as all do. Later news of the same attempt makes no wait longer:
   *
   *     A  sends ── deadline: notes it, 20 s ── answer: 409, noted
   *     B                       waits 20 s ░░░░░░░░░░░░░░░░░░░░░░░ sends
   */
  function noteFailure(by: Participant, before: State | undefined, { record, flight }: State): void {
    const failed = record?.journal?.failure;
    const failure = failureIn(record?.journal);
    // (That a session is over was perhaps a mistake: the server is asked again, by other limits.)
    if (!failed || !failure || flight || failed.refused || failed.fault || record.ended) return;
    const known = before?.record;
    if (known?.journal?.failure && attemptOf(known, known.journal) === attemptOf(record, record.journal))
      return;
    const leftMs = Math.min(failed.retryInMs, failed.at + failed.retryInMs - by.tab.clock.wall());
    waits.set(by, { version: `${record.sessionId}.${record.version}`, until: now() + leftMs, failure });
  }

  return {
    step(by, event, before, after, effects) {
      const known = learnedOf.get(by);
      noteWaking(by, event, before, after);
      if (event.type === 'message' && event.message.type === 'refresh-failed') {
        const { sessionId, version, journal } = event.message;
        const { retryInMs = 0, refused, fault } = journal?.failure ?? {};
        const failure = failureIn(journal);
        // A refusal or a fault that waiting does not heal waits for a person, or a wake-up.
        const isPatient = failure && !refused && !fault;
        // News, unless it lay in the queue of a page that stood still, or was known. (A word of the same term may have come in between,
        // of a tab that did not know that its attempt was noted.)
        const isNews = by.tab.lastStill() < now() - 1_000 && known !== failure;
        // Its own attempt may be on its way already.
        const isFree = failureIn(after.record?.journal) === failure && after.flight?.phase !== 'journaling';
        // (The worker keeps no time: pages do, and ask it.)
        if (isPatient && isNews && isFree && !by.serve) {
          waits.set(by, { version: `${sessionId}.${version}`, until: now() + retryInMs, failure });
        }
      }
      if (plan.leases && event.type === 'stored') noteFailure(by, before, after);
      if (event.type === 'message' && event.message.type === 'leader-changed') {
        const { sessionId, version, term } = event.message;
        if (after.record?.version !== version) outran.set(by, termOf({ sessionId, version, term }));
      }
      if (event.type === 'lock' && event.outcome === 'lost') robbed.set(by, now());
      // (To a process it means no more than that the store may be back.)
      const isOnline = event.type === 'lifecycle' && event.change === 'online' && !plan.leases;
      // A later attempt of somebody who was woken, or asked by a person, ends the wait for all.
      const journal = after.record?.journal;
      const own = journal?.by === after.me && !journal.failure;
      if (isOnline || (!own && waits.get(by)?.failure !== failureIn(journal))) waits.delete(by);
      if (beginsJournal(before, after)) {
        const asked = isWanted(after, by) || (before && isWanted(before, by));
        prepared.set(by, asked ? after.record?.version : undefined);
        // It would be saved later, over those of others.
        if (plan.leases && after.storage === 'memory')
          violate('I1', `${by.tab.name} writes a journal without the shared part`);
      }
      if (after.record?.leader !== before?.record?.leader) learned.set(by, now());
      if (after.flight?.phase === 'electing' && before?.flight?.phase !== 'electing') electing(by, after);
      if (event.type === 'stored' && event.result.won && before?.flight?.phase === 'electing') won(by, after);
      for (const effect of effects) {
        if (effect.type === 'lock' && effect.mode === 'steal') stolen(by, after);
        if (effect.type !== 'send') continue;
        // (Who asked for it may have run out of patience since; their tokens are due all the same.)
        if (prepared.get(by) !== effect.attempt.version && !isWanted(after, by)) {
          violate('I1', `${by.tab.name} refreshes version ${effect.attempt.version}, which nobody asked for`);
        }
      }
    },

    sent(exchange: Exchange, by) {
      const { sessionId, version } = exchange.request;
      const wait = waits.get(by);
      if (
        wait?.version === `${sessionId}.${version}` &&
        now() < wait.until - SLACK_MS &&
        by.tab.lastStill() < 0
      ) {
        const early = Math.round(wait.until - now());
        violate(
          'I1',
          `${by.tab.name} sends version ${version} ${early} ms before the time that all agreed on`,
        );
      }
    },

    heard({ request, outcome, fault }) {
      // (By clocks that jump, and stores and messages that fail, nobody can know better.)
      const { faults } = stats;
      const isBlind = truth.storeHurt() || ['jump', 'sleep', 'message: lost'].some((name) => name in faults);
      const no = (one: Exchange): boolean =>
        one.outcome === 'wordless' || one.outcome === 'rejected' || one.fault === 'html';
      if (isBlind || !(outcome === 'wordless' || outcome === 'rejected' || fault === 'html')) return;
      const asked = truth.requests.get(request.refreshToken ?? '') ?? [];
      // (A page that was frozen, cached or killed meanwhile may have noted nothing of it.)
      const isNoted = ({ tab, begunAt }: Exchange): boolean => tab.alive() && tab.standstills(begunAt) === 0;
      const said = asked.filter((one) => no(one) && isNoted(one) && one.heardAt! > now() - 60_000).length;
      if (said > 6 && participants.every(({ state }) => state()?.storage !== 'memory'))
        violate('I1', `the server says no to version ${request.version} ${said} times in a minute`);
    },

    executed(by, before, after) {
      if (!before || !after || before.sessionId === after.sessionId) return;
      // (Nobody is signed in where the session is another app's.)
      if (!isBoundAlike(before.binding, after.binding)) return;
      const begun = by.state()?.record?.sessionId === after.sessionId;
      // (A tab without a store knows only what it heard; the session that it began then is written later.)
      const polite = truth.politeFamilies.get(after.subject ?? '') === by && !begun;
      // The stored session may be over, as only memory knows: lost, or replaced without a store by a session that is over.
      //
      //     store  A ───────────────────────────────────────────────────────▶ C
      //     B      (no store) signs in, is signed out ─╮                      │
      //     C      signs in if nobody is ─ cached ░░░░░╰▶ hears that ─ begins ╯
      const known = asOf(newer(before, by.state()?.record), by.tab.clock.wall())!;
      // (Signed out by somebody, whose tombstone is behind it in the queue: then it is open no more.)
      const open = !known.ended && !truth.signedOut.has(known.sessionId);
      if (polite && open && !truth.storeReset()) {
        violate('I5', `${by.tab.name} replaces an open session although it asked for none to be replaced`);
      }
    },

    written(by, _before, after) {
      if (by.serve && after.leader === by.state()?.me) {
        violate('I3', 'the refresh worker is named leader, and keeps no timer');
      }
    },

    retired(by) {
      at(PIPE_MS, () => {
        const { tab } = by;
        if (!tab.alive() || tab.running()) return;
        for (const { tab: owner, name, held } of locks.list()) {
          // (A frozen page keeps the lock of its own request, or its place for it.)
          if (owner !== tab || (name.startsWith('attempt:') && !tab.cached())) continue;
          violate(
            'I9',
            `${tab.name} ${held ? 'holds' : 'waits for'} ${name} while it is ${tab.cached() ? 'cached' : 'frozen'}`,
          );
        }
      });
    },
  };

  function termOf(position: Pick<SessionRecord, 'sessionId' | 'version' | 'term'>): string {
    return `${idempotencyKey(position)} n${position.term}`;
  }

  /** I3: a tab that has just learned of a leader does not stand against it, be its plan for a term without one as old as it may. */
  function electing(by: Participant, { record, me, options }: State): void {
    const known = now() - learned.get(by)!;
    if (record?.leader && record.leader !== me && known < options.leaderTimeoutMs)
      violate(
        'I3',
        `${by.tab.name} is to be elected ${Math.round(known)} ms after it learned of ${record.leader}`,
      );
  }

  /**
   * I3: no two win the same term where both hear what is said; a store sees to it by itself.
   *
   *     A  pair v2, term 3 ───────────────╮
   *     B  v2, wins term 4 ─╮             │
   *     C  v1, reads, in vain (no store) ◀╯ ◀─ v2, term 3: the word came before what it speaks of, and C may win term 4
   *
   *     A  claims in memory ─────────────────────╮ steals from B, whose word is still on its way
   *     B  claims in memory ─ granted: wins term 4 ─╳
   *     C  claims in memory ─────────────────────── granted: wins term 4
   */
  function won(by: Participant, { storage, options, record }: State): void {
    if (storage !== 'memory') return;
    const last = elected;
    const term = termOf(record!);
    elected = { by, at: now(), term };
    if (!last || last.by === by || last.term !== term || !options.locks || outran.get(by) === term) return;
    const heard = [by, last.by].every(
      ({ tab, closed, left, returnedAt }) =>
        tab.alive() && !closed && !left && Math.max(tab.lastStill(), returnedAt) < last.at - SLACK_MS,
    );
    if (!heard || by.tab.age() <= now() - last.at + SLACK_MS || stats.faults['message: lost'] !== undefined)
      return;
    // That it was robbed of the lock may still be on its way to it.
    at(PIPE_MS, () => {
      if ((robbed.get(last.by) ?? -Infinity) < last.at)
        violate('I3', `${by.tab.name} wins ${term}, which ${last.by.tab.name} has won`);
    });
  }

  /** I3: a silent holder is replaced by one waiter, not by all of them in turn. */
  function stolen(by: Participant, state: State): void {
    const last = theft;
    theft = { by, at: now() };
    if (!last || last.by === by || state.storage === 'memory') return;
    const { tab } = last.by;
    const lives = tab.alive() && tab.lastStill() < last.at && !last.by.left && !last.by.closed;
    const since = now() - last.at;
    const hurt = truth.storeHurt() || participants.some((one) => one.state()?.storage === 'memory');
    if (lives && since < T && !hurt && stats.faults['sleep'] === undefined) {
      violate('I3', `${by.tab.name} steals the lock ${Math.round(since)} ms after ${tab.name} did`);
    }
  }
}
