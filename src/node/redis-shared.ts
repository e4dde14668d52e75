import { TokenCoordinatorError } from '../core/errors.js';
import { sendsPlainCommands } from '../redis-client.js';
import { checkKeepMs, sealed, type SealingOptions } from './sealed.js';
import type { LeaseRequest, Shared } from './shared.js';

/** The members of a client of `ioredis` that are needed. */
export interface IoRedisClient {
  /** Sends one command. Rejects as the client does. */
  readonly call: (command: string, ...args: string[]) => Promise<unknown>;
  /** Another connection with the same options. */
  readonly duplicate: () => unknown;
}

/** The members of a client of `redis` (node-redis) that are needed. */
export interface NodeRedisClient {
  /** Sends one command. Rejects as the client does. */
  readonly sendCommand: (args: string[]) => Promise<unknown>;
  /** Another connection with the same options. */
  readonly duplicate: () => unknown;
}

/** Options of `redisShared`. */
export interface RedisSharedOptions extends SealingOptions {
  /** Before the names of all keys, and of the channel; default `one-refresh:`. */
  readonly prefix?: string | undefined;
  /** A record that has not been written for so long is dropped; milliseconds; default 90 days. */
  readonly keepMs?: number | undefined;
}

/** Reads and writes are one step of the server each. The new mark counts as the old one: a client may send a command twice. */
const WRITE = `local mark = redis.call('HGET', KEYS[1], 'mark') or ''
if mark == ARGV[2] then return 1 end
if mark ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'mark', ARGV[2], 'text', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`;
const ACQUIRE = `local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

/** The part of a subscriber that both clients have, and what only one of them has. */
interface Subscriber {
  on(type: string, listener: (...all: never[]) => void): unknown;
  connect?(): Promise<unknown>;
  /** Of `ioredis`, and of `redis` before version 5. */
  disconnect?(): unknown;
  destroy?(): unknown;
  subscribe(channel: string, listener?: (message: string) => void): Promise<unknown>;
  unref?(): unknown;
  readonly stream?: { unref?(): unknown };
}

/**
 * Redis (or Valkey) as the shared part. Commands go over the given client; messages come over one connection more, which is made with
 * the first session, ends with `sessions.close()`, and does not keep the process alive.
 *
 * @param client - of `ioredis` or `redis` (node-redis), connected; it stays yours to close
 * @throws `ERR_CONFIGURATION` if `client` is neither, or an option is not usable
 */
export function redisShared(
  client: IoRedisClient | NodeRedisClient,
  options: RedisSharedOptions = {},
): Shared {
  const { prefix = 'one-refresh:', keepMs: keptMs } = Object(options) as RedisSharedOptions;
  const keepMs = checkKeepMs(keptMs);
  if (typeof prefix !== 'string')
    throw new TokenCoordinatorError('ERR_CONFIGURATION', '`prefix` must be text');
  const isIoRedis =
    typeof Object(client).call === 'function' && typeof Object(client).defineCommand === 'function';
  if (!isIoRedis && !sendsPlainCommands(client)) {
    throw new TokenCoordinatorError(
      'ERR_CONFIGURATION',
      '`redisShared` takes a client of ioredis or redis; for a cluster or sentinels, one of ioredis',
    );
  }
  const send = (command: string, ...args: string[]): Promise<unknown> =>
    isIoRedis
      ? (client as IoRedisClient).call(command, ...args)
      : (client as NodeRedisClient).sendCommand([command, ...args]);
  const run = (script: string, key: string, ...args: string[]): Promise<unknown> =>
    send('EVAL', script, '1', key, ...args);
  const channel = `${prefix}changes`;
  // The braces keep the keys of one session in one slot of a cluster.
  const recordKey = (key: string): string => `${prefix}{${key}}`;
  const leaseKey = ({ key, name }: Pick<LeaseRequest, 'key' | 'name'>): string => `${prefix}{${key}}:${name}`;

  const shared: Shared = {
    async read(key) {
      const [mark, text] = (await send('HMGET', recordKey(key), 'mark', 'text')) as (string | null)[];
      return mark != null && text != null ? { mark, text } : undefined;
    },
    async write(key, mark, text) {
      const next = crypto.randomUUID();
      const args = [mark ?? '', next, text, String(keepMs)];
      return Number(await run(WRITE, recordKey(key), ...args)) === 1 ? next : undefined;
    },
    acquire: async (lease) =>
      String(await run(ACQUIRE, leaseKey(lease), lease.holder, String(lease.ttlMs), lease.instead ?? '')),
    steal: async (lease) =>
      void (await send('SET', leaseKey(lease), lease.holder, 'PX', String(lease.ttlMs))),
    release: async (lease) => void (await run(RELEASE, leaseKey(lease), lease.holder)),
    post: async (topic) => void (await send('PUBLISH', channel, topic)),
    listen(hear, missed) {
      const subscriber = client.duplicate() as Subscriber;
      let wasReady = false;
      let stopped = false;
      // Both clients connect again by themselves, and subscribe again. Messages posted meanwhile are lost.
      subscriber.on('error', () => {});
      const unref = (): void => void (isIoRedis ? subscriber.stream?.unref?.() : subscriber.unref?.());
      subscriber.on('connect', unref);
      subscriber.on('ready', () => {
        unref();
        if (wasReady) missed();
        wasReady = true;
      });
      if (isIoRedis) {
        subscriber.on('message', (_: string, topic: string) => hear(topic));
        subscriber.subscribe(channel).catch(() => {});
      } else {
        subscriber.connect!()
          .then(() => subscriber.subscribe(channel, hear))
          .catch(() => {});
      }
      return async () => {
        if (stopped) return;
        stopped = true;
        // (One that has never connected has nothing to end, and says so.)
        const end = async (): Promise<unknown> =>
          subscriber.destroy ? subscriber.destroy() : subscriber.disconnect?.();
        await end().catch(() => {});
      };
    },
  };
  return sealed(shared, options);
}
