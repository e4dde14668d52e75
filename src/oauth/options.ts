import { TokenCoordinatorError } from '../core/errors.js';
import { isConfidential, LOOPBACK } from '../loopback.js';
import type { DPoPSupport } from './dpop/dpop-support.js';

/** Options of `refreshTokenGrant`. Give `issuer`, or `tokenEndpoint`: with that nothing is discovered, whether or not there is an `issuer`. */
export interface RefreshTokenGrantOptions {
  /** Absolute URL of the token endpoint (RFC 6749 §3.2); default: the discovered one. */
  readonly tokenEndpoint?: string | URL | undefined;
  /** Issuer identifier; its endpoints are discovered once, when first needed (OpenID Connect Discovery, RFC 8414); default: nothing is discovered. */
  readonly issuer?: string | URL | undefined;
  /** The public client's `client_id` (RFC 6749 §2.2). */
  readonly clientId: string;
  /** Sent with every refresh that does not ask for a scope of its own; default: none, the server keeps what was granted. */
  readonly scope?: string | undefined;
  /**
   * Binds the tokens to a key that cannot leave this browser (RFC 9449); default `false`. `true` loads the code for it when it is needed; a
   * service worker gives `dpopSupport` instead. The sign-in has to use the key of `getDPoPKeyPair(name)`, or give its own to `setSession`.
   */
  readonly dpop?: boolean | DPoPSupport | undefined;
  /** Name of a form parameter that carries the version being spent, for servers that check it; default: not sent. */
  readonly versionParameter?: string | undefined;
  /** Name of a request header that carries one idempotency key per version; default: not sent. It costs a CORS preflight. */
  readonly idempotencyHeader?: string | undefined;
  /** Absolute URL of the revocation endpoint (RFC 7009); default: the discovered one; beside `tokenEndpoint` none is, and nothing is revoked. */
  readonly revocationEndpoint?: string | URL | undefined;
  /** Further form parameters of the token request, for example `{ audience: '…' }`; default: none. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** Used in place of the global `fetch`, which is the default. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** The form parameters that the grant writes itself (RFC 6749 §6). */
const RESERVED_PARAMETERS = ['grant_type', 'refresh_token', 'client_id'];
/** The headers that the grant writes itself. */
const RESERVED_HEADERS = ['authorization', 'accept', 'content-type', 'dpop'];

/** A fault in the options, said in one sentence that names what to change. */
export function configurationError(message: string): TokenCoordinatorError {
  return new TokenCoordinatorError('ERR_CONFIGURATION', `one-refresh: ${message}`);
}

/**
 * An endpoint's URL, if a token may be sent there.
 * @throws `ERR_CONFIGURATION` if it is not an absolute `https:` URL, nor an `http:` one on loopback
 */
export function readEndpoint(name: string, value: unknown): URL {
  let url: URL;
  try {
    url = new URL(String(value));
  } catch {
    throw configurationError(`${name} must be an absolute URL, for example https://login.example.com/token.`);
  }
  if (!isConfidential(url)) {
    throw configurationError(
      `${name} must use https: (plain http: is possible on ${LOOPBACK.join(', ')} only).`,
    );
  }
  return url;
}

/**
 * Refuses what could only fail later, in the middle of a refresh.
 * @throws `ERR_CONFIGURATION`
 */
export function checkOptions(options: RefreshTokenGrantOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw configurationError('give an object with tokenEndpoint or issuer, and clientId.');
  }
  if (typeof options.clientId !== 'string' || options.clientId === '') {
    throw configurationError('clientId must be the client_id that the authorization server knows you by.');
  }
  if (options.tokenEndpoint === undefined && options.issuer === undefined) {
    throw configurationError('give tokenEndpoint, or issuer to have it discovered.');
  }
  for (const name of ['tokenEndpoint', 'issuer', 'revocationEndpoint'] as const) {
    if (options[name] !== undefined) readEndpoint(name, options[name]);
  }
  for (const name of ['scope', 'versionParameter'] as const) {
    const value: unknown = options[name];
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      throw configurationError(`${name} must be a non-empty string; leave it out if it is not wanted.`);
    }
  }
  const { dpop } = options;
  if (
    dpop !== undefined &&
    typeof dpop !== 'boolean' &&
    typeof (dpop as DPoPSupport | null)?.prove !== 'function'
  ) {
    throw configurationError('dpop must be true, false, or dpopSupport.');
  }
  if (options.fetch !== undefined && typeof options.fetch !== 'function') {
    throw configurationError('fetch must be a function with the signature of the global fetch.');
  }
  checkHeader(options.idempotencyHeader);
  checkParameters(options);
}

function checkHeader(name: unknown): void {
  if (name === undefined) return;
  // RFC 9110 §5.6.2 token.
  if (typeof name !== 'string' || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
    throw configurationError(
      'idempotencyHeader must be the name of an HTTP header, such as Idempotency-Key.',
    );
  }
  if (RESERVED_HEADERS.includes(name.toLowerCase())) {
    throw configurationError(`idempotencyHeader cannot be ${name}, which has a meaning of its own.`);
  }
}

function checkParameters({ parameters = {}, versionParameter }: RefreshTokenGrantOptions): void {
  if (typeof parameters !== 'object' || parameters === null) {
    throw configurationError('parameters must be an object of strings.');
  }
  for (const [name, value] of Object.entries<unknown>(parameters)) {
    if (typeof value !== 'string') throw configurationError(`parameters.${name} must be a string.`);
  }
  for (const name of [...Object.keys(parameters), versionParameter]) {
    if (name !== undefined && RESERVED_PARAMETERS.includes(name)) {
      throw configurationError(`${name} is written by the grant itself; leave it out of the options.`);
    }
  }
}
