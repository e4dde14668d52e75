/**
 * `npm run sessions`: the cost of many sessions in one process: memory per idle session, reads of the shared store per call, calls per second; with
 * Redis on loopback.
 *
 *     npm run sessions -- [--sessions 10000] [--seconds 5] [--json FILE]
 */
import { parseArgs } from 'node:util';
import {
  createSessions,
  redisShared,
  type SealingOptions,
  type Sessions,
  type Shared,
} from '../src/node/index.js';
import { startRedis } from '../test/support/database-servers.js';
import { commit, readNumber, writeJson } from '../tools/output.js';
import { openRedis } from './processes/stores.js';

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const count = readNumber('sessions', values.sessions, 1);
const seconds = readNumber('seconds', values.seconds, 1);
if (!globalThis.gc) throw new Error('Run it with node --expose-gc');

/** A JWT of usual size; it means nothing. */
const token = 'x'.repeat(900);
const server = await startRedis();
const redis = openRedis(server.port);
let reads = 0;

function open(options: SealingOptions & { trustMemoryMs?: number } = {}): Sessions {
  const inner = redisShared(redis, options);
  const shared: Shared = { ...inner, read: (key) => (reads++, inner.read(key)) };
  const refresh = (): never => {
    throw new Error('nothing expires here');
  };
  return createSessions({ shared, refresh, idleMs: 1_000, trustMemoryMs: options.trustMemoryMs });
}

async function settledHeap(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  for (let n = 0; n < 5; n++) {
    globalThis.gc!();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage().heapUsed;
}

async function inGroups(total: number, run: (n: number) => Promise<unknown>): Promise<void> {
  for (let n = 0; n < total; n += 100) {
    await Promise.all(Array.from({ length: Math.min(100, total - n) }, (_, i) => run(n + i)));
  }
}

/** Calls by 100 at a time, for so many seconds. */
async function rate(
  sessions: Sessions,
  prefix: string = 's',
): Promise<{ perSecond: number; readsPerCall: number }> {
  const handles = Array.from({ length: count }, (_, n) => sessions.open(`${prefix}${n}`));
  for (let n = 0; n < 5_000; n++) await handles[n % count]!.getAccessToken();
  const until = performance.now() + seconds * 1000;
  const start = performance.now();
  let calls = 0;
  reads = 0;
  await Promise.all(
    Array.from({ length: 100 }, async (_, worker) => {
      for (let n = worker; performance.now() < until; n += 100) {
        await handles[n % count]!.getAccessToken();
        calls++;
      }
    }),
  );
  const perSecond = Math.round((calls / (performance.now() - start)) * 1000);
  return { perSecond, readsPerCall: Number((reads / calls).toFixed(3)) };
}

const encryptWith = crypto.getRandomValues(new Uint8Array(32));
const setUp = open();
await inGroups(count, (n) =>
  setUp.open(`s${n}`).setSession({ access_token: token, refresh_token: `r${n}`, expires_in: 86_400 }),
);
await setUp.close();

const sessions = open();
const before = await settledHeap();
const handles = Array.from({ length: count }, (_, n) => sessions.open(`s${n}`));
await inGroups(count, (n) => handles[n]!.getAccessToken());
const rested = await settledHeap();
const bytesPerIdleSession = Math.round((rested - before) / count);
const lifeless = handles.length;

const each = await rate(sessions);
const trusting = open({ trustMemoryMs: 1_000 });
const trusted = await rate(trusting);
await trusting.close();
await sessions.close();
const sealing = open({ encryptWith });
await inGroups(count, (n) =>
  sealing.open(`e${n}`).setSession({ access_token: token, refresh_token: `r${n}`, expires_in: 86_400 }),
);
const sealed = await rate(sealing, 'e');
await sealing.close();

const figures = {
  sessions: lifeless,
  bytesPerIdleSession,
  everyCallReads: each,
  trustedForASecond: trusted,
  everyCallReadsSealed: sealed,
};
console.log(JSON.stringify(figures, null, 2));
writeJson(values.json, { commit: commit(), node: process.version, ...figures });
await redis.quit();
await server.remove();
const isCheap = bytesPerIdleSession <= 2048 && each.perSecond >= 5_000;
process.exitCode = isCheap && each.readsPerCall <= 1 && trusted.readsPerCall < 0.5 ? 0 : 1;
