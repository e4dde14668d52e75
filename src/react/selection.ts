import type { AccessTokenState } from './access-token-state.js';
import { isShallowEqual } from './is-shallow-equal.js';
import type { TokenSource } from './token-source.js';

/** The value that a component shows; outlives the inline functions that select it. */
export interface Shown {
  readonly get: () => { readonly value: unknown } | undefined;
  readonly set: (value: unknown) => void;
}

export function createShown(): Shown {
  let shown: { readonly value: unknown } | undefined;
  return { get: () => shown, set: (value) => void (shown = { value }) };
}

/** A component's part of the state, as `useSyncExternalStore` wants it: the same value until something in it changes. */
export interface Selection {
  readonly read: () => unknown;
  readonly readOnServer: () => unknown;
  /** Whether what was read last depends on the access token. */
  readonly readsToken: () => boolean;
}

export function createSelection(
  source: TokenSource,
  select: ((state: AccessTokenState) => unknown) | undefined,
  shown: Shown,
): Selection {
  if (!select) return { read: source.getState, readOnServer: source.getServerState, readsToken: () => true };
  let last: { state: AccessTokenState; value: unknown; readsToken: boolean } | undefined;
  const selectFrom = (state: AccessTokenState): unknown => {
    if (last?.state === state) return last.value;
    let value: unknown;
    const readsToken = source.readsToken(() => (value = select(state)));
    const previous = last ?? shown.get();
    if (previous && isShallowEqual(previous.value, value)) value = previous.value;
    last = { state, value, readsToken };
    return value;
  };
  return {
    read: () => selectFrom(source.getState()),
    readOnServer: () => selectFrom(source.getServerState()),
    readsToken: () => last?.readsToken ?? false,
  };
}
