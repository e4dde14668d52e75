// A Cloudflare Worker in front of an authorization server that nobody can change. The table is in PostgreSQL, reached through Hyperdrive
// (with its cache switched off), with `pg` and the compatibility flag `nodejs_compat`.
import { Client } from 'pg';
import { createIdempotentRotation, postgresStore, type TokenHandler } from 'one-refresh/server';

interface Env {
  HYPERDRIVE: { connectionString: string };
  /** The server behind, for example `https://id.example.com`. */
  ORIGIN: string;
}
interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

const TOKEN_PATHS = ['/oauth/token', '/oauth/revoke'];

export default {
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const behind = (one: Request): Promise<Response> =>
      fetch(new Request(env.ORIGIN + pathname + search, one));
    if (!TOKEN_PATHS.includes(pathname)) return behind(request);
    const answering = answer(request, env, behind);
    // A spend that has begun is finished and recorded, even if the browser hangs up.
    context.waitUntil(answering.catch(() => {}));
    return answering;
  },

  /** A cron trigger: rows whose time is over. */
  async scheduled(_event: unknown, env: Env): Promise<void> {
    const client = new Client({ connectionString: env.HYPERDRIVE.connectionString });
    await client.connect();
    const store = postgresStore(client, { createTables: false });
    await store.sweep();
    await store.close();
    await client.end();
  },
};

async function answer(request: Request, env: Env, behind: TokenHandler): Promise<Response> {
  // A Worker keeps no connection from one request to the next; Hyperdrive does.
  const client = new Client({ connectionString: env.HYPERDRIVE.connectionString });
  await client.connect();
  const store = postgresStore(client, { createTables: false });
  try {
    return await createIdempotentRotation({ store })(behind)(request);
  } finally {
    await store.close();
    await client.end();
  }
}
