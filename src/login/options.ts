import { configurationError, readEndpoint } from '../oauth/options.js';
import type { TokenCoordinator } from '../types.js';

/** Where an authorization server's endpoints are, in the words of its metadata document (RFC 8414 §2). */
export interface LoginEndpoints {
  /** Where the user signs in (RFC 6749 §3.1). */
  readonly authorization_endpoint: string;
  /** Where the code is exchanged (RFC 6749 §3.2). */
  readonly token_endpoint: string;
  /** The issuer identifier, compared with the `iss` of answers and ID tokens; default: the origin of `token_endpoint`. */
  readonly issuer?: string | undefined;
  /** Where the provider's own session ends (OpenID Connect RP-Initiated Logout); default: it stays. */
  readonly end_session_endpoint?: string | undefined;
  /** Where tokens are revoked (RFC 7009) that a failed sign-in leaves over; default: they expire. */
  readonly revocation_endpoint?: string | undefined;
  /** Where authorization requests are pushed (RFC 9126); default: they are not. */
  readonly pushed_authorization_request_endpoint?: string | undefined;
}

/** Options of `createLogin`. Give `issuer`, or `endpoints`: with those nothing is discovered. */
export interface LoginOptions {
  /** Gets the session; its `name` tells one login of an origin from another. */
  readonly coordinator: TokenCoordinator;
  /** Issuer identifier; its endpoints are discovered once, when first needed (OpenID Connect Discovery, RFC 8414); default: nothing is discovered. */
  readonly issuer?: string | URL | undefined;
  /** For servers without discovery; default: the discovered ones. */
  readonly endpoints?: LoginEndpoints | undefined;
  /** The public client's `client_id` (RFC 6749 §2.2). */
  readonly clientId: string;
  /** The page that calls `finish()`: an address, or a path from the root (`/callback`). The server has to know the absolute one, to the letter. */
  readonly redirectUri: string | URL;
  /** The requested scope (RFC 6749 §3.3); default `openid offline_access`. */
  readonly scope?: string | undefined;
  /** RFC 8707 resource indicators of every sign-in that names none itself; default: none. */
  readonly resource?: string | readonly string[] | undefined;
  /** Further parameters of every authorization request, for example `{ audience: '…' }` or `{ prompt: 'consent' }`; default: none. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** Where the provider sends the browser after its logout: an address, or a path from the root; default: the provider's own page. */
  readonly postLogoutRedirectUri?: string | URL | undefined;
  /** Binds the tokens to a new key at the code exchange (RFC 9449); `refreshTokenGrant` needs `dpop` too. Default `false`. */
  readonly dpop?: boolean | undefined;
  /**
   * Pushes the authorization request, so that the address bar holds nothing of it (RFC 9126). Default: where the server has an endpoint for
   * that, and if it fails, only where the server insists. `true` insists, `false` never pushes.
   */
  readonly par?: boolean | undefined;
  /** Used in place of the global `fetch`, which is the default. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Options of one sign-in. */
export interface StartOptions {
  /** Where the user goes on afterwards: a path, or an address of this origin. Default: where they are. */
  readonly returnTo?: string | undefined;
  /** OpenID Connect Core §3.1.2.1: `none`, `login`, `consent`, `select_account`; default: the server decides. */
  readonly prompt?: string | undefined;
  /** The user who is about to sign in, for the server's form; default: nobody in particular. */
  readonly loginHint?: string | undefined;
  /** The authentication context classes wanted, in order of preference; default: the server decides. */
  readonly acrValues?: string | readonly string[] | undefined;
  /** How long ago the user may have authenticated, in seconds; checked when they come back. Default: any time. */
  readonly maxAge?: number | undefined;
  /** RFC 8707 resource indicators; the first is that of the session's own access token. Default: as given to `createLogin`. */
  readonly resource?: string | readonly string[] | undefined;
  /** Further parameters of this authorization request; default: none but those given to `createLogin`. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/**
 * Refuses what could only fail later, with the user on the way.
 * @throws `ERR_CONFIGURATION`
 */
export function checkOptions(options: LoginOptions): void {
  // Plain JavaScript can leave out anything.
  const {
    coordinator,
    issuer,
    endpoints,
    clientId,
    redirectUri,
    scope = 'openid',
  } = Object(options) as {
    [K in keyof LoginOptions]: unknown;
  };
  checkCoordinator(coordinator);
  for (const [name, value] of Object.entries({ clientId, redirectUri, scope })) {
    if (!value || (typeof value !== 'string' && !(value instanceof URL))) {
      throw configurationError(`${name} must be text.`);
    }
  }
  const needed = { authorization_endpoint: undefined, token_endpoint: undefined };
  for (const [name, value] of Object.entries(endpoints ? { ...needed, ...endpoints } : { issuer })) {
    if (value !== undefined || name in needed || !endpoints) readEndpoint(name, value);
  }
  checkRequest(options);
}

/** @throws `ERR_CONFIGURATION` */
export function checkCoordinator(coordinator: unknown): void {
  if (typeof Object(coordinator).getSnapshot !== 'function')
    throw configurationError('coordinator must be what createTokenCoordinator() returns.');
}

/**
 * Refuses what a server would be asked for in vain. Only what is known is looked at: `onClick={login.start}` gives an event.
 * @throws `ERR_CONFIGURATION`
 */
export function checkRequest(request: StartOptions): void {
  const {
    returnTo,
    prompt = '',
    loginHint = '',
    acrValues = '',
    resource = '',
    maxAge = 0,
    parameters,
  } = request;
  const texts = [returnTo ?? '', prompt, loginHint, acrValues, resource, Object.values(Object(parameters))];
  if (
    !texts.flat().every((value) => typeof value === 'string') ||
    typeof maxAge !== 'number' ||
    !(maxAge >= 0)
  )
    throw configurationError('a sign-in takes text, and maxAge seconds.');
}
