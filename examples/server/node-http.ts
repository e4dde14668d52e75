// `one-refresh/server` in front of any Node server: an adapter between Node's requests and the Fetch API's.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

/** Node's `(req, res)` for a handler on `Request` and `Response`. Express takes it as it is; mount it before body parsers. */
export function toNode(handler: (request: Request) => Promise<Response>) {
  return async (req: IncomingMessage & { originalUrl?: string }, res: ServerResponse): Promise<void> => {
    const headers = new Headers();
    for (let n = 0; n < req.rawHeaders.length; n += 2)
      headers.append(req.rawHeaders[n]!, req.rawHeaders[n + 1]!);
    const url = new URL(req.originalUrl ?? req.url ?? '/', `http://${req.headers.host ?? 'localhost'}`);
    const body = req.method === 'GET' || req.method === 'HEAD' ? null : Readable.toWeb(req);
    const init = { method: req.method, headers, body, duplex: 'half' } as RequestInit;
    const answer = await handler(new Request(url, init)).catch(() => new Response(null, { status: 500 }));
    res.writeHead(answer.status, Object.fromEntries(answer.headers));
    res.end(Buffer.from(await answer.arrayBuffer()));
  };
}

/**
 * The answer of a `fetch`, to be handed on. `fetch` decompresses the body and leaves the headers, so a client would decompress it once more and
 * fail.
 */
export function decompressed(answer: Response): Response {
  const copy = new Response(answer.body, answer);
  for (const name of ['content-encoding', 'content-length']) copy.headers.delete(name);
  return copy;
}
