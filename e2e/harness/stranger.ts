// Another origin on this machine, with open doors: it lets every page in, and keeps what it was shown.
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Stranger {
  readonly origin: string;
  /** Every request, preflights included. */
  readonly received: readonly { method: string; path: string; headers: http.IncomingHttpHeaders }[];
  close(): Promise<void>;
}

/** `/redirect?status=…&to=…` leads elsewhere; everything else is 200. */
export async function startStranger(): Promise<Stranger> {
  const received: Stranger['received'][number][] = [];
  const server = http.createServer((req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://stranger');
    received.push({ method: req.method ?? '', path: pathname, headers: req.headers });
    res.setHeader('access-control-allow-origin', '*');
    // The wildcard does not stand for Authorization (Fetch §4.9).
    res.setHeader('access-control-allow-headers', 'authorization, dpop, content-type, x-test');
    res.setHeader('access-control-allow-methods', '*');
    if (req.method !== 'OPTIONS' && pathname === '/redirect') {
      res.writeHead(Number(searchParams.get('status')), { location: searchParams.get('to') ?? '' }).end();
    } else {
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
