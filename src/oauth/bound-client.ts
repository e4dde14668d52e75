import type { TokenClient } from '../types.js';
import type { DPoPSupport } from './dpop/dpop-support.js';
import { loadDPoP } from './dpop/load-dpop.js';
import { configurationError, type RefreshTokenGrantOptions } from './options.js';

/** The duties of a client with keys besides refreshing. */
export type BoundClient = {
  readonly [K in 'authorize' | 'bind' | 'unbind']: NonNullable<TokenClient[K]>;
};

/** How to come by what DPoP needs, or `undefined` where it is not wanted. */
export function dpopOf({ dpop }: RefreshTokenGrantOptions): (() => Promise<DPoPSupport>) | undefined {
  if (!dpop) return undefined;
  if (dpop !== true) return () => Promise.resolve(dpop);
  // Fetched while the page loads, since the first refresh may come when the network is bad.
  loadDPoP().catch(() => undefined);
  return loadDPoP;
}

function absolute(url: unknown): string {
  try {
    return new URL(String(url), globalThis.location?.href).href;
  } catch {
    throw configurationError('DPoP needs the URL of the request.');
  }
}

/** As `fetch` sends a method (https://fetch.spec.whatwg.org/#concept-method-normalize). */
function asSent(method: string): string {
  return /^(delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;
}

export function boundClient(dpop: () => Promise<DPoPSupport>): BoundClient {
  return {
    bind: async (session) => (await dpop()).bind(session),
    unbind: async (session) => (await dpop()).unbind(session),
    async authorize({ previous, sessionId = '', url, method, ...rest }) {
      const request = { ...rest, sessionId, url: absolute(url), method: asSent(method) };
      const support = await dpop();
      if (previous) await support.hear(request, previous.headers);
      const proof = await support.prove(request);
      if (proof === undefined)
        throw configurationError('the DPoP key of this session is not known in this browser.');
      return { Authorization: `DPoP ${request.accessToken}`, DPoP: proof };
    },
  };
}
