import { useContext, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { TokenCoordinatorError } from '../core/errors.js';
import type { TokenCoordinator } from '../types.js';
import type { AccessTokenState } from './access-token-state.js';
import { CoordinatorContext } from './coordinator-context.js';
import { createSelection, createShown } from './selection.js';
import { tokenSource } from './token-source.js';

type Select<T> = (state: AccessTokenState) => T;

/**
 * The session as this tab sees it, kept up to date. Safe in Strict Mode, concurrent and server rendering, and hydration (`status: 'loading'` there).
 *
 * - `accessToken` is never an expired one: a component that reads it renders again when it expires. If it is outdated when the component
 *   mounts, or when the store has been read, a refresh is asked for; its failure is told in `error`, never thrown.
 * - With `select` a component renders again only if what it selected has changed (compared shallowly): one that selects `status` does not
 *   take part in refreshes at all.
 *
 * For requests use `getAccessToken()`, or `one-refresh/fetch`: a token kept in a closure grows old.
 *
 * @param coordinator - default: the one of the nearest `TokenCoordinatorProvider`
 * @param select - what this component needs of the state; may be an inline function
 * @throws `ERR_CONFIGURATION` if there is no coordinator
 * @example
 * const name = useAccessToken((state) => state.claims?.name);
 */
export function useAccessToken(coordinator?: TokenCoordinator): AccessTokenState;
export function useAccessToken<T>(select: (state: AccessTokenState) => T): T;
export function useAccessToken<T>(
  coordinator: TokenCoordinator | undefined,
  select: (state: AccessTokenState) => T,
): T;
export function useAccessToken(
  first?: TokenCoordinator | Select<unknown>,
  second?: Select<unknown>,
): unknown {
  const provided = useContext(CoordinatorContext);
  const coordinator = (typeof first === 'function' ? undefined : first) ?? provided;
  const select = typeof first === 'function' ? first : second;
  if (!coordinator) {
    throw new TokenCoordinatorError(
      'ERR_CONFIGURATION',
      'useAccessToken: pass a coordinator, or render the component under <TokenCoordinatorProvider coordinator={…}>.',
    );
  }
  const source = tokenSource(coordinator);
  const [shown] = useState(createShown);
  const selection = useMemo(() => createSelection(source, select, shown), [source, select, shown]);
  const value = useSyncExternalStore(source.subscribe, selection.read, selection.readOnServer);
  const readsToken = selection.readsToken();
  useEffect(() => shown.set(value), [shown, value]);
  useEffect(() => (readsToken ? source.holdToken() : undefined), [source, readsToken]);
  return value;
}
