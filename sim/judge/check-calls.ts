import type { Check, Violate } from './check.js';
import type { Call, Participant } from '../world/participant.js';
import { audienceKey, isOpen } from '../../src/core/record.js';
import { readToken } from '../world/server.js';
import type { Tab } from '../world/tab.js';
import type { Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

/** Milliseconds that timers may be early by rounding. */
const SLACK_MS = 50;

/** I3, and the callers' side of I4 and I5: when calls settle, and with what. */
export function checkCalls(world: World, truth: Truth, violate: Violate): Check {
  const { plan } = world;
  const T = plan.options.refreshTimeoutMs ?? 30_000;

  function sessionsOf(family: string): string[] {
    return [...truth.familyOf].filter(([, of]) => of === family).map(([session]) => session);
  }

  function fetchedBlindly(token: string): boolean {
    return world.network.exchanges().some(({ answer, request }) => {
      const given = answer?.kind === 'tokens' ? answer.tokens.access_token : undefined;
      return given === token && truth.excuses.get(request.refreshToken ?? '')?.has('blind');
    });
  }

  /** Whether this token never came in an answer that may be used. */
  function isRefused(token: string): boolean {
    const heard = world.network
      .exchanges()
      .filter(({ answer }) => answer?.kind === 'tokens' && answer.tokens.access_token === token);
    return heard.length > 0 && heard.every(({ fault }) => fault === 'other-type');
  }

  /** I7: a store that could not be read is not an empty one. */
  function checkSignedOut({ by, number }: Call): void {
    const state = by.state();
    if (state?.record || (state?.storage === 'memory' && !state.unread) || truth.storeReset()) return;
    if (isOpen(world.database.history()[3] ?? world.database.value()) && isOpen(world.database.value())) {
      violate('I7', `call ${number} of ${by.tab.name} is told that nobody is signed in`);
    }
  }

  /** I7: a token that lives is better than an error. */
  function checkRefused({ by, number, held, options, outcome }: Call): void {
    const lives = held !== undefined && by.coordinator.peekAccessToken(options) === held;
    const patient = ['ERR_REFRESH_UNAVAILABLE', 'ERR_REFRESH_REJECTED', 'ERR_REAUTH_REQUIRED'];
    // (A process that cannot reach the shared part does not know whether the session is over.)
    if (!plan.leases) patient.push('ERR_STORAGE');
    if (lives && !options.forceRefresh && patient.includes(outcome!.code!)) {
      violate('I7', `call ${number} of ${by.tab.name} is told ${outcome!.code}, and its token lives`);
    }
  }

  /** I4: a session that a tab had not read yet when it was told to sign out is over, too; with a store that can be read. */
  function checkSignOut({ by, unread, outcome }: Call): void {
    if (unread === undefined || outcome?.code !== undefined || truth.storeReset()) return;
    // A tab that has no store for good knows only messages.
    const state = by.state();
    if (state?.storage === 'indexeddb' || state?.unread) by.over.add(unread);
  }

  /** When a participant last took over and let the lock go again, without a request; virtual time. */
  let idleTakeover = -Infinity;
  /** How long each tab has asked in vain, since when (virtual time), and until when. */
  const inVain = new Map<Participant, { ms: number; readonly from: number; until: number }>();

  /**
   * I3: one tab that stands still holds nobody up for longer than T + R, and a moment; the waits of earlier calls of a tab count.
   * Judged where nothing else is wrong, and where it stands still once. A tab that wakes shows that it lives, and the wait for it begins anew:
   *
   *     A  holds the lock, stands still ──╮ wakes, sends, stands still again ──────────────╮
   *     B  asks ──────────────────────────┴ sees A's journal, and gives A its time ── B's call reaches its limit
   *
   * Nor where it was replaced by a tab that wanted to lead, and no token: nobody else knows that it stands still.
   *
   *     A  holds both locks, stands still ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
   *     B  stands for election ── T + R ─▶ claims, steals, lets go
   *     C            asks ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ granted: waits T for A's attempt lock
   *
   * Nor where the callers of the process that took over have run out of patience, since it had stood still as well, before:
   *
   *     A                       both leases, stands still ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
   *     B  asks ░ stands still ░ granted: waits T for A's attempt lease ── its caller has left: lets go
   *     C                          asks ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ granted: waits T for A's attempt lease
   */
  function checkProgress({ by, outcome, options, limitMs }: Call, waited: number): void {
    const now = world.scheduler.now();
    // (A tab that stood still itself has waited for less time than its clock says.)
    const ran = waited > limitMs - SLACK_MS && by.tab.throttled() <= SLACK_MS;
    if (outcome?.code !== 'ERR_TIMEOUT' || options.forceRefresh || !ran) return void inVain.delete(by);
    const started = now - waited;
    const series = inVain.get(by) ?? { ms: 0, from: started, until: started };
    series.ms += now - Math.max(started, series.until);
    series.until = now;
    inVain.set(by, series);
    const still = world.participants.filter(({ tab }) => tab.alive() && tab.standstills(series.from) > 0);
    const standstills = still.reduce((sum, { tab }) => sum + tab.standstills(series.from), 0);
    const { prepareMs } = plan;
    const calm = Object.keys(world.stats.faults).every((fault) => fault === 'suspend') && prepareMs <= 400;
    if (!calm || !plan.locks || standstills > 1 || still.includes(by) || by.left || by.closed) return;
    // (It had its turn, and the server's answer follows; or another tab took over, and its answer was no token: the one that stands still has it.)
    const isStill = (tab: Tab): boolean => still.some((one) => one.tab === tab);
    if (world.network.exchanges().some(({ tab, begunAt }) => !isStill(tab) && begunAt >= series.from)) return;
    if (idleTakeover >= series.from) return;
    // Of a process that wakes and finds its lease gone the journal may be written all the same: it is waited for like any other.
    if (plan.leases && still.some(({ tab }) => tab.running() && tab.lastStill() >= series.from)) return;
    // (By its default limit one call is enough.)
    const enough = T + Math.min(T, 5_000) + 5_000 - SLACK_MS;
    if (options.timeoutMs === undefined || series.ms > enough)
      violate(
        'I3',
        `${by.tab.name} asks in vain for ${Math.round(series.ms)} ms, while one tab stands still`,
      );
  }

  return {
    step(_by, _event, before, { flight, record }) {
      const phase = flight || record !== before?.record ? undefined : before?.flight?.phase;
      if (phase === 'stealing' || (plan.leases && phase === 'probing')) idleTakeover = world.scheduler.now();
    },

    settled(call) {
      const { by, kind, outcome } = call;
      const waited = by.tab.age() - call.since;
      if (kind === 'get') checkProgress(call, waited);
      if (kind === 'get' && waited > call.limitMs + lateness(call)) {
        violate(
          'I3',
          `call ${call.number} of ${by.tab.name} settled after ${Math.round(waited)} ms, limit ${call.limitMs}`,
        );
      }
      if (kind === 'sign-out') checkSignOut(call);
      if (kind !== 'get' || !outcome) return;
      if (outcome.token === undefined) {
        if (outcome.code === 'ERR_SIGNED_OUT') checkSignedOut(call);
        checkRefused(call);
        if (plan.profile === 'no-faults' && !expected(call)) {
          violate(
            'I3',
            `call ${call.number} of ${by.tab.name} failed with ${outcome.code} without any fault`,
          );
        }
        return;
      }
      if (isRefused(outcome.token)) violate('I5', `${by.tab.name} hands out a token of another type`);
      const { family, audience } = readToken(outcome.token);
      if (call.session !== undefined && truth.familyOf.get(call.session) !== family) {
        violate(
          'I5',
          `call ${call.number} of ${by.tab.name} asked in ${call.session} and got a token of ${family}`,
        );
      }
      // (A journal that went with the store, or that a tab without one never heard of, told whom a replayed answer is for.)
      if (audience !== audienceKey(call.options) && !truth.storeReset() && !fetchedBlindly(outcome.token)) {
        violate('I5', `call ${call.number} of ${by.tab.name} got a token for '${audience}'`);
      }
      if (call.options.forceRefresh && outcome.token === call.held) {
        violate('I5', `call ${call.number} of ${by.tab.name} was given the very token that it had refused`);
      }
      if (sessionsOf(family).some((session) => by.over.has(session))) {
        violate('I4', `${by.tab.name} hands out a token of ${family}, which it knows to be signed out`);
      }
    },
  };
}

/** Failures that need no fault: nobody is signed in, the tab was closed, the caller had less patience than a request takes. */
function expected({ outcome, options }: Call): boolean {
  const code = outcome?.code;
  return (
    code === 'ERR_SIGNED_OUT' ||
    code === 'ERR_CLOSED' ||
    (code === 'ERR_TIMEOUT' && options.timeoutMs !== undefined)
  );
}

/** The lateness of timers: they are throttled in hidden tabs, and by a little everywhere. */
export function lateness({ by }: Call): number {
  return by.tab.throttled() + 50;
}
