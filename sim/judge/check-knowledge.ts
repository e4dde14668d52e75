import { mayFly } from '../../src/core/flight.js';
import { silenceMs } from '../../src/core/limits.js';
import type { Effect, Event, State } from '../../src/core/state.js';
import type { Journal, SessionRecord } from '../../src/core/record.js';
import { attemptLock, idempotencyKey, isLost, isOpen } from '../../src/core/record.js';
import { beginsJournal } from './check-conduct.js';
import type { Check, Violate } from './check.js';
import type { Participant } from '../world/participant.js';
import type { World } from '../world/world.js';

/** Milliseconds that timers may be early by rounding. */
const SLACK_MS = 50;

/** A participant's knowledge, and since when. */
interface Knowledge {
  record: SessionRecord | undefined;
  readonly since: number;
}

/** The asker of each refresh, its version and its outcome. */
interface Question {
  readonly from: string;
  readonly version: string;
  /** Reads of the store that were begun when it was heard, and have not ended. */
  left: number;
  /** When the first had ended: that this version is lost. */
  knew: boolean | undefined;
  spoke: boolean;
}

type Position = Pick<SessionRecord, 'sessionId' | 'version'>;

function isSame(one: Position | undefined, other: Position | undefined): boolean {
  return one?.sessionId === other?.sessionId && one?.version === other?.version;
}

/**
 * Knowledge is kept for as long as it counts, and told to who asks: that a token was sent (I1), for how long at least (I1), that it
 * is dead (I1), and every pair that may be the one that lives (I2). Each is judged where it is lost, since what comes of it takes more
 * misfortunes, most of which excuse it.
 */
