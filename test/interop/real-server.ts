import type { TokenResponse } from '../../src/core/types.js';

/** An authorization server out of the registry, unmodified, with what it needs of its surroundings. */
export interface RealServer {
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly handle: (request: Request) => Promise<Response>;
  /** A new session, as its code exchange (or whatever it has) begins one. */
  readonly signIn: () => Promise<TokenResponse>;
}

export const ACCESS_TOKEN_SECONDS = 120;
