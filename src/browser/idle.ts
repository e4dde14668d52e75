import type { CoordinatorEvent, EventType } from '../core/types.js';
import type { IdleOptions, TokenCoordinator } from '../types.js';

/** The time of the last activity is written no more often than this for the whole origin; milliseconds. */
const LONGEST_PAUSE_MS = 60_000;
/** `session-ending` comes a tenth of the time-out ahead, and no earlier than this; milliseconds. */
const LONGEST_NOTICE_MS = 300_000;
/** Another process sees what was written to `localStorage` after about so long; milliseconds. */
const READABLE_MS = 500;

/** The common knowledge of the user's activity; all instants are epoch milliseconds. */
export interface Activity {
  /** The last one. */
  readonly at: number;
  /** When it was written down. */
  readonly written: number;
  /** The end that a tab has warned of. */
  readonly warned?: number | undefined;
}

/** The page, as the idle time-out needs it. */
export interface IdlePorts {
  /** The tabs' last entry; `undefined`: nothing. */
  readonly read: () => Activity | undefined;
  readonly write: (activity: Activity) => void;
  /** Whether a user can see this page. */
  readonly isVisible: () => boolean;
  /** Calls back at every sign of the user, when the page may have stood still, and when it goes. Returns how to stop. */
  readonly listen: (active: () => void, woken: () => void, leaving: () => void) => () => void;
  /** Runs `work` in one tab at a time; where another one is at it, not at all. */
  readonly alone: (work: () => Promise<void>) => Promise<void>;
}

export type Notify = (type: EventType, event: CoordinatorEvent) => void;

/**
 * The coordinator of an app that signs out when nobody uses it. Nothing is handed out after the end, though the timer of a page that stood
 * still comes late.
 */
export async function guardIdle(
  options: IdleOptions,
  coordinator: TokenCoordinator,
  notify: Notify,
  ports: IdlePorts,
): Promise<TokenCoordinator> {
  const { isOver, settle, touch, stop } = await watchIdle(options, coordinator, notify, ports);
  const guarded =
    <A extends unknown[], R>(call: (...all: A) => Promise<R>) =>
    async (...all: A): Promise<R> => {
      await settle();
      const result = await call(...all);
      // The page may have stood still while it waited.
      return isOver() ? guarded(call)(...all) : result;
    };
  const peek =
    <A extends unknown[], R>(call: (...all: A) => R) =>
    (...all: A): R | undefined =>
      isOver() ? undefined : call(...all);
  return {
    ...coordinator,
    getAccessToken: guarded(coordinator.getAccessToken),
    getAuthorizationHeaders: guarded(coordinator.getAuthorizationHeaders),
    async exportSession() {
      await settle();
      // (Its session is over here: to ask again would lose the tokens.)
      return coordinator.exportSession();
    },
    peekAccessToken: peek(coordinator.peekAccessToken),
    peekIdToken: peek(coordinator.peekIdToken),
    setSession(...all) {
      touch();
      return coordinator.setSession(...all);
    },
    close() {
      stop();
      return coordinator.close();
    },
  };
}

/**
 * A tab that writes waits with the lock, before it reads and after it has written: other processes see `localStorage` later, and one that
 * stood still sees it after its own timers.
 *
 *     A  lock ─ (waits) ─ reads, writes ─ (waits) ─ unlock
 *     B                   (stands still)                   lock, would still read the old entry ─ (waits) ─ reads A's
 */
function untilReadable(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, READABLE_MS));
}

/** The idle time-out of this tab, in step with all others. */
interface IdleWatch {
  /** Nobody has been active for too long. */
  readonly isOver: () => boolean;
  /** Signs out if so. Resolves when that is done. */
  readonly settle: () => Promise<void>;
  /** A sign-in is activity. */
  readonly touch: () => void;
  readonly stop: () => void;
}

/**
 * Signs out after no activity in any tab. Each tab keeps the time of its own last activity in memory. It writes it down for the others at
 * most once a minute, so no event costs a message. One timer serves both that and the end, and only a visible tab and the leader look for
 * the end:
 *
 *     A  active ─ writes 0:00     active 0:20 ─ (waits) ── writes 0:20 at 1:00
 *     B                                                                        reads at the end of its timer: 0:20 + time-out
 */
