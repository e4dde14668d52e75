import { createContext, createElement, type Context, type ReactElement, type ReactNode } from 'react';
import type { Login } from '../login/create-login.js';
import type { TokenCoordinator } from '../types.js';
import { LoginContext } from './use-login.js';

/** The coordinator of the nearest `TokenCoordinatorProvider`. */
export const CoordinatorContext: Context<TokenCoordinator | undefined> = createContext<
  TokenCoordinator | undefined
>(undefined);

/** Props of `TokenCoordinatorProvider`. */
export interface TokenCoordinatorProviderProps {
  /** Made once, outside of components; the provider neither creates nor closes it. */
  readonly coordinator: TokenCoordinator;
  /** Of `one-refresh/login`, for `useLogin()`; default: none. */
  readonly login?: Login | undefined;
  /** The components that may use it. */
  readonly children?: ReactNode;
}

/**
 * Gives every component below it the coordinator that `useAccessToken()` uses when it is called without one, and the login of `useLogin()`.
 *
 * @param props - the coordinator, its login, and what may use them
 * @returns the children
 * @throws nothing
 */
export function TokenCoordinatorProvider(props: TokenCoordinatorProviderProps): ReactElement {
  return createElement(
    CoordinatorContext.Provider,
    { value: props.coordinator },
    createElement(LoginContext.Provider, { value: props.login }, props.children),
  );
}
