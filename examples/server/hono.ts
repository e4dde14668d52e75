// The session table in a Hono app: its handlers speak `Request` and `Response` already.
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { createIdempotentRotation, type ServerStore, type TokenHandler } from 'one-refresh/server';

export function createApp(store: ServerStore, tokenEndpoint: TokenHandler): Hono {
  const guarded = createIdempotentRotation({ store })(tokenEndpoint);
  const app = new Hono();
  app.use('/token', cors({ origin: 'https://app.example.com' }));
  app.post('/token', (context) => guarded(context.req.raw));
  return app;
}
