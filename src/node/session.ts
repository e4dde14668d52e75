import { say } from '#texts';
import { fault, isDuration, isSignal, misused, standingError } from '../core/calls.js';
import { TokenCoordinatorError } from '../core/errors.js';
import { lifeOf, minValidity, remainingLife } from '../core/expiry.js';
import { patienceMs } from '../core/limits.js';
import { asSeenBy, audienceKey, isForeign, isOpen, type SessionRecord } from '../core/record.js';
import { asOf } from '../core/session-end.js';
import { newer } from '../core/join.js';
import { tokensIn } from '../core/pair.js';
import { messageOf, type Secrets } from '../core/sanitise.js';
import type { Snapshot } from '../core/types.js';
import type { CheckedOptions } from '../options.js';
import type { AccessTokenOptions, TokenCoordinator, TokenSelector } from '../types.js';
import { inTime } from './in-time.js';
import { createParticipant, type Participant } from './participant.js';
import type { ParticipantContext } from './participant-context.js';
import { readRecord, toKnown, type Known } from './record-store.js';

/** The parts that all sessions of a process share. */
export interface SessionContext extends ParticipantContext {
  readonly options: CheckedOptions;
  readonly trustMemoryMs: number;
  /** The session is in use: it is to be asked to rest later. Throws if nothing may be used any more. */
  readonly use: (session: Session) => void;
  /** The session of this key that is in use. */
  readonly inUse: (key: string) => Session | undefined;
}

/** The last read: enough to serve a fresh token without a core. */
interface Memory extends Known {
  /** When this process first saw this record, and when it last read it; monotonic. */
  readonly seenAt: number;
  readonly readAt: number;
}

/** How long after such a failure a call tries again; milliseconds. */
const WAKE_MS = 60_000;

const loading: Snapshot = Object.freeze({
  status: 'loading',
  refreshStatus: 'idle',
  role: 'none',
  storage: 'memory',
  version: 0,
});

/**
 * One session of many in a process. A fresh token is handed out after one read of the shared part. A core exists only while there is
 * something to do, and for a while after; so thousands of idle sessions cost little.
 */
export class Session {
  readonly key: string;
  lastUsed = 0;
  readonly #context: SessionContext;
  readonly #name: string;
  #core: Participant | undefined;
  #memory: Memory | undefined;
  #reading: Promise<Memory> | undefined;
  #snapshot = loading;
  /** Whose snapshot that is: a known end comes without a write. */
  #shown: { readonly mark: string | undefined; readonly ended: unknown } | undefined;
  #stopHearing: (() => void) | undefined;
  /** Calls that the core has not answered. They end when the core loses its store. */
  #calls: Set<AbortController> | undefined;
  /** The ways to attach each listener to a core, and to detach it. */
  #listeners: Map<(core: TokenCoordinator) => () => void, () => void> | undefined;
  #closed = false;

  constructor(context: SessionContext, key: string, name: string) {
    this.#context = context;
    this.key = key;
    this.#name = name;
  }

  /** The session that this process uses under the same id, if another one came first; else this one. */
  inUse(): Session {
    return this.#context.inUse(this.key) ?? this;
  }

  /** The token for a call that memory may serve by itself. */
  trustedToken(given?: AccessTokenOptions): string | undefined {
    const asked = Object(given) as AccessTokenOptions;
    if (this.#closed || !this.#isTrusted() || !isSignal(asked.signal)) return undefined;
    this.#use();
    return this.#freshToken(this.#memory!, asked);
  }

  async getAccessToken(given?: AccessTokenOptions): Promise<string> {
    const asked = Object(given) as AccessTokenOptions;
    if (!isSignal(asked.signal)) throw misused('signal');
    this.#use();
    const start = performance.now();
    const { timeoutMs = patienceMs(this.#context.options) } = asked;
    const isLimited = isDuration(timeoutMs);
    return this.#held(async () => {
      // The time that the read takes is part of the call's.
      const reading = this.#current();
      const memory = await untilAborted(
        isLimited ? inTime(reading, timeoutMs, () => fault('ERR_TIMEOUT')) : reading,
        asked.signal,
      );
      this.#wakeAgain();
      const token = this.#core ? undefined : this.#freshToken(memory, asked);
      if (token !== undefined) return token;
      const rest = isLimited ? Math.max(0, timeoutMs - (performance.now() - start)) : timeoutMs;
      return this.#ask(
        (core, signal) => core.getAccessToken({ ...asked, timeoutMs: rest, signal }),
        asked.signal,
      );
    });
  }

