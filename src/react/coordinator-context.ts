import { createContext, createElement, type Context, type ReactElement, type ReactNode } from 'react';
import type { TokenCoordinator } from '../types.js';

/** The coordinator of the nearest `TokenCoordinatorProvider`. */
export const CoordinatorContext: Context<TokenCoordinator | undefined> = createContext<
  TokenCoordinator | undefined
>(undefined);

/** Props of `TokenCoordinatorProvider`. */
export interface TokenCoordinatorProviderProps {
  /** Made once, outside of components; the provider neither creates nor closes it. */
  readonly coordinator: TokenCoordinator;
  /** What may use it. */
  readonly children?: ReactNode;
}

/**
 * Gives every component below it the coordinator that `useAccessToken()` uses when it is called without one.
 *
 * @param props - the coordinator, and what may use it
 * @returns the children
 * @throws nothing
 */
export function TokenCoordinatorProvider(props: TokenCoordinatorProviderProps): ReactElement {
  return createElement(CoordinatorContext.Provider, { value: props.coordinator }, props.children);
}
