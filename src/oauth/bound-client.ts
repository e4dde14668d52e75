import type { DPoPSupport, NewSession } from './dpop/dpop-support.js';
import { loadDPoP } from './dpop/load-dpop.js';
import { configurationError, type RefreshTokenGrantOptions } from './options.js';

/** A request to an API that is to be authorized. */
export interface AuthorizedRequest {
  readonly url: string;
  readonly method: string;
  readonly accessToken: string;
  /** Whose token it is; the coordinator says so. */
  readonly sessionId?: string | undefined;
  /** The answer to an earlier request to this API: what it says about nonce and time is heeded (RFC 9449 §9). */
  readonly previous?: { readonly headers: Headers } | undefined;
}

/** What a client with keys does besides refreshing. */
export interface BoundClient {
  /**
   * Told of a session before it is committed.
   * @throws `ERR_CONFIGURATION` if the tokens are not bound to a known key, `ERR_UNSUPPORTED`, `ERR_STORAGE`; then there is no session
   */
  bind(session: NewSession): Promise<void>;
  /** Told of a session that was signed out or replaced: its key is removed. */
  unbind(session: Pick<NewSession, 'name' | 'sessionId'>): Promise<void>;
  /** `Authorization: DPoP …` and the proof (RFC 9449 §7). */
  authorize(request: AuthorizedRequest): Promise<Record<string, string>>;
}

/** How to come by what DPoP needs, or `undefined` where it is not wanted. */
export function dpopOf({ dpop }: RefreshTokenGrantOptions): (() => Promise<DPoPSupport>) | undefined {
  if (!dpop) return undefined;
  if (dpop !== true) return () => Promise.resolve(dpop);
  // Fetched while the page loads, since the first refresh may come when the network is bad.
  loadDPoP().catch(() => undefined);
  return loadDPoP;
}

export function boundClient(dpop: () => Promise<DPoPSupport>): BoundClient {
  return {
    bind: async (session) => (await dpop()).bind(session),
    unbind: async (session) => (await dpop()).unbind(session),
    async authorize({ previous, sessionId = '', ...rest }) {
      const support = await dpop();
      const request = { ...rest, sessionId };
      if (previous) await support.hear(request, previous.headers, errorOf(previous.headers));
      const proof = await support.prove(request);
      if (proof === undefined)
        throw configurationError('the DPoP key of this session is not known in this browser.');
      return { Authorization: `DPoP ${request.accessToken}`, DPoP: proof };
    },
  };
}

/** The errors of a challenge that a new proof can mend. */
function errorOf(headers: Headers): string | undefined {
  return /error="?(use_dpop_nonce|invalid_dpop_proof)\b/.exec(headers.get('www-authenticate') ?? '')?.[1];
}
