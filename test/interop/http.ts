// Between Node's requests and the Fetch API's, for servers of the tests: whole bodies, every header, every cookie.
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: Request) => Promise<Response>;

export async function toRequest(req: http.IncomingMessage): Promise<Request> {
  const headers = new Headers();
  for (let n = 0; n < req.rawHeaders.length; n += 2)
    headers.append(req.rawHeaders[n]!, req.rawHeaders[n + 1]!);
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const { method = 'GET' } = req;
  return new Request(new URL(req.url ?? '/', `http://${req.headers.host}`), {
    method,
    headers,
    ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
  });
}

export async function writeResponse(res: http.ServerResponse, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  for (const [name, value] of response.headers) if (name !== 'set-cookie') res.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader('set-cookie', cookies);
  res.writeHead(response.status).end(body);
}

export function toListener(handler: Handler): http.RequestListener {
  return (req, res) => {
    toRequest(req)
      .then(handler)
      .then((response) => writeResponse(res, response))
      .catch((error: unknown) => {
        console.error(error);
        res.destroy();
      });
  };
}

/** On loopback; 0 is any free port. */
export async function listen(
  listener: http.RequestListener,
  port = 0,
): Promise<{ server: http.Server; port: number }> {
  const server = http.createServer(listener);
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(port, '127.0.0.1', resolve),
  );
  return { server, port: (server.address() as AddressInfo).port };
}

export async function close(server: http.Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
