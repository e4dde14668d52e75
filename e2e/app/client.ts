// The token client of the test page. Every request carries who sent it, and whom the store named leader and sender at that moment: the
// server's log can then prove that both are the same.
import type { RefreshFunction, TokenClient } from 'one-refresh';
import { refreshTokenGrant, type RefreshTokenGrantOptions } from 'one-refresh/oauth';
import { createRefreshFunction } from './refresh-function.js';
import { readRecord } from './record.js';

export interface ClientOptions {
  tab: string;
  name: string;
  issuer: string;
  clientId: string;
  /** The package's own grant, or a refresh function as an application would write it. */
  by: 'grant' | 'function';
  dpop: RefreshTokenGrantOptions['dpop'];
  role: () => string;
  /** Opening the store never ends: its content remains unknown. */
  storeHangs?: boolean | undefined;
}

export function createClient(options: ClientOptions): TokenClient | RefreshFunction {
  const { issuer, clientId } = options;
  const fetch = createSigningFetch(options);
  if (options.by === 'function') {
    return createRefreshFunction({ tokenEndpoint: `${issuer}/token`, clientId, fetch });
  }
  return refreshTokenGrant({
    tokenEndpoint: `${issuer}/token`,
    revocationEndpoint: `${issuer}/token/revocation`,
    clientId,
    dpop: options.dpop,
    fetch,
  });
}

/** `fetch` that adds the sender's name to a token request. */
function createSigningFetch({ tab, name, role, storeHangs }: ClientOptions): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (!request.url.endsWith('/token')) return fetch(request);
    const form = new URLSearchParams(await request.text());
    // Without IndexedDB there is none.
    const record = storeHangs ? undefined : await readRecord(name).catch(() => undefined);
    form.set('x_resource', form.get('resource') ?? '');
    form.set('x_tab', tab);
    form.set('x_role', role());
    form.set('x_term', String(record?.term));
    form.set('x_leader', String(record?.leader));
    form.set('x_version', String(record?.version));
    form.set('x_journal_by', String(record?.journal?.by));
    form.set('x_journal_term', String(record?.journal?.term));
    form.set('x_attempt', String(record?.journal?.attempt));
    const { url, headers, signal } = request;
    return fetch(url, { method: 'POST', headers, body: form.toString(), signal });
  };
}