  /** `setSession` or `signOut`: a pair that only this process has does not count. */
  async change<R>(run: (core: TokenCoordinator) => Promise<R>): Promise<R> {
    this.#use();
    return this.#held(async () => {
      await this.#current();
      try {
        const result = await this.#ask(run);
        if (this.#isBroken()) throw this.#brokenFault();
        return result;
      } finally {
        this.#memory = undefined;
      }
    });
  }

  async getAuthorizationHeaders(
    request: Parameters<TokenCoordinator['getAuthorizationHeaders']>[0],
  ): Promise<Record<string, string>> {
    const { url, method = 'GET', resource, scope, previous } = Object(request) as typeof request;
    const asked = { resource, scope };
    const accessToken = this.trustedToken(asked) ?? (await this.getAccessToken(asked));
    const { sessionId } = this.snapshot();
    const { authorize } = this.#context.options.client;
    return (
      authorize?.({ url, method, accessToken, sessionId, previous }) ?? {
        Authorization: `Bearer ${accessToken}`,
      }
    );
  }

  /** Reads, for whoever waits for that; never rejects. */
  async ready(): Promise<void> {
    try {
      this.#use();
      await this.#held(() => this.#current());
    } catch {
      // The next call says why.
    }
  }

  peekAccessToken(selector: TokenSelector): string | undefined {
    if (this.#core) return this.#core.coordinator.peekAccessToken(selector);
    return this.#memory && this.#freshToken(this.#memory, { ...selector, minValidityMs: 0 });
  }

  peekIdToken(): string | undefined {
    if (this.#core) return this.#core.coordinator.peekIdToken();
    const record = this.#memory && this.#seen(this.#memory);
    return isOpen(record) ? record.idToken : undefined;
  }

  snapshot(): Snapshot {
    if (this.#core) return this.#core.coordinator.getSnapshot();
    const memory = this.#memory;
    if (!memory) return this.#snapshot;
    const record = this.#seen(memory);
    const ended = record?.ended?.kind;
    const shown = this.#shown;
    if (shown && shown.mark === memory.mark && shown.ended === ended) return this.#snapshot;
    this.#shown = { mark: memory.mark, ended };
    const open = isOpen(record) ? record : undefined;
    return (this.#snapshot = Object.freeze<Snapshot>({
      status: !open ? 'signed-out' : open.ended ? 'reauth-required' : 'signed-in',
      refreshStatus: 'idle',
      role: open ? 'follower' : 'none',
      storage: 'indexeddb',
      version: open?.version ?? 0,
      sessionId: open?.sessionId,
      subject: open?.subject,
      expiresAt: open?.accessTokens['']?.expiresAt,
      sessionExpiresAt: open?.end?.at,
      error:
        open || isForeign(record)
          ? standingError({ record, pause: undefined, options: this.#context.options })
          : undefined,
    }));
  }

  /** A session that somebody listens to keeps its core. */
  listen(attach: (core: TokenCoordinator) => () => void): () => void {
    try {
      this.#use();
    } catch {
      return () => {};
    }
    // One function that listens twice is two listeners.
    const mine: typeof attach = (core) => attach(core);
    const { coordinator } = this.#wake();
    (this.#listeners ??= new Map()).set(mine, mine(coordinator));
    return () => {
      this.#listeners?.get(mine)?.();
      this.#listeners?.delete(mine);
    };
  }

  /** Lets everything go that has not been used for a while. Returns whether nothing is left. */
  rest(idleMs: number): boolean {
    if (performance.now() - this.lastUsed < idleMs || this.#reading) return false;
    const core = this.#core;
    // (An answer that nobody else has is kept for as long as the shared part is away.)
    if (core && (this.#listeners?.size || this.#calls?.size || !core.isIdle() || core.isAhead()))
      return false;
    this.#forget();
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#listeners = undefined;
    this.#forget();
  }

  #use(): void {
    if (this.#closed) throw fault('ERR_CLOSED');
    this.lastUsed = performance.now();
    this.#context.use(this);
  }

  #forget(): void {
    this.#drop();
    this.#stopHearing?.();
    this.#stopHearing = this.#memory = this.#shown = undefined;
  }

  /** The present knowledge; the core, if there is one, knows it, too. */
  async #current(): Promise<Memory> {
    const memory = this.#isTrusted() ? this.#memory! : await this.#read();
    if (this.#closed) throw fault('ERR_CLOSED');
    const core = this.#core;
    if (!core) return memory;
    if (this.#isBroken()) {
      const { record } = core.state();
      if (newer(memory.record, record) !== memory.record || !core.isIdle()) {
        core.save();
        throw this.#brokenFault();
      }
      this.#drop();
    } else if (core.mark() !== memory.mark) {
      await core.tell(memory);
      // A store that failed over has lost what this process had written: the others would spend its old refresh token.
      if (newer(memory.record, core.state().record) !== memory.record) core.save();
    }
    return memory;
  }

  /** One read for all callers that ask at once. */
  #read(): Promise<Memory> {
    const { shared, hub, trustMemoryMs } = this.#context;
    // Before the read, or a change in between would go unheard.
    if (trustMemoryMs > 0) this.#stopHearing ??= hub.onChange(this.key, () => (this.#memory = undefined));
    return (this.#reading ??= readRecord(shared, this.key)
      .then(
        (stored) => {
          const readAt = performance.now();
          const known = this.#memory;
          return (this.#memory =
            known?.mark === stored?.mark && known
              ? { ...known, readAt }
              : { ...toKnown(stored), seenAt: readAt, readAt });
        },
        (error: unknown) => {
          const secrets = tokensIn(this.#memory?.record);
          this.#memory = undefined;
          throw storageFault(error, secrets);
        },
      )
      .finally(() => (this.#reading = undefined)));
  }

  #isTrusted(): boolean {
    const { trustMemoryMs } = this.#context;
    return this.#memory !== undefined && performance.now() - this.#memory.readAt < trustMemoryMs;
  }

  /** The record as this process may know it now. */
  #seen({ record }: Memory): SessionRecord | undefined {
    // guard: processes: a session of another binding serves nobody
    return asOf(asSeenBy(this.#context.options.binding, record), Date.now());
  }

  /** The token in a record, if this call can be served with it. Calls with other wishes are for the core. */
  #freshToken(
    memory: Memory,
    { minValidityMs, forceRefresh, timeoutMs, signal, resource, scope }: AccessTokenOptions,
  ): string | undefined {
    const isSimple = !forceRefresh && !signal?.aborted && isText(resource) && isText(scope);
    if (!isSimple || ![minValidityMs, timeoutMs].every((ms = 0) => isDuration(ms))) return undefined;
    const record = this.#seen(memory);
    if (!isOpen(record) || record.ended) return undefined;
    const token = record.accessTokens[audienceKey({ resource, scope })];
    if (!token) return undefined;
    const least = minValidityMs ?? minValidity(lifeOf(token), this.#context.options.minValidityMs);
    const now = { wall: Date.now(), mono: performance.now(), random: 0 };
    return remainingLife(token, memory.seenAt, now) > least ? token.token : undefined;
  }

  #wake(): Participant {
    if (this.#core) return this.#core;
    const options = { ...this.#context.options, name: this.#name };
    const core = createParticipant(this.#context, this.key, options, () =>
      this.#calls?.forEach((call) => call.abort()),
    );
    this.#core = core;
    return core;
  }

  /**
   * Nothing wakes a process. So a call counts as a wake-up for a failure that waiting does not heal: once a minute of all processes, since
   * each failure is written down.
   */
  #wakeAgain(): void {
    const { until, failure } = this.#core?.state().pause ?? {};
    // guard: processes: a call tries again a minute after a failure that waiting does not heal
    if (until === Infinity && failure && Math.abs(Date.now() - failure.at) >= WAKE_MS) this.#core!.save();
  }

  #drop(): void {
    if (!this.#core) return;
    this.#snapshot = this.#core.coordinator.getSnapshot();
    const record = this.#memory && this.#seen(this.#memory);
    this.#shown = this.#memory && { mark: this.#memory.mark, ended: record?.ended?.kind };
    this.#core.close();
    this.#core = undefined;
    // A broken core is replaced at once.
    if (!this.#listeners?.size) return;
    const { coordinator } = this.#wake();
    for (const attach of this.#listeners.keys()) this.#listeners.set(attach, attach(coordinator));
  }

  /** A call of the core. It ends with `ERR_STORAGE` as soon as the core has lost its store. */
  async #ask<T>(
    call: (core: TokenCoordinator, signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const controller = new AbortController();
    const forward = (): void => controller.abort();
    if (signal?.aborted) forward();
    signal?.addEventListener('abort', forward);
    const calls = (this.#calls ??= new Set());
    calls.add(controller);
    try {
      return await call(this.#wake().coordinator, controller.signal);
    } catch (error) {
      if (this.#isBroken() && !signal?.aborted) throw this.#brokenFault();
      throw error;
    } finally {
      calls.delete(controller);
      signal?.removeEventListener('abort', forward);
      this.lastUsed = performance.now();
    }
  }

  /** Without a store the core would go on alone. */
  #isBroken(): boolean {
    return this.#core?.state().storage === 'memory';
  }

  #brokenFault(): TokenCoordinatorError {
    const { failure, state } = this.#core!;
    return storageFault(failure(), tokensIn(state().record));
  }

  async #held<T>(run: () => Promise<T>): Promise<T> {
    const release = this.#context.hold();
    try {
      return await run();
    } finally {
      release();
    }
  }
}

/** Rejects as soon as the caller gives up; the work goes on. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void =>
      reject(new TokenCoordinatorError('ERR_ABORTED', say('ERR_ABORTED'), { cause: signal.reason }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function storageFault(cause: unknown, secrets: Secrets = []): TokenCoordinatorError {
  return new TokenCoordinatorError('ERR_STORAGE', 'The shared part cannot be reached; nothing was spent', {
    cause: describe(cause, secrets),
  });
}

/** The facts for an operator, and no more: an error of a driver may carry its command, with tokens. */
function describe(cause: unknown, secrets: Secrets): Error | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { code } = cause as NodeJS.ErrnoException;
  return new Error([cause.name, code, messageOf(cause.message, secrets)].filter(Boolean).join(': '));
}

function isText(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}
