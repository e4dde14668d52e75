import { vi } from 'vitest';
import { createCoordinator } from '../../src/coordinator/coordinator.js';
import type { LifecycleChange, LockOutcome } from '../../src/core/ports.js';
import { toEnvelope, type Message } from '../../src/core/protocol.js';
import type { SessionRecord } from '../../src/core/record.js';
import type { CoordinatorEvent, EventType } from '../../src/core/types.js';
import { lazyExport } from '../../src/lazy-export.js';
import { withDebug } from '../../src/observe-steps.js';
import { checkOptions } from '../../src/options.js';
import type { Ports } from '../../src/runtime.js';
import type { TokenCoordinator, TokenCoordinatorOptions } from '../../src/types.js';
import { createWorkerParticipant, type WorkerParticipant } from '../../src/worker/worker-participant.js';

/** One origin in which tabs meet: locks, a channel and a store, on vitest's fake clock. Small on purpose: the simulator has the storms. */
export class Origin {
  record: SessionRecord | undefined;
  /** Fails the next so many store operations. */
  storeFailures = 0;
  /** How long one takes, and how many there were. */
  storeMs = 1;
  operations = 0;
  /** The platform serves no locks, as in an opaque origin. */
  locksFail = false;
  /** The platform never answers, not even a steal. */
  locksSilent = false;
  /** Times that a lock was asked for. */
  locksAsked = 0;
  readonly messages: Record<string, unknown>[] = [];
  private readonly listeners = new Map<object, (data: unknown) => void>();
  private readonly locks = new Map<string, Request[]>();
  private tabs = 0;
  private installed: TokenCoordinatorOptions | undefined;
  private running: { participant: WorkerParticipant; life: Life } | undefined;
  /** Times that the worker was asked, and times that it had done all that came of it. */
  readonly asked = { count: 0, served: 0 };
  /** How long it takes to start, and whether it understands what it is asked. */
  startMs = 10;
  serving = true;

  /** Opens a tab with these options; `refresh` is the application's. With `worker` it asks the worker installed here. */
  open(
    options: Partial<TokenCoordinatorOptions> & Pick<TokenCoordinatorOptions, 'refresh'>,
    without: Missing[] = [],
  ): Tab {
    let lifecycle = (_: LifecycleChange): void => {};
    const life = createLife();
    const ports: Ports = {
      ...this.ports(life, `tab-${++this.tabs}`, without),
      lifecycle: {
        state: () => ({ active: true, visible: true }),
        listen: (listener) => ((lifecycle = listener), () => {}),
      },
      worker: options.worker === undefined ? undefined : { ask: (message) => this.ask(message) },
    };
    const checked = { ...checkOptions({ name: 'test', ...options }), answers: !without.includes('answers') };
    const coordinator = createCoordinator(
      checked,
      withDebug(ports, checked, () => import('../../src/debug/describe.js')),
      lazyExport,
    );
    const events: CoordinatorEvent[] = [];
    for (const type of eventTypes) coordinator.on(type, (event) => void events.push(event));
    return {
      ...coordinator,
      events,
      lifecycle: (change) => lifecycle(change),
      kill: life.end,
      hang: life.hang,
    };
  }

  /** Posts this, as any script of the origin can; the others miss it. */
  tell(tab: number, data: unknown): void {
    [...this.listeners.values()][tab]!(structuredClone(data));
  }

  /** Somebody takes this lock, and keeps it. */
  hold(lock: string): void {
    this.lock(lock, 'wait', () => {});
  }

  /** From now on there is a refresh worker with these options; `undefined`: there is none any more. */
  installWorker(options?: Pick<TokenCoordinatorOptions, 'refresh'> & Partial<TokenCoordinatorOptions>): void {
    this.installed = options && { name: 'test', ...options };
    this.stopWorker();
  }

  /** As a browser does it: without a word. The next one who asks starts it again. */
  stopWorker(): void {
    this.running?.life.end();
    this.running = undefined;
  }

  private async ask(message: object): Promise<boolean> {
    const { installed } = this;
    if (!installed) return false;
    this.asked.count++;
    const copy = structuredClone(message);
    setTimeout(() => {
      if (!this.serving) return;
      if (!this.running) {
        const life = createLife();
        const ports = this.ports(life, `worker-${++this.tabs}`);
        this.running = {
          life,
          participant: createWorkerParticipant(checkOptions(installed), ports),
        };
      }
      void this.running.participant.serve(copy).then(() => this.asked.served++);
    }, this.startMs);
    return true;
  }

