import { misused } from '../core/calls.js';
import type { CoordinatorEvent, EventType } from '../core/types.js';

/** By the type of event; those to '' are told that the snapshot has changed. */
type Topic = EventType | '*' | '';

export interface Listeners {
  readonly notify: (type: Topic, event?: CoordinatorEvent) => void;
  /** Returns how to stop. */
  readonly listen: (type: Topic, listener: (event: never) => void) => () => void;
}

export function createListeners(): Listeners {
  const listeners = new Map<Topic, Set<(event?: CoordinatorEvent) => void>>();

  function notify(type: Topic, event?: CoordinatorEvent): void {
    const all = listeners.get(type) ?? new Set();
    // A copy, so that a listener that stops and starts again is told once.
    for (const listener of Array.from(all)) if (all.has(listener)) guarded(() => listener(event));
    if (event && type !== '*') notify('*', event);
  }

  function listen(type: Topic, listener: (event: never) => void): () => void {
    // At once, where the mistake is; not at each event.
    if (typeof listener !== 'function') throw misused('listener');
    // One function that listens twice is two listeners.
    const one = (event?: CoordinatorEvent): void => listener(event as never);
    const all = listeners.get(type) ?? new Set();
    listeners.set(type, all.add(one));
    return () => void all.delete(one);
  }

  return { notify, listen };
}

/** A listener's fault is its own: reported as uncaught, it stops nobody else. */
export function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    report(error);
  }
}

/** As uncaught, where the platform and its monitors look for such. */
export function report(error: unknown): void {
  if (typeof reportError === 'function') return reportError(error);
  queueMicrotask(() => {
    throw error;
  });
}
