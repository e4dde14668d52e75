import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request on the wire. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body read as a form. */
  readonly form: URLSearchParams;
}

/** Answers one request. */
export type Answer = (request: ReceivedRequest, response: ServerResponse) => void | Promise<void>;

/** A real HTTP server on loopback that a test gives its answers one by one. */
export interface LoopbackServer {
  readonly origin: string;
  /** Every request so far. */
  readonly received: ReceivedRequest[];
  /** Answers every request from now on; forgets the ones received. */
  answer(answer: Answer): void;
  close(): Promise<void>;
}

export async function startLoopbackServer(hostname = '127.0.0.1'): Promise<LoopbackServer> {
  const received: ReceivedRequest[] = [];
  let current: Answer = unprepared;
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const { method = '', url = '', headers } = incoming;
      const request = { method, url, headers, body, form: new URLSearchParams(body) };
      received.push(request);
      void Promise.resolve(current(request, response)).catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, hostname, resolve));
  return {
    origin: `http://${hostname}:${(server.address() as AddressInfo).port}`,
    received,
    answer(answer) {
      received.length = 0;
      current = answer;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const unprepared: Answer = (_request, response) => void response.writeHead(500).end();

/** An answer made of a status, a JSON body and headers. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}
