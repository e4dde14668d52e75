import type { LoginEndpoints } from 'one-refresh/login';

/** The surroundings of a server. */
export interface Place {
  /** Under which it is known, without a slash at the end. */
  readonly origin: string;
  /** The app's page, to which it sends codes. */
  readonly redirectUri: string;
  readonly accessTokenSeconds: number;
}

/** The app's half: its options for `createLogin` and `refreshTokenGrant`. Nothing else in the app knows which server it is. */
export interface ClientSettings {
  readonly clientId: string;
  readonly scope: string;
  /** For a server that publishes its endpoints. */
  readonly issuer?: string;
  /** For the others. */
  readonly endpoints?: LoginEndpoints;
  readonly dpop?: boolean;
  /** Further parameters of the authorization request. */
  readonly parameters?: Record<string, string>;
}

/** An authorization server that runs in this process, unmodified, with what it needs of its surroundings. */
export interface RealServer {
  readonly client: ClientSettings;
  readonly handle: (request: Request) => Promise<Response>;
}
