'use client';
export { useAccessToken } from './use-access-token.js';
export { TokenCoordinatorProvider } from './coordinator-context.js';
export type { TokenCoordinatorProviderProps } from './coordinator-context.js';
export type { AccessTokenState } from './access-token-state.js';