async function watchIdle(
  { timeoutMs, warnBeforeMs = Math.min(timeoutMs / 10, LONGEST_NOTICE_MS) }: IdleOptions,
  coordinator: TokenCoordinator,
  notify: Notify,
  { read, write, isVisible, listen, alone }: IdlePorts,
): Promise<IdleWatch> {
  const pauseMs = Math.min(LONGEST_PAUSE_MS, (timeoutMs - warnBeforeMs) / 2);
  let mine = -Infinity;
  let shared: Activity | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last activity is to be written, and when this tab looks for the end. */
  let saveAt = Infinity;
  let lookAt = Infinity;
  /** Another tab was writing when this one wanted to. */
  let refused = false;
  let leaving: Promise<void> | undefined;

  /** (By a clock that was set back, it was not in the future.) */
  const last = (): number => Math.min(Math.max(mine, shared?.at ?? -Infinity), Date.now());
  const isSignedIn = (): boolean =>
    ['signed-in', 'reauth-required'].includes(coordinator.getSnapshot().status);

  function isOver(): boolean {
    if (Date.now() < last() + timeoutMs) return false;
    // Other tabs may have seen the user since.
    // guard: idle: other tabs are asked before the session ends
    shared = read();
    return Date.now() >= last() + timeoutMs;
  }

  async function settle(): Promise<void> {
    if (!isOver() || !isSignedIn()) return;
    // One sign-out for all who ask meanwhile.
    leaving ??= coordinator.signOut().finally(() => (leaving = undefined));
    await leaving;
  }

  function save(atOnce = false): void {
    saveAt = Infinity;
    shared = read();
    const isNews = mine > (shared?.at ?? -Infinity);
    const now = Date.now();
    const waitMs = (shared?.written ?? -Infinity) + pauseMs - now;
    // guard: idle: activity is written once a minute at most
    const isTooSoon = waitMs > 0 && waitMs <= pauseMs;
    // guard: idle: a tab that keeps the lock keeps nobody from writing
    if (isNews && isTooSoon && !atOnce) saveAt = now + waitMs;
    else if (isNews && (atOnce || refused)) write((shared = { at: mine, written: now }));
    else if (isNews) {
      // Tabs in use within one minute get here in the same moment. One of them writes; the others look again when they can read it. (A tab
      // that stands still may have the lock: they do not wait for it twice.)
      // guard: idle: a tab that could not write tries again before the end
      saveAt = now + Math.min(3 * READABLE_MS, pauseMs);
      refused = true;
      // guard: idle: of tabs that write at the same time one does
      void alone(async () => {
        // guard: idle: a tab with the lock waits before it reads
        await untilReadable();
        save();
        // guard: idle: a tab keeps the lock until others can read what it wrote
        arm();
        await untilReadable();
      }).catch(() => {});
      return;
    }
    refused = false;
  }

  function active(): void {
    // Activity after the end does not bring the session back.
    // guard: idle: activity after the end does not bring the session back
    if (isOver() && isSignedIn()) return void settle().catch(() => {});
    mine = Date.now();
    if (saveAt < Infinity) return;
    save();
    arm();
  }

  function touch(): void {
    mine = Date.now();
    save(true);
    look();
  }

  async function warn(endsAt: number): Promise<void> {
    await alone(async () => {
      await untilReadable();
      shared = read();
      if (shared?.warned === endsAt || endsAt !== last() + timeoutMs) return;
      write((shared = { at: endsAt - timeoutMs, written: shared?.written ?? Date.now(), warned: endsAt }));
      const { sessionId, version } = coordinator.getSnapshot();
      const at = Date.now();
      notify('session-ending', { type: 'session-ending', at, sessionId, version, reason: 'idle', endsAt });
      await untilReadable();
    });
  }

  /** The thing to do now, and when to look again. */
  function look(): void {
    lookAt = Infinity;
    if (isSignedIn() && (isVisible() || coordinator.getSnapshot().role === 'leader')) {
      if (isOver()) void settle().catch(() => {});
      else plan();
    }
    arm();
  }

  function plan(): void {
    shared = read();
    const now = Date.now();
    const endsAt = last() + timeoutMs;
    // (A visible tab warns first. A hidden leader finds its lock, or its mark.)
    const warnAt = endsAt - warnBeforeMs - (isVisible() ? READABLE_MS : 0);
    if (now >= warnAt && shared?.warned !== endsAt) void warn(endsAt);
    lookAt = now < warnAt ? warnAt : endsAt;
  }

  function arm(): void {
    clearTimeout(timer);
    const at = Math.min(saveAt, lookAt);
    if (at < Infinity) timer = setTimeout(tick, Math.min(at - Date.now(), 2 ** 31 - 1));
  }

  function tick(): void {
    if (Date.now() >= saveAt) save();
    look();
  }

  await coordinator.ready;
  shared = read();
  if (!shared) touch();
  await settle().catch(() => {});
  if (isVisible()) active();
  let known = '';
  const changed = (): void => {
    const { role, status } = coordinator.getSnapshot();
    if (known !== (known = `${role} ${status}`)) look();
  };
  const stops = [listen(active, look, () => save(true)), coordinator.subscribe(changed)];
  changed();
  return {
    isOver,
    settle,
    touch,
    stop() {
      clearTimeout(timer);
      for (const stop of stops) stop();
    },
  };
}
