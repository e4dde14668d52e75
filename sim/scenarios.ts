import type { Action, ActionKind, Plan } from './world/plan.js';
import type { ServerKind } from './world/server.js';

/**
 * A world made by hand for one guard that hardly any schedule of chance shows to be needed. Only what has to happen is said; how long
 * everything takes, who sees what first, and which request or store operation meets a fault is drawn from the seed.
 */
export interface Scenario {
  readonly guard: string;
  /** So many seeds from 1 on show what happens without the guard. */
  readonly within: number;
  readonly plan: Partial<Plan>;
}

/** Each event, with its time, victim and length (milliseconds). */
type Act = readonly [kind: ActionKind, at: Action['at'], who: number, forMs?: number, chance?: number];

interface Given {
  readonly tabs: number;
  readonly options?: Plan['options'];
  readonly server?: ServerKind;
  readonly locks?: boolean;
  /** Of an access token, seconds. */
  readonly life?: number;
  readonly lengthMs?: number;
  /** How long clients take before they send, at most. */
  readonly prepareMs?: number;
  /** The part of messages that is lost. */
  readonly lost?: number;
  /** A server that is down refuses without a word. */
  readonly wordless?: boolean;
  /** The part of requests, or of store operations, that meets one of these faults. */
  readonly requests?: readonly [rate: number, ...faults: Plan['requestFaults']];
  readonly store?: readonly [rate: number, ...faults: Plan['storeFaults']];
  readonly acts: readonly Act[];
}

const [A, B, C, D] = [0, 1, 2, 3];
/** Whose phase it is. */
const WHOSE = -1;

function when(phase: string, nth = 1): Action['at'] {
  return { phase, nth, after: 0 };
}

function world(given: Given): Partial<Plan> {
  const {
    tabs,
    options,
    server = 'strict',
    locks = true,
    life = 600,
    lengthMs = 90_000,
    prepareMs = 0,
    lost = 0,
    wordless = false,
  } = given;
  const [request = 0, ...requestFaults] = given.requests ?? [];
  const [store = 0, ...storeFaults] = given.store ?? [];
  return {
    participants: tabs,
    options: {
      refreshTimeoutMs: 10_000,
      leaderTimeoutMs: 3_000,
      refreshBeforeMs: undefined,
      minValidityMs: undefined,
      proactive: 'never',
      broadcast: 'pair',
      ...options,
    },
    server,
    isWordless: wordless,
    graceMs: 60_000,
    life,
    locks,
    oddLocks: false,
    prepareMs,
    storeBlocks: false,
    lengthMs,
    rates: { message: lost, store, request },
    // (A kind is drawn also where the rate is 0.)
    requestFaults: request > 0 ? requestFaults : ['slow-answer'],
    storeFaults: store > 0 ? storeFaults : ['hung'],
    actions: given.acts.map(([kind, at, who, forMs = 0, chance = 0.5], index) => ({
      id: `a${index}`,
      kind,
      at,
      who,
      for: forMs,
      chance,
    })),
  };
}

/**
 * Two pairs of one version, in a store that fails; then something more.
 *
 *     A  spends r1: r2, its write hangs ─ suspended ░░░░░░░░░░ hears the later term: writes r2 ─ sends r2: refused
 *     B                       spends r1: r3 ─ resigns, elected                     has r3
 */
function twoPairs(more: Act): Partial<Plan> {
  return world({
    tabs: 2,
    server: 'grace-latest',
    locks: false,
    lost: 0.4,
    store: [0.2, 'hung', 'refused'],
    acts: [
      ['force', 10_000, A],
      ['suspend', when('committing'), WHOSE, 16_000],
      ['force', 12_000, B],
      ['freeze', 23_000, B, 1_000],
      ['force', 40_000, A],
      more,
    ],
  });
}

/** Callers of B that wait for 2 s each, one after the other. */
const impatient: readonly Act[] = Array.from({ length: 16 }, (_, n) => [
  'get',
  10_000 + n * 2_100,
  B,
  0,
  0.2,
]);

