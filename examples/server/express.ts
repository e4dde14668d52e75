// The session table in an Express app whose token endpoint is a route.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createIdempotentRotation, type ServerStore, type TokenHandler } from 'one-refresh/server';
import { toNode } from './node-http.js';

/** The part of an Express app that is needed. */
interface App {
  post(path: string, handler: (req: IncomingMessage, res: ServerResponse) => Promise<void>): unknown;
}

/** Before `app.use(express.urlencoded())`: the table reads the body itself. Express's `cors()` goes before this. */
export function mountTokenEndpoint(app: App, store: ServerStore, tokenEndpoint: TokenHandler): void {
  app.post('/token', toNode(createIdempotentRotation({ store })(tokenEndpoint)));
}
