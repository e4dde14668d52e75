import type { fault } from './core/calls.js';
import type { tell } from './core/commit.js';
import type { silenceMs } from './core/limits.js';
import type { LockOutcome } from './core/ports.js';
import type { attemptLock, isLost, isOpen, SessionRecord, tombstone } from './core/record.js';
import type { Change, Event, State, Turn } from './core/state.js';
import type { StoreResult } from './core/outcome.js';
import type { TokenResponse } from './core/types.js';
import type { Ports } from './runtime.js';

/** How often a record is read while a request may be under way and no lock tells of it; milliseconds. */
const LOOK_AGAIN_MS = 200;

/**
 * The parts of its coordinator that it needs. The functions are handed over, not imported: a bundler puts each module that a lazy chunk shares with the
 * page's first one into a third, and each app would pay for that.
 */
export interface ExportContext {
  readonly ports: Pick<Ports, 'locks' | 'clock'>;
  readonly state: () => State;
  readonly dispatch: (event: Event) => void;
  readonly core: {
    readonly attemptLock: typeof attemptLock;
    readonly fault: typeof fault;
    readonly isLost: typeof isLost;
    readonly isOpen: typeof isOpen;
    readonly silenceMs: typeof silenceMs;
    readonly tell: typeof tell;
    readonly tombstone: typeof tombstone;
    readonly SCHEMA: number;
  };
}

/**
 * Ends the session without revoking it, and returns its pair. Nothing may be sent between the two, so it takes both locks of a refresh: the
 * one under which requests begin, and the one that lasts until their answer.
 *
 *     B  refresh ── journal ─ request ───────────── pair ─ unlocks
 *     A  export ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ both locks ─ reads the new pair ─ tombstone
 *
 * A tab that stands still loses its locks, so the tombstone is written only on the pair that was read:
 *
 *     A  export: locks, reads v1 ─ frozen ░░░░░░░░░░░░░░░░░░░░░░░░░░░░ tombstone? v2 is there: reads again
 *     B                              claims, steals ─ sends v1 ─ v2
 */
export async function exportSession(context: ExportContext): Promise<TokenResponse | undefined> {
  const { ports, state, core } = context;
  const { isOpen, fault, attemptLock } = core;
  if (state().closed) throw fault('ERR_CLOSED');
  const release = await lock(context, 'refresh');
  try {
    for (let record = await newest(context); isOpen(record); record = await newest(context)) {
      assertExportable(context, record);
      const free = await lock(context, attemptLock(record));
      try {
        const known = state().options.locks ? await newest(context) : await afterRequest(context);
        if (!isSameState(known, record) || !(await bury(context, record))) continue;
        // guard: a session that only waits for an answer is handed over
        return core.isLost(record) ? undefined : responseOf(record, ports.clock.wall());
      } finally {
        free();
      }
    }
    return undefined;
  } finally {
    release();
  }
}

/** Loses nothing: a session that this tab cannot hand over whole stays where it is. */
function assertExportable(
  { core: { fault, SCHEMA } }: ExportContext,
  { schema, accessTokens, withheld }: SessionRecord,
): void {
  if (withheld) throw fault('ERR_STORAGE');
  if (schema > SCHEMA) throw fault('ERR_UNSUPPORTED');
  if (accessTokens['']?.type.toLowerCase() === 'dpop') {
    throw fault(
      'ERR_UNSUPPORTED',
      undefined,
      'These tokens are bound to a key that stays here (RFC 9449); other code has to sign in anew',
    );
  }
}

/** Waits for a lock. Where locks are stolen, or do not work, the journal is what counts. */
function lock({ ports, state, core }: ExportContext, name: string): Promise<() => void> {
  const { locks, clock } = ports;
  if (!locks) return Promise.resolve(() => {});
  return new Promise((resolve, reject) => {
    // A holder that stands still is replaced by a tab that needs a token, not by this one.
    const cancelTimer = clock.setTimer(core.silenceMs(state().options), () => {
      release();
      reject(core.fault('ERR_TIMEOUT', undefined, 'A tab that stands still holds the session; try again'));
    });
    const release = locks.request(name, 'wait', (outcome: LockOutcome) => {
      cancelTimer();
      resolve(outcome === 'granted' ? () => release() : () => {});
    });
  });
}

/** One atomic operation on the store, as a step of the coordinator does it; `resume` runs in the step that hears of its end. */
function access(
  { dispatch, core }: ExportContext,
  change?: Change,
  resume = (_: Turn, _result: StoreResult): void => {},
): Promise<State> {
  return new Promise((resolve, reject) => {
    const stored = (t: Turn, result: StoreResult): void => {
      if (result.failed) return reject(core.fault('ERR_STORAGE'));
      resume(t, result);
      resolve(t.s);
    };
    dispatch({
      type: 'unreachable',
      resume: ({ effects }) => void effects.push({ type: 'store', change, real: false, resume: stored }),
    });
  });
}

/** The one that counts, of the store's and memory's. */
async function newest(context: ExportContext): Promise<SessionRecord | undefined> {
  return (await access(context)).record;
}

/** Without locks: until the journal tells how its request ended, and no longer than a tab may be silent. */
async function afterRequest(context: ExportContext): Promise<SessionRecord | undefined> {
  const { clock } = context.ports;
  const until = clock.monotonic() + context.core.silenceMs(context.state().options);
  let record = await newest(context);
  while (record?.journal && !record.journal.failure && clock.monotonic() < until) {
    await new Promise<void>((resolve) => void clock.setTimer(LOOK_AGAIN_MS, resolve));
    record = await newest(context);
  }
  return record;
}

/** Ends the session in every tab, if the store still has it in this state. Resolves to whether it did. */
async function bury(context: ExportContext, known: SessionRecord): Promise<boolean> {
  const { tell, tombstone } = context.core;
  let isBuried = false;
  await access(
    context,
    (base) => (isSameState(base, known) ? tombstone(base!, base!.term) : undefined),
    (t, { won, record }) => {
      isBuried = won;
      if (won) tell(t, 'signed-out', record!, true);
    },
  );
  return isBuried;
}

/** Whether no request can have begun from one to the other. */
function isSameState(one: SessionRecord | undefined, other: SessionRecord): boolean {
  return (
    one?.sessionId === other.sessionId &&
    one.version === other.version &&
    one.ended?.kind === other.ended?.kind &&
    one.journal?.attempt === other.journal?.attempt &&
    one.journal?.by === other.journal?.by
  );
}

/** As a token endpoint would answer now (RFC 6749 §5.1). */
function responseOf(
  { accessTokens, refreshToken, idToken, end }: SessionRecord,
  wall: number,
): TokenResponse {
  const { token = '', type, expiresAt } = accessTokens[''] ?? {};
  const secondsTo = (instant: number): number => Math.max(0, Math.floor((instant - wall) / 1000));
  return {
    access_token: token,
    token_type: type,
    ...(expiresAt !== undefined && { expires_in: secondsTo(expiresAt) }),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    ...(idToken !== undefined && { id_token: idToken }),
    ...(end && { refresh_token_expires_in: secondsTo(end.at) }),
  };
}
