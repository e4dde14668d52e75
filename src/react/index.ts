'use client';
export { useAccessToken } from './use-access-token.js';
export { useLogin } from './use-login.js';
export type { LoginState } from './use-login.js';
export { TokenCoordinatorProvider } from './coordinator-context.js';
export type { TokenCoordinatorProviderProps } from './coordinator-context.js';
export type { AccessTokenState } from './access-token-state.js';