export function checkKnowledge({ plan, scheduler, locks }: World, violate: Violate): Check {
  const T = plan.options.refreshTimeoutMs ?? 30_000;
  const { now } = scheduler;

  /** Each participant's knowledge of its version's journal. */
  const known = new Map<Participant, Knowledge>();
  /** Its knowledge, and for how long, when it began to write its own. */
  const basis = new Map<
    Participant,
    { readonly record: SessionRecord; readonly waited: number; readonly inherited: boolean }
  >();
  /** Of processes: since when each has watched the silence of a version, and whether it has found its last sender dead. */
  const watching = new Map<
    Participant,
    { readonly version: string; readonly since: number; readonly inherited: boolean }
  >();
  /** The question that each read of the store is to answer. */
  const questions = new Map<unknown, Question>();
  /** Participants that wait for an answer to their question: until it has sent, or its turn is over. */
  const asking = new Set<string>();
  /** Knowledge kept from each asker, and by whom: that this version is lost. */
  const silenced = new Map<string, { version: string; by: Participant }>();

  function compare(whose: string, was: SessionRecord | undefined, record: SessionRecord | undefined): void {
    if (!was || !isOpen(record) || !isSame(was, record)) return;
    const [before = 0, after = 0] = [was.journal?.attempt, record.journal?.attempt];
    if (after < before)
      violate('I1', `${whose} forgets attempt ${before} of version ${was.version}, and goes on at ${after}`);
    // (A withheld pair hides that a spare is the same pair, repeated by the server.)
    const had = (was.spares ?? []).filter(({ refreshToken }) => refreshToken !== record.refreshToken).length;
    if ((record.spares?.length ?? 0) < had) violate('I2', `${whose} drops a spare of version ${was.version}`);
  }

  /**
   * The silence of a sender that lives counts from when a process began to wait, and from its own last operation that failed: the sender
   * could not write then, either.
   */
  function watch(by: Participant, event: Event, before: State | undefined, after: State): void {
    const { flight, record } = after;
    const version = record && idempotencyKey(record);
    const isFailed = event.type === 'stored' && event.result.failed !== undefined;
    const last = watching.get(by);
    if (version && flight && (isFailed || last?.version !== version))
      watching.set(by, { version, since: now(), inherited: false });
    if (event.type === 'lock' && event.outcome === 'inherited' && before?.flight?.tag === flight?.tag && last)
      watching.set(by, { ...last, inherited: true });
  }

  function learn(by: Participant, was: SessionRecord | undefined, record: SessionRecord | undefined): void {
    const [old, { attempt, by: sender, term } = {} as Partial<Journal>] = [was?.journal, record?.journal];
    const last = known.get(by);
    const isNew = old?.attempt !== attempt || old?.by !== sender || old?.term !== term;
    if (last && !isNew && isSame(last.record, record)) last.record = record;
    else known.set(by, { record, since: now() });
  }

  /**
   * A tab that is asked for a refresh, and knows that the session is lost, says so, or a dead token is sent once more. Its knowledge counts
   * when the store has answered, or not; afterwards it hears of a loss like everybody else:
   *
   *     A (no store)  asks ─╮                              ╭╳ (lost)        sends
   *     B                   ╰────▶ hears, says that it is lost
   *     C                   ╰▶ hears, knows of no loss     ╰▶ hears of it
   */
  function consider(question: Question, by: Participant, after: State, effects: readonly Effect[]): void {
    const { from, version } = question;
    const { record } = after;
    question.knew ??= !!record && isLost(record) && mayFly(after) && idempotencyKey(record) === version;
    question.spoke ||= effects.some(({ type }) => type === 'post');
    question.left--;
    // A page that was frozen hears the question when whoever asked has long gone on.
    if (question.left <= 0 && question.knew && !question.spoke && asking.has(from))
      silenced.set(from, { version, by });
  }

  return {
    step(by, event, before, after, effects) {
      const { record } = after;
      const was = before?.record;
      if (record !== was) {
        compare(by.tab.name, was, record);
        learn(by, was, record);
      }
      if (plan.leases) watch(by, event, before, after);
      if (record && beginsJournal(before, after)) {
        const { since, inherited } = watching.get(by) ?? { since: -Infinity, inherited: false };
        basis.set(by, { record, waited: now() - Math.max(known.get(by)!.since, since), inherited });
      }
      if (!after.flight) asking.delete(after.me);
      else if (after.flight.phase === 'asking') asking.add(after.me);
      if (event.type === 'message' && event.message.type === 'refresh-request') {
        const { from } = event.message;
        const reads = effects.filter((effect) => effect.type === 'store');
        const version = idempotencyKey(event.message);
        const spoke = effects.some(({ type }) => type === 'post');
        const asked: Question = { from, version, left: reads.length, knew: undefined, spoke };
        for (const { resume } of reads) questions.set(resume, asked);
        if (!reads[0]) consider(asked, by, after, effects);
      }
      const question = event.type === 'stored' && questions.get(event.resume);
      if (question) consider(question, by, after, effects);

      const isPair = event.type === 'answered' && event.outcome.kind === 'tokens' && !before?.disposed;
      if (isPair && !effects.some(({ type }) => type === 'store'))
        violate('I2', `${by.tab.name} throws away the pair of an answer that it waited for`);
    },

    written: (by, before, after) => compare(`what ${by.tab.name} writes`, before, after),

    sent({ request }, by) {
      const { me, options } = by.state()!;
      const version = idempotencyKey(request);
      const silent = silenced.get(me);
      silenced.delete(me);
      asking.delete(me);
      if (silent?.version === version)
        violate(
          'I1',
          `${by.tab.name} sends version ${request.version}, which is lost, as ${silent.by.tab.name} knows, was asked, and does not say`,
        );
      const { record, waited, inherited } = basis.get(by)!;
      const { journal } = record;
      // Its request has ended, or was never sent.
      if (!isSame(record, request) || !journal || journal.failure) return;
      // A page that dies in this very step has lost the lock.
      if (!by.tab.alive()) return;
      // (A lease that was granted proves nothing.)
      const isMine = plan.leases ? inherited : locks.holds(by.tab, attemptLock(request));
      const least = options.locks || plan.leases ? silenceMs(options) : T;
      if (!isMine && !locks.forgotten() && waited < least - SLACK_MS)
        violate(
          'I1',
          `${by.tab.name} sends version ${request.version} having waited ${Math.round(waited)} ms for the end of attempt ${journal.attempt}`,
        );
    },
  };
}
