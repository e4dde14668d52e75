// One process at a token endpoint, for campaigns/stores.ts: sends so many duplicates of one refresh through the session table, and dies when told.
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createIdempotentRotation,
  postgresStore,
  redisStore,
  sqliteStore,
  type IdempotentRotationOptions,
  type ServerStore,
} from 'one-refresh/server';

export interface Task {
  readonly round: number;
  readonly token: string;
  readonly duplicates: number;
  /** The requests prove nothing of their sender, and `withoutKey` is `'conflict'`. */
  readonly keyless: boolean;
  /** Where this process ends itself: with the claim but before the spend, or with the answer recorded but not given. */
  readonly die?: 'before the spend' | 'before the answer' | undefined;
}

export interface Report {
  readonly round: number;
  readonly issued: readonly string[];
}

const [kind = '', where = '', server = '', window] = process.argv.slice(2);
let die: Task['die'];

function open(): ServerStore {
  if (kind === 'sqlite') return sqliteStore(where);
  if (kind === 'postgres') {
    const pool = new Pool({ host: '127.0.0.1', port: Number(where), user: 'postgres', max: 5 });
    pool.on('error', () => {});
    return postgresStore(pool);
  }
  const client = new Redis({ host: '127.0.0.1', port: Number(where), maxRetriesPerRequest: 1 });
  client.on('error', () => {});
  return redisStore(client);
}

const store = open();
const shared: IdempotentRotationOptions = {
  windowMs: Number(window),
  claimMs: 1_500,
  store: {
    rotation: {
      ...store.rotation,
      async settle(...args) {
        const settled = await store.rotation.settle(...args);
        if (die === 'before the answer') process.kill(process.pid, 'SIGKILL');
        return settled;
      },
    },
  },
};
const spend = (request: Request): Promise<Response> => {
  if (die === 'before the spend') process.kill(process.pid, 'SIGKILL');
  return fetch(new Request(server, request));
};
const byKey = createIdempotentRotation(shared)(spend);
const keyless = createIdempotentRotation({ ...shared, withoutKey: 'conflict' })(spend);

/** Asks as a client does: again after a 503, which means that nothing was spent. */
async function refresh(token: string, without: boolean): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await (without ? keyless : byKey)(
      new Request('http://127.0.0.1/token', {
        method: 'POST',
        headers: without ? {} : { 'idempotency-key': 'one browser' },
        body: new URLSearchParams({ grant_type: 'refresh_token', client_id: 'c', refresh_token: token }),
      }),
    );
    const body = (await answer.json()) as { refresh_token?: string; error?: string };
    if (answer.status !== 503) return body.refresh_token ?? `${answer.status} ${body.error}`;
    await sleep(100);
  }
  return 'never answered';
}

process.on('message', ({ round, token, duplicates, keyless: without, die: dying }: Task) => {
  die = dying;
  const all = Array.from({ length: duplicates }, () => refresh(token, without));
  void Promise.all(all).then((issued) => process.send?.({ round, issued } satisfies Report));
});
// Opened before the first round.
await store.sweep();
process.send?.('ready');
