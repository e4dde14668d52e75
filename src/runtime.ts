import type { Now } from './core/expiry.js';
import { nextWake, step } from './core/machine.js';
import type {
  ChannelPort,
  ClockPort,
  LifecyclePort,
  LockPort,
  StoreOpenError,
  StorePort,
  WorkerPort,
} from './core/ports.js';
import { parseMessage, parseRecord } from './core/parse.js';
import { toEnvelope } from './core/protocol.js';
import type { SessionRecord } from './core/record.js';
import { asSeenBy, isForeign, isOpen, SCHEMA } from './core/record.js';
import { current } from './core/join.js';
import { asOf } from './core/session-end.js';
import type { CoreOptions } from './core/options.js';
import type { Effect, Event, State } from './core/state.js';
import type { StoreResult } from './core/outcome.js';
import { initialState } from './core/state.js';
import type { CoordinatorEvent } from './core/types.js';

/** The world, as the runtime knows it. */
export interface Ports {
  readonly locks?: LockPort | undefined;
  readonly channel: ChannelPort;
  readonly store: StorePort;
  readonly clock: ClockPort;
  readonly lifecycle: LifecyclePort;
  readonly worker?: WorkerPort | undefined;
  /** Sees every step before its effects run; for the simulator, which checks invariants on it. */
  readonly observe?: ((event: Event, state: State, effects: readonly Effect[]) => void) | undefined;
}

type Of<T extends Effect['type']> = Extract<Effect, { type: T }>;

/** The coordinator's duties for the runtime: all that concerns promises, listeners and the user's own code. */
export interface Hooks {
  /** Starts the request in the same task; its end comes back as an `answered` event. */
  readonly send: (effect: Of<'send'>) => void;
  /** Effects that can wait until this participant is consistent again; it may dispatch. */
  readonly deliver: (effect: Of<'settle' | 'emit' | 'revoke' | 'dispose'>) => void;
  /** After each batch of steps, before its deliveries. */
  readonly changed: (state: State) => void;
}

export interface Runtime {
  readonly dispatch: (event: Event) => void;
  readonly state: () => State;
  readonly now: () => Now;
}

