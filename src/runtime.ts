import type { Now } from './core/expiry.js';
import { nextWake, step } from './core/machine.js';
import type {
  ChannelPort,
  ClockPort,
  LifecyclePort,
  LockPort,
  StoreOpenError,
  StorePort,
} from './core/ports.js';
import { parseMessage, toEnvelope } from './core/protocol.js';
import type { SessionRecord } from './core/record.js';
import { newer, parseRecord, SCHEMA } from './core/record.js';
import type { CoreOptions, Effect, Event, State } from './core/state.js';
import { initialState } from './core/state.js';

/** The world, as the runtime knows it. */
export interface Ports {
  readonly locks?: LockPort | undefined;
  readonly channel: ChannelPort;
  readonly store: StorePort;
  readonly clock: ClockPort;
  readonly lifecycle: LifecyclePort;
  /** Sees every step before its effects run; for the simulator, which checks invariants on it. */
  readonly observe?: ((event: Event, state: State, effects: readonly Effect[]) => void) | undefined;
}

/** What the coordinator does for the runtime: all that concerns promises, listeners and the user's own code. */
export interface Hooks {
  /** Starts the request in the same task; its end comes back as an `answered` event. */
  send(effect: Extract<Effect, { type: 'send' }>): void;
  abort(attempt: number): void;
  revoke(token: string): void;
  settle(effect: Extract<Effect, { type: 'settle' }>): void;
  emit(effect: Extract<Effect, { type: 'emit' }>): void;
  /** After each batch of steps, outside of all of them. */
  changed(state: State): void;
}

export interface Runtime {
  readonly dispatch: (event: Event) => void;
  readonly state: () => State;
  readonly now: () => Now;
}

/** The event queue of one participant: the only place where effects meet ports. */
export function createRuntime(ports: Ports, options: Omit<CoreOptions, 'locks'>, hooks: Hooks): Runtime {
  const { locks, channel, store, clock, lifecycle } = ports;
  const held = new Map<number, () => void>();
  const queue: Event[] = [];
  const outbox: (() => void)[] = [];
  let running = false;
  let state = initialState(clock.id(), { ...options, locks: locks !== undefined }, lifecycle.state());
  let cancelTimer: (() => void) | undefined;
  let wakeAt = Infinity;

  const now = (): Now => ({ wall: clock.wall(), mono: clock.monotonic(), random: clock.random() });

  function dispatch(event: Event): void {
    queue.push(event);
    if (running) return;
    running = true;
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [after, effects] = step(state, next, now());
      state = after;
      ports.observe?.(next, state, effects);
      for (const effect of effects) run(effect);
    }
    running = false;
    arm();
    // User code comes last, when this participant is consistent again; it may dispatch.
    for (const deliver of outbox.splice(0)) deliver();
    hooks.changed(state);
  }

  function run(effect: Effect): void {
    switch (effect.type) {
      case 'lock': {
        const { tag, name, mode } = effect;
        held.set(
          tag,
          locks!.request(name, mode, (outcome) => dispatch({ type: 'lock', tag, outcome })),
        );
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
      case 'abort':
        return hooks.abort(effect.attempt);
      case 'post':
        return channel.post(toEnvelope(effect.message, state.me));
      case 'channel':
        if (effect.open) channel.open(receive);
        else channel.close();
        return;
      case 'settle':
        outbox.push(() => hooks.settle(effect));
        return;
      case 'emit':
        outbox.push(() => hooks.emit(effect));
        return;
      case 'revoke':
        outbox.push(() => hooks.revoke(effect.token));
        return;
      case 'dispose':
        stopListening();
        channel.close();
    }
  }

  function receive(data: unknown): void {
    const message = parseMessage(data);
    if (message) dispatch({ type: 'message', message });
  }

  /** One atomic read-modify-write on the newer of store and memory; what the store lacks is written along the way. */
  async function access({ operation, change }: Extract<Effect, { type: 'store' }>): Promise<void> {
    let before: SessionRecord | undefined;
    let record: SessionRecord | undefined;
    let won = false;
    const apply = (stored: unknown): SessionRecord | undefined => {
      before = parseRecord(stored);
      record = newer(before, state.record);
      const changed = change?.(record);
      won = changed !== undefined;
      record = changed ?? record;
      // Of a newer schema only an end and a pair may be written: both keep what they do not know.
      const foreign =
        (before?.schema ?? 0) > SCHEMA && operation.kind !== 'commit' && operation.kind !== 'sign-out';
      if (foreign) {
        won = false;
        record = before;
      }
      return record === before ? undefined : record;
    };
    const real = operation.kind === 'load' && operation.real === true;
    try {
      if (state.storage === 'memory' && !real) apply(state.record);
      else if (change) await store.update(apply);
      else record = before = parseRecord(await store.read());
    } catch (error) {
      const unusable = (error as Partial<StoreOpenError> | undefined)?.storeUnusable === true;
      return dispatch({ type: 'store-failed', operation, unusable });
    }
    dispatch({ type: 'stored', operation, record, before, won });
  }

  function arm(): void {
    const instant = now();
    const next = state.disposed ? Infinity : nextWake(state, instant);
    if (next === wakeAt) return;
    cancelTimer?.();
    wakeAt = next;
    cancelTimer =
      next === Infinity
        ? undefined
        : clock.setTimer(Math.max(0, next - instant.mono), () => {
            wakeAt = Infinity;
            dispatch({ type: 'tick' });
          });
  }

  const stopListening = lifecycle.listen((change) => dispatch({ type: 'lifecycle', change }));
  return { dispatch, state: () => state, now };
}