  private ports(
    life: Life,
    id: string,
    without: Missing[] = [],
  ): Pick<Ports, 'locks' | 'channel' | 'store' | 'clock'> {
    const me = {};
    life.ends.push(() => this.listeners.delete(me));
    const alive =
      <A extends unknown[]>(then: (...all: A) => void) =>
      (...all: A): void => {
        if (life.alive) then(...all);
      };
    return {
      locks: without.includes('locks')
        ? undefined
        : {
            request: (name, mode, listener) => {
              if (!life.alive) return () => {};
              const release = this.lock(name, mode, alive(listener));
              life.ends.push(release);
              return release;
            },
          },
      channel: {
        open: (listener) => void (without.includes('channel') || this.listeners.set(me, alive(listener))),
        post: (message) => {
          if (!life.alive) return;
          const { type, sessionId, version } = message as Message;
          const hint = without.includes('answers');
          // As the fallback transport does.
          if (hint && type === 'hello') return;
          const said = hint ? toEnvelope({ type: 'changed', sessionId, version, term: 0 }, '') : message;
          const copy = structuredClone(said) as Record<string, unknown>;
          this.messages.push(copy);
          for (const [other, listener] of this.listeners)
            if (other !== me) setTimeout(() => listener(copy), 1);
        },
        close: () => void this.listeners.delete(me),
      },
      store: {
        read: () => this.operate(life, () => undefined).then(() => structuredClone(this.record)),
        update: (change) =>
          this.operate(life, () => {
            const changed = change(structuredClone(this.record));
            if (changed) this.record = structuredClone(changed);
          }),
      },
      clock: {
        wall: () => Date.now(),
        monotonic: () => performance.now(),
        random: () => 0.5,
        id: () => `${id}-${Math.random().toString(36).slice(2)}`,
        setTimer: (delay, callback) => {
          // (As the browser's clock does.)
          const timer = setTimeout(alive(callback), Math.min(delay, 2 ** 31 - 1));
          return () => clearTimeout(timer);
        },
      },
    };
  }

  private async operate(life: Life, run: () => void): Promise<void> {
    this.operations++;
    await new Promise<void>((resolve) => setTimeout(() => life.alive && resolve(), this.storeMs));
    if (this.storeFailures > 0) {
      this.storeFailures--;
      throw new Error('The store failed');
    }
    run();
  }

  private lock(
    name: string,
    mode: 'wait' | 'try' | 'steal',
    listener: (outcome: LockOutcome) => void,
  ): () => void {
    const queue = this.locks.get(name) ?? [];
    this.locks.set(name, queue);
    const request: Request = { listener, granted: false };
    this.locksAsked++;
    if (this.locksSilent) return () => {};
    if (this.locksFail) {
      setTimeout(() => request.listener('failed'));
      return () => (request.listener = () => {});
    }
    if (mode === 'try' && queue.length > 0) {
      setTimeout(() => listener('refused'));
      return () => {};
    }
    if (mode === 'steal' && queue[0]?.granted) {
      const holder = queue.shift()!;
      setTimeout(() => holder.listener('lost'));
    }
    if (mode === 'steal') queue.unshift(request);
    else queue.push(request);
    const grant = (): void => {
      const first = queue[0];
      if (!first || first.granted) return;
      first.granted = true;
      setTimeout(() => first.listener('granted'));
    };
    grant();
    return () => {
      request.listener = () => {};
      const at = queue.indexOf(request);
      if (at >= 0) queue.splice(at, 1);
      grant();
    };
  }
}

/** Whose end takes its locks and its place on the channel with it, and lets nothing of it happen any more. */
interface Life {
  alive: boolean;
  readonly ends: (() => void)[];
  readonly end: () => void;
  readonly hang: () => void;
}

function createLife(): Life {
  const life: Life = {
    alive: true,
    ends: [],
    end() {
      life.alive = false;
      for (const end of life.ends) end();
    },
    hang: () => void (life.alive = false),
  };
  return life;
}

interface Request {
  listener: (outcome: LockOutcome) => void;
  granted: boolean;
}

/** A coordinator with what it emitted, and a hand on its life. */
export interface Tab extends TokenCoordinator {
  readonly events: CoordinatorEvent[];
  readonly lifecycle: (change: LifecycleChange) => void;
  /** Its process ends, without a word. */
  readonly kill: () => void;
  /** It stands still from now on, and keeps its locks. */
  readonly hang: () => void;
}

/** The features that a tab lacks; `answers`: its transport only hints that something changed. */
type Missing = 'locks' | 'channel' | 'answers';

const eventTypes: EventType[] = [
  'session-started',
  'signed-out',
  'reauth-required',
  'session-ending',
  'leader-changed',
  'refresh-started',
  'refresh-succeeded',
  'refresh-failed',
  'conflict',
  'in-doubt',
  'takeover',
  'storage-changed',
];

/** Lets fake time pass, and everything that happens in it. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** A promise's state, without waiting for it: a value, an error's code, or `pending`. */
export function watch<T>(promise: Promise<T>): { readonly outcome: () => T | string } {
  let outcome: T | string = 'pending';
  promise.then(
    (value) => (outcome = value),
    (error: unknown) => (outcome = (error as { code?: string }).code ?? String(error)),
  );
  return { outcome: () => outcome };
}