export const scenarios: readonly Scenario[] = [
  //     A (holder)  ██ sends ─ hangs ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B           call: 2 s ✗   call: 2 s ✗   …   T + R ─▶ claim ─ steal ─ sends
  {
    guard: 'progress: the wait of earlier callers counts for the next one',
    within: 20,
    plan: world({
      tabs: 2,
      life: 8,
      acts: [['get', 9_000, A], ['suspend', when('sending'), WHOSE, 100_000], ...impatient],
    }),
  },
  //     A (holder)  ██ sends ─ hangs ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B           call ── T + R ─▶ claim ─ steal ─ sends ─▶ token
  ...[
    'progress: a caller waits longer than a takeover takes',
    'progress: a journal that says nothing for T + R is waited for no longer',
  ].map((guard) => ({
    guard,
    within: 20,
    plan: world({
      tabs: 2,
      options: { refreshTimeoutMs: 30_000 },
      life: 8,
      lengthMs: 150_000,
      acts: [
        ['get', 9_000, A],
        ['suspend', when('sending'), WHOSE, 140_000],
        ['get', 10_000, B, 0, 0.9],
        ['get', 51_000, B, 0, 0.9],
      ],
    }),
  })),
  //     A (holder)  ██ attempt lock ─ hangs before its journal ░░░░░░░
  //     B           call ── T + R ─▶ claim ─ steal ─ sends ─▶ token
  {
    guard: 'progress: after a steal an attempt lock without a journal is not waited for',
    within: 100,
    plan: world({
      tabs: 2,
      options: { refreshTimeoutMs: 30_000 },
      life: 8,
      lengthMs: 150_000,
      acts: [
        ['get', 9_000, A],
        ['suspend', when('probing'), WHOSE, 140_000],
        ['get', 10_000, B, 0, 0.9],
        ['get', 51_000, B, 0, 0.9],
      ],
    }),
  },
  //     A (holder)  ██ suspended ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B              T + R of silence ─▶ claim ✓ ─ steals ░ suspended ░░░░░ has its timer before its lock: waits
  //     C                                                                    queued, sends after B
  {
    guard: 'locks: a tab that stood still waits once more for the answer to its steal',
    within: 500,
    plan: world({
      tabs: 3,
      options: { refreshTimeoutMs: 5_000, proactive: 'always' },
      life: 60,
      lengthMs: 150_000,
      acts: [
        ['suspend', when('sending'), WHOSE, 100_000],
        ['suspend', when('stealing'), WHOSE, 20_000],
      ],
    }),
  },
  //     A (holder)  ██ suspended ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B              T + R of silence ─▶ claim ✓ ░░ suspended ░░░░░░░░░░░ knows of it: steals, from C
  //     C                                      claim ✗ ── T + R ─▶ claim ✓ ─ steals ─ refresh …
  {
    guard: 'a claim that was won long ago steals nothing',
    within: 100,
    plan: world({
      tabs: 3,
      options: { refreshTimeoutMs: 5_000, proactive: 'always' },
      life: 60,
      lengthMs: 150_000,
      acts: [
        ['suspend', when('sending'), WHOSE, 100_000],
        // The sign-in, the journal, the claim.
        ['suspend', when('written', 3), WHOSE, 13_000],
      ],
    }),
  },
  //     A (holder)  ██ suspended ░░░░░░░░░░░░░░░ dies
  //     B              T + R of silence ─▶ claim ░░░░░░░░░░░░░░░ ✓: has the lock already, steals nothing
  //                                                granted ─ journal …
  {
    guard: 'a claim that comes back after the lock was granted steals nothing',
    within: 500,
    plan: world({
      tabs: 3,
      options: { refreshTimeoutMs: 5_000, proactive: 'always' },
      life: 60,
      lengthMs: 150_000,
      store: [0.3, 'slow'],
      acts: [
        ['suspend', when('sending'), WHOSE, 100_000],
        ['crash', when('claiming'), A],
        ['crash', when('claiming'), B],
      ],
    }),
  },
  //     A (no store)  sends ─ pair P1: said, and the locks let go at once ─╮
  //     B (store)     queues ░░░░░░░░░░░░░░░░░ granted: journal ✓ ─ sends ✗ ╰▶ hears P1
  {
    guard: 'news that no store tells is heard before the locks go',
    within: 500,
    plan: world({
      tabs: 2,
      store: [0.5, 'refused'],
      lengthMs: 120_000,
      acts: [
        ...[10_000, 12_000, 14_000, 16_000, 20_000, 30_000, 45_000, 60_000].map((at): Act => [
          'force',
          at,
          A,
        ]),
        ...[1, 2, 3, 4, 5, 6].map((nth): Act => ['force', when('sending', nth), B]),
      ],
    }),
  },
  //     A (leads)  cached: term 7, without a leader (not heard) ░░░░░░░ returns ─ reads of B: is not elected
  //     B                           hello, no answer ─ elected: term 7
  {
    guard: 'no election once a leader is known, be it of the same term',
    within: 500,
    plan: world({
      tabs: 2,
      lost: 0.4,
      acts: [
        ['cache', 10_000, A, 20_000],
        ['hide', 12_000, B, 2_000],
      ],
    }),
  },
  //     A                                   accepts ─ pair v2 ─╮      accepts ─ pair v3 ─╮
  //     B (no store, an hour ahead)  asks ─────────────────────╰▶ dead: asks ────────────╰▶ dead, and served all the same
  {
    guard: 'a token that still looks dead after a second refresh does so by the clock of this tab',
    within: 100,
    plan: world({
      tabs: 10,
      lengthMs: 120_000,
      acts: [
        ['jump', 4_000, B, 0, 0.98],
        // B alone looks at it, so often that it then leaves it alone for a minute.
        ['store-down', 5_000, A, 20_000],
        ...[6_000, 7_000, 8_000, 10_000, 20_000].map((at): Act => ['focus', at, B]),
        ['get', 26_000, B],
        ['get', 52_000, B],
      ],
    }),
  },
  //     A (no store, no locks)  attempt 1: sends ─ cached, resigns ─▶ C hears of it, and waits T
  //     B (no store, no locks)  attempt 1: sends ─ frozen, resigns ─▶ D hears of it ─ has its store again: writes it
  //     C                                                                                 reads of it ── T is over ✗
  {
    guard: 'of two journals of one term, by two tabs without a store, each is waited for',
    within: 1_000,
    plan: world({
      tabs: 4,
      locks: false,
      lost: 0.4,
      requests: [1, 'hung-answer'],
      acts: [
        ['store-down', 5_000, A, 3_500],
        ...[6_000, 7_000].flatMap((at) => [A, B, D].map((who): Act => ['focus', at, who])),
        ['suspend', 9_800, C, 600],
        ['suspend', 9_800, D, 600],
        ['force', 10_000, A],
        ['force', 10_000, B],
        ['cache', 10_350, A, 60_000],
        ['freeze', 10_350, B, 60_000],
        // (Who waits elects nobody.)
        ['force', 10_401, C],
        ['force', 10_401, D],
        ['focus', 18_000, C],
      ],
    }),
  },
  //     A  sends ─ closed ─ cached ░░░░░░ returns ░░░░░░░░░░░░░░░░░░░░░░░░░
  //     B                            sends ✗ ──────── sends, while A's request is answered
  {
    guard: 'attempt lock: taken again also by a page whose coordinator was closed',
    within: 500,
    plan: world({
      tabs: 2,
      options: { refreshTimeoutMs: 30_000 },
      requests: [0.9, 'hung-answer', 'lost-request'],
      acts: [
        ['force', 10_000, A],
        ['close', 12_000, A],
        ['force', 13_000, B],
        ['cache', 14_000, A, 2_000],
      ],
    }),
  },
  //     A  sends ░░░░░░░░░ suspended ░░░░░░░░░░░░░░░░░░░░░░░░░▶ answer: a pair
  //     B                  its lease is over: sends ─ refused: lost
  {
    guard: '⚑ after invalid_grant: another attempt that may still be answered is waited for',
    within: 1_000,
    plan: world({
      tabs: 2,
      locks: false,
      requests: [0.5, 'slow-answer'],
      acts: [
        ['force', 10_000, A],
        ['force', 10_100, B],
        ['suspend', 15_000, A, 5_150],
      ],
    }),
  },
  //     A  journal 1, its write hangs ─ frozen ░ returns ─ journal 2 of the same term ✓ ─ sends ░░░░░░ 1 failed: notes it in 2 ░░░░
  //     B                                                                                    reads of a failure, does not wait: sends
  {
    guard: 'an attempt that was never written does not fail the next one of the same term',
    within: 300,
    plan: world({
      tabs: 2,
      locks: false,
      requests: [1, 'slow-answer'],
      store: [0.25, 'hung'],
      acts: [
        ['force', 10_000, B],
        ['freeze', when('journaling'), WHOSE, 50],
        ['force', 13_300, A],
        ['force', 15_000, A],
        ['force', 17_000, A],
      ],
    }),
  },
  //     A  spends r1, unheard ─ again: refused ─ waits for others ─ writes the loss: the store hangs ░░░░ fails: waits ½ s instead, sends
  //     B                                            its lease is over: sends ─ 429, wait 30 s ─▶ A hears it
  {
    guard: 'a store that fails ends no longer wait',
    within: 5_000,
    plan: world({
      tabs: 2,
      options: { refreshTimeoutMs: 5_000 },
      locks: false,
      requests: [0.6, 'error-answer', 'rate-limited'],
      store: [0.15, 'hung'],
      acts: [
        ['force', 10_000, B],
        ['force', 10_300, A],
      ],
    }),
  },
  //     A  spends r1 ───────── T ──────────────────────▶ pair: its write hangs ░░░░░░ fails: a spare, again: the same spare
  //     B                        spends r1: pair ✓
  //     …  refused: the spare becomes the pair ─ refused: the same one once more
  {
    guard: 'a spare whose first write was reported as failed is kept once',
    within: 1_000,
    plan: world({
      tabs: 2,
      options: { refreshTimeoutMs: 2_000, proactive: 'visible' },
      server: 'grace-new',
      locks: false,
      requests: [0.3, 'slow-answer'],
      store: [0.1, 'hung'],
      acts: [
        ['force', 10_000, A],
        ['force', 10_500, A],
        ['get', 12_500, A],
        ['revoke', 30_000, A],
        ['force', 40_000, A],
        ['force', 50_000, A],
      ],
    }),
  },
  //     A  journal, term 2: sends ─ crashes
  //     C  reads it                                                      waits for B's lock: 2T since A's journal, or B's?
  //     B (no store, never heard)      journal, term 2: sends ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  {
    guard: 'two journals of one term, by a tab with a store and by one without, are two',
    within: 100,
    plan: world({
      tabs: 3,
      lost: 0.3,
      requests: [1, 'hung-answer'],
      acts: [
        ['store-down', 5_000, A, 3_500],
        ...[6_000, 6_500, 7_000, 7_500].map((at): Act => ['focus', at, B]),
        ['force', 10_000, A],
        ['focus', 10_100, C],
        ['crash', 11_000, A],
        ['store-down', 21_990, A, 400],
        ['force', 22_000, B],
        ['freeze', 22_600, B, 60_000],
        ['force', 23_000, C],
      ],
    }),
  },
  //     B  spends r1 ──────── T ─────────────────────▶ pair: a spare, in the store
  //     C                       spends r1: pair ✓           closes: term + 1
  //     A                                                     hears of it ─ elected: writes what it knows
  {
    guard: 'a spare is not forgotten by a tab that has only heard of a later term',
    within: 500,
    plan: world({
      tabs: 3,
      options: { refreshTimeoutMs: 5_000 },
      server: 'grace-new',
      requests: [0.5, 'slow-request', 'slow-answer'],
      acts: [
        ['force', 10_000, B],
        ['force', 12_000, C],
        ['close', 28_000, C],
      ],
    }),
  },
  //     A  … refused: lost ─ resigns
  //     B                      has r3, hears of the loss ─ elected: writes r3 as lost
  {
    guard: 'of two pairs of one version the one that loses is kept as a spare',
    within: 2_000,
    plan: twoPairs(['freeze', 55_000, A, 1_000]),
  },
  //     A  … refused: r3, the spare, is the pair
  //     B                                         refuses r3's access token
  {
    guard: 'the access token of a pair that lost is not handed out again',
    within: 2_000,
    plan: twoPairs(['force', 60_000, B]),
  },
  //     A  spends r1: r2 ─ (wiped)                                          refuses r2's access token
  //     B              spends r1: r3 ─ (wiped)           writes r3 as a spare    (the server ends them all)
  //     C                             spends r1: r4, stored                    r4 refused: r3 is next ─ refused: r2 is next
  {
    guard: 'a token that is not to be used is not served, however new it is',
    within: 500,
    plan: world({
      tabs: 3,
      server: 'grace-new',
      lost: 0.9,
      acts: [
        ['force', 10_000, A],
        ['wipe', 11_000, A],
        ['force', 12_000, B],
        ['wipe', 13_000, A],
        ['force', 14_000, C],
        ['focus', 20_000, B],
        ['revoke', 25_000, A],
        ['force', 30_000, A],
      ],
    }),
  },
  //     A  attempt 1 ───────── 2T ─ attempt 2 ─ closed ─▶ pair of the first one: counts
  {
    guard: 'a closed tab takes any answer as long as it waits for one',
    within: 500,
    plan: world({
      tabs: 1,
      options: { refreshTimeoutMs: 30_000, proactive: 'always' },
      server: 'grace-new',
      life: 60,
      lengthMs: 130_000,
      requests: [1, 'slow-answer', 'hung-request'],
      acts: [
        ['force', 10_000, A],
        ['close', 72_000, A],
      ],
    }),
  },
  //     A  sends ░░░░░░ signs out, not stored ─ closed: gone ░░░░░░░░░░░░ its request ends
  //     B                                              opens: goes on with the session
  {
    guard: 'a tab that is gone writes nothing any more, since it can tell nobody',
    within: 100,
    plan: world({
      tabs: 1,
      options: { refreshTimeoutMs: 5_000 },
      lengthMs: 60_000,
      requests: [1, 'hung-answer'],
      acts: [
        ['force', 10_000, A],
        ['store-down', 21_000, A, 20_000],
        ['sign-out', 22_000, A],
        ['close', 24_000, A],
        ['open', 45_000, A],
      ],
    }),
  },
  //     A  sends ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ just before the deadline, every later caller is let go
  {
    guard: 'a caller that is let go is served a token that lives',
    within: 100,
    plan: world({
      tabs: 1,
      options: { refreshTimeoutMs: 30_000 },
      requests: [1, 'hung-request'],
      acts: [
        ['force', 10_000, A],
        // For nearly the whole life of a token.
        ['get-fresh', 20_000, A, 0, 0.99],
      ],
    }),
  },
  //     A  attempts, all refused: the last one failed long ago
  //     B  missed the last of them ─ (wiped) ─ writes back what it knows ─ sends ─ frozen ░░░░░░░░░
  //     C  knows of all                                                     waits for B's lock
  {
    guard: 'a journal that failed long ago says nothing of who has the attempt lock now',
    within: 500,
    plan: world({
      tabs: 3,
      options: { refreshTimeoutMs: 2_000 },
      lost: 0.3,
      requests: [0.7, 'error-request', 'oauth-error'],
      acts: [
        ['force', 10_000, A],
        ['wipe', 30_000, A],
        ['force', 40_000, B],
        ['freeze', 40_030, B, 10_000],
        ['force', 40_035, C],
      ],
    }),
  },
  //     B  missed r2 ──── spends r1: r3, the store has it
  //     A  spends r1: r2 ─ (wiped)                       (a server that gives a further pair, of which only the newest lives)
  //     C  heard r2, and r3, which is a spare ────────── spends r2: refused ─ frozen ░░░░░░░░░░░░ takes the spare: which is r2 by now
  //     D  has r3, hears that C resigns ─────────────────────────────────────── elects itself: in the store r3 counts, r2 is the spare
  {
    guard: 'a session ends only with the very token that was refused',
    within: 4_000,
    plan: world({
      tabs: 5,
      server: 'grace-latest',
      life: 60,
      lost: 0.4,
      acts: [
        ['force', 10_000, B],
        ['wipe', 12_000, A],
        ['force', 14_000, C],
        ['force', 20_000, D],
        ['freeze', when('reconciling'), WHOSE, 8_000],
      ],
    }),
  },
  //     A  resigns: term 2, no leader ─▶ C hears it
  //     B  (never heard) T + R ─▶ claims from term 1: term 2, led by B ─ steals from D, who stands still
  //     C                T + R ─▶ term 2, as it knows: claims, steals from B?
  {
    guard: 'a claim of the same term, by a tab that missed a resignation, is a sign of life',
    within: 500,
    plan: world({
      tabs: 4,
      options: { refreshTimeoutMs: 5_000, proactive: 'always' },
      life: 20,
      lengthMs: 60_000,
      lost: 0.4,
      acts: [
        ['force', 10_000, D],
        ['suspend', when('journaling'), WHOSE, 100_000],
        ['freeze', 19_500, A, 100_000],
      ],
    }),
  },
  //     A  spends r1 ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ answer: r2, too
  //     B               spends r1: the same r2 ─ (the server ends it) ─ refused: lost
  //     C                                                   refuses r2's access token, never hears of the loss
  {
    guard: 'commit: a late answer that repeats what was lost brings nothing back',
    within: 200,
    plan: world({
      tabs: 3,
      options: { refreshTimeoutMs: 30_000 },
      server: 'grace-same',
      locks: false,
      lost: 0.5,
      acts: [
        ['force', 10_000, A],
        ['freeze', when('sending'), WHOSE, 60_000],
        ['force', 11_000, B],
        ['revoke', 45_000, A],
        ['force', 50_000, B],
        ['force', 50_020, C],
      ],
    }),
  },
  //     B  signs out: on its way to the store ░░░░░░░ asks for a token
  {
    guard: 'sign-out is final in this tab before the store answers',
    within: 100,
    plan: world({
      tabs: 2,
      store: [0.5, 'slow'],
      acts: [
        ['sign-out', 20_000, B],
        ['get', 20_030, B],
        ['get', 20_200, B],
      ],
    }),
  },
  //     A  signs in: f1 ✓ ······ hangs ····················· failed: tries again
  //     B          spends f1's r1: version 2    signs in: f2 ✓
  {
    guard: 'a sign-in that was written but reported as failed is not written over one that came after it',
    within: 200,
    plan: world({
      tabs: 2,
      store: [0.3, 'hung-written'],
      acts: [
        ['force', 2_200, B],
        ['sign-in', 2_600, B],
        ['force', 10_000, A],
      ],
    }),
  },
  //     A  … refused: lost ─ resigns
  //     B                      has r3, hears of the loss: r3 lost, and r2 its spare?
  {
    guard: 'a session with a spare has not ended',
    within: 2_000,
    plan: twoPairs(['freeze', 55_000, A, 1_000]),
  },
  //     A  signed in
  //     B            opens: reads ░░░ signs out: of whom?
  {
    guard: 'a sign-out in a tab that has only just been opened waits for the first read',
    within: 100,
    plan: world({ tabs: 2, acts: [['sign-out-page', 20_000, A]] }),
  },
  //     A  signed in
  //     B            opens: reads ✗ ✗ ✗, hears nobody ─ signs out: nobody, as far as it knows
  {
    guard: 'a sign-out in a tab that could not read the store has ended nothing, and says so',
    within: 100,
    plan: world({ tabs: 1, lost: 0.9, store: [0.6, 'refused'], acts: [['sign-out-page', 20_000, A]] }),
  },
  //     A  400 ─ 10 s ─ 400 ─ 10 s ─ 400: lost, refresh_unanswered
  //     B                                     hears of it ░░░░░░░ is looked at: sends ─ 503 ░░░░░░ sends no more
  {
    guard: 'refusals: of each wake-up comes one request, however that fails',
    within: 500,
    plan: world({
      tabs: 2,
      requests: [1, 'empty-request', 'empty-request', 'error-request'],
      lengthMs: 160_000,
      acts: [
        ...[10_000, 21_000, 32_000].map((at): Act => ['force', at, A]),
        ...[60_000, 90_000, 120_000].map((at): Act => ['focus', at, B]),
      ],
    }),
  },
  //     A  journal ✓ ─ prepares ░░░░░ (shared part away: three operations fail) ░░░░░ prepared: does not send
  {
    guard: 'processes: without the shared part nothing is sent',
    within: 50,
    plan: world({
      tabs: 1,
      prepareMs: 4_000,
      acts: [
        ['force', 10_000, A],
        ['store-down', { phase: 'sending', nth: 1, after: 20 }, A, 20_000],
        ...[30, 40, 50].map((after): Act => [
          'sign-in-if-signed-out',
          { phase: 'sending', nth: 1, after },
          A,
        ]),
      ],
    }),
  },
  //     A  400, three times: lost, unanswered ─╮
  //     B                                       ╰▶ hears of it ─ three failures: no store ░░░ 20 s later: tries once more, by a journal in memory
  {
    guard: 'processes: without the shared part nothing is journaled in memory either',
    within: 500,
    plan: world({
      tabs: 3,
      wordless: true,
      lengthMs: 120_000,
      store: [0.5, 'refused'],
      acts: [
        ['server-down', 9_000, A, 110_000],
        ...Array.from({ length: 30 }, (_, n): Act => ['force', 10_000 + n * 3_500, n % 3]),
      ],
    }),
  },
];