/** The event queue of one participant: the only place where effects meet ports. */
export function createRuntime(
  ports: Ports,
  options: Omit<CoreOptions, 'locks' | 'worker'>,
  hooks: Hooks,
): Runtime {
  const { locks, channel, store, clock, lifecycle, worker } = ports;
  const { binding } = options;
  const held = new Map<number, () => void>();
  const queue: Event[] = [];
  /** Token requests that only this participant saw: its next message tells it, for a monitor in any tab. */
  const untold: CoordinatorEvent[] = [];
  const deliveries: Parameters<Hooks['deliver']>[0][] = [];
  let running = false;
  /** Without a store: the record that the last operation of this batch of steps has left. */
  let memory: SessionRecord | undefined;
  let state: State = initialState({
    me: clock.id(),
    options: { ...options, locks: !!locks, worker: !!worker },
    ...lifecycle.state(),
  });
  let wakeAt = Infinity;
  let cancelTimer = (): void => {};

  const now = (): Now => ({ wall: clock.wall(), mono: clock.monotonic(), random: clock.random() });

  function dispatch(event: Event): void {
    queue.push(event);
    if (running) return;
    running = true;
    let thrown: { readonly error: unknown } | undefined;
    // A fault must not silence this participant with its locks held: it is thrown when everything else is done.
    const attempt = (what: () => void): void => {
      try {
        what();
      } catch (error) {
        thrown ??= { error };
      }
    };
    for (let next = queue.shift(); next; next = queue.shift()) {
      const current = next;
      attempt(() => {
        const [after, effects] = step(state, current, now());
        state = after;
        ports.observe?.(current, state, effects);
        for (const effect of effects) {
          if (effect.type === 'emit' && effect.event.attempt) untold.push(effect.event);
        }
        for (const effect of effects) attempt(() => run(effect));
      });
    }
    running = false;
    memory = undefined;
    attempt(arm);
    // The snapshot first: a listener reads it.
    attempt(() => hooks.changed(state));
    // In this order, also where one of those who are told dispatches again.
    for (let next = deliveries.shift(); next; next = deliveries.shift()) hooks.deliver(next);
    if (thrown) throw thrown.error;
  }

  function run(effect: Effect): void {
    switch (effect.type) {
      case 'settle':
      case 'emit':
      case 'revoke':
        deliveries.push(effect);
        return;
      case 'dispose':
        stopListening();
        channel.close();
        deliveries.push(effect);
        return;
      case 'lock': {
        const { tag, name, mode, resume } = effect;
        const release = locks!.request(name, mode, (outcome) => dispatch({ type: 'lock', outcome, resume }));
        held.set(tag, release);
        return;
      }
      case 'unlock':
        held.get(effect.tag)?.();
        held.delete(effect.tag);
        return;
      case 'store':
        return void access(effect);
      case 'send':
        return hooks.send(effect);
      case 'post':
        return channel.post(toEnvelope(effect.message, state.me, binding, untold.splice(0)));
      case 'ask': {
        const { message, resume } = effect;
        return void worker!.ask(toEnvelope(message, state.me, binding)).then((reached) => {
          if (!reached) dispatch({ type: 'unreachable', resume });
        });
      }
      case 'channel':
        return effect.open ? channel.open(receive) : channel.close();
    }
  }

  function receive(data: unknown): void {
    const message = parseMessage(data, clock.wall());
    if (message) dispatch({ type: 'message', message });
  }

  /** One atomic read-modify-write on the newer of store and memory; members that the store lacks are written along the way. */
  async function access({ change, real, resume }: Of<'store'>): Promise<void> {
    let before: SessionRecord | undefined;
    let record: SessionRecord | undefined;
    let changed: SessionRecord | undefined;
    let wrote = false;
    const read = (stored: unknown): SessionRecord | undefined =>
      asOf(asSeenBy(binding, parseRecord(stored, clock.wall())), clock.wall());
    const apply = (found: SessionRecord | undefined): SessionRecord | undefined => {
      before = found;
      const base = current(before, state.record);
      changed = change?.(base);
      record = changed ?? base;
      if (isOpen(record) && record.schema > SCHEMA) {
        // A later version of the app keeps more in it than is read here.
        changed = undefined;
        record = base;
        return undefined;
      }
      if (record === before) return undefined;
      // Also of an older version's record: the first writer has it.
      if (record && record.binding === undefined && binding !== undefined) record = { ...record, binding };
      return record;
    };
    const isStored = state.storage !== 'memory' || real;
    let failed: StoreResult['failed'];
    try {
      // guard: without a store, too, an operation sees what the one before it has changed
      if (!isStored) memory = apply(memory ?? state.record) ?? memory;
      else if (change) {
        // Until the change says that there is nothing to write.
        wrote = true;
        await store.update((stored) => {
          const next = apply(read(stored));
          // A foreign session stays as it is, and a session without its refresh token is for memory alone; that a write works can be
          // tried with what is there all the same.
          // guard: binding: a session of another binding stays in the store as it is
          // guard: a pair that was heard without its refresh token is never stored
          const isKept = isForeign(next) || next?.withheld;
          if (next?.withheld) changed = undefined;
          const written = isKept ? (stored as SessionRecord | undefined) : next;
          wrote = written !== undefined;
          return written;
        });
      } else record = before = read(await store.read());
    } catch (error) {
      failed = (error as Partial<StoreOpenError> | undefined)?.storeUnusable ? 'for-good' : 'once';
    }
    const result: StoreResult = failed
      ? { failed, won: false, wrote, isStored }
      : { record, before, won: changed !== undefined, wrote, isStored };
    dispatch({ type: 'stored', result, real, resume });
  }

  /** One timer for everything. */
  function arm(): void {
    const instant = now();
    const next = state.disposed ? Infinity : nextWake(state, instant);
    if (next === wakeAt) return;
    cancelTimer();
    wakeAt = next;
    if (next === Infinity) return;
    cancelTimer = clock.setTimer(Math.max(0, next - instant.mono), () => {
      wakeAt = Infinity;
      dispatch({ type: 'tick' });
    });
  }

  const stopListening = lifecycle.listen((change) => dispatch({ type: 'lifecycle', change }));
  return { dispatch, state: () => state, now };
}
