// The session table in front of oidc-provider, in one process: provider.callback() serves everything, /token goes through the table first.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createIdempotentRotation, type ServerStore } from 'one-refresh/server';
import { decompressed, toNode } from './node-http.js';

/**
 * @param provider - what `new Provider(issuer, configuration).callback()` returns; set `provider.proxy = true`, so that it believes `X-Forwarded-…`
 * @returns the listener of the public server
 */
export async function guardProvider(
  provider: http.RequestListener,
  store: ServerStore,
): Promise<http.RequestListener> {
  const inner = http.createServer(provider);
  await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve));
  inner.unref();
  const { port } = inner.address() as AddressInfo;

  const guarded = toNode(
    createIdempotentRotation({ store })(async (request) => {
      const headers = new Headers(request.headers);
      // The provider's own address stays the public one: a DPoP proof names it.
      headers.set('x-forwarded-host', request.headers.get('host') ?? '');
      headers.delete('host');
      const { pathname, search } = new URL(request.url);
      const answer = await fetch(`http://127.0.0.1:${port}${pathname}${search}`, {
        method: request.method,
        headers,
        body: request.body,
        duplex: 'half',
      } as RequestInit);
      return decompressed(answer);
    }),
  );
  const paths = ['/token', '/token/revocation'];
  return (req, res) => {
    if (req.method === 'POST' && paths.includes(req.url ?? '')) void guarded(req, res);
    else provider(req, res);
  };
}
