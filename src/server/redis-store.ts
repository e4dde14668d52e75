import { sendsPlainCommands } from '../redis-client.js';
import { check } from './check.js';
import { refuseNewer } from './schema.js';
import {
  IDLE_MS,
  StoreClosed,
  type Claim,
  type RotationStore,
  type ServerStore,
  type VersionClaim,
  type VersionStore,
} from './store.js';

/** A connected client: of `ioredis` (`call`), or of `redis` (`sendCommand`). */
export type RedisClient =
  | {
      /** Sends a command. Rejects when the server cannot be reached. */
      call(command: string, ...values: string[]): Promise<unknown>;
    }
  | {
      /** Sends a command. Rejects when the server cannot be reached. */
      sendCommand(command: string[]): Promise<unknown>;
    };

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /** The beginning of every key; default `'{one-refresh}:'`. The braces keep all keys in one slot of a cluster. */
  readonly prefix?: string | undefined;
}

/**
 * Before each script: the prefix, the clock of Redis, and the names of keys. A token's row is a hash with a time to live, so nothing has to be
 * swept. `session:` and `version:` are logins, `newest:` and `token:` lead from a token to its login.
 * `schema` is the version of all this.
 */
const HEAD = `
local prefix = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function spent(token) return prefix .. 'spent:' .. token end
local function newest(token) return prefix .. 'newest:' .. token end
local function session(id) return prefix .. 'session:' .. id end
local function known(token) return prefix .. 'token:' .. token end
local function login(id) return prefix .. 'version:' .. id end
`;

const SCRIPTS = {
  claim: `
    local token, claim, holder, request, life = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
    local row = redis.call('HMGET', spent(token), 'claim', 'version', 'session', 'holder', 'request', 'at', 'answer')
    if row[2] then
      if redis.call('HGET', session(row[3]), 'active') == '0' then return { 'inactive' } end
      return { 'spent', row[2], row[3], row[4], row[5], tostring(now - row[6]), row[7] or '' }
    end
    local id = redis.call('GET', newest(token))
    if id and redis.call('HGET', session(id), 'active') == '0' then return { 'inactive' } end
    if row[1] then return { row[1] == claim and 'claimed' or 'pending' } end
    redis.call('HSET', spent(token), 'claim', claim, 'holder', holder, 'request', request)
    redis.call('PEXPIRE', spent(token), life)
    return { 'claimed' }`,
  renew: `
    local row = redis.call('HMGET', spent(ARGV[2]), 'claim', 'version')
    if row[1] == ARGV[3] and not row[2] then redis.call('PEXPIRE', spent(ARGV[2]), ARGV[4]) end
    return {}`,
  settle: `
    local token, claim, holder, request, next_token, user, answer, window, fresh, idle =
      ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
    local row = redis.call('HMGET', spent(token), 'session', 'version')
    if row[2] then return { row[1], row[2] } end
    local id = redis.call('GET', newest(token))
    local version = id and redis.call('HGET', session(id), 'version')
    local other = redis.call('GET', newest(next_token))
    local successor = other and other ~= id and redis.call('HGET', session(other), 'version')
    if successor then
      if version then
        if redis.call('HGET', session(id), 'active') == '0' then redis.call('HSET', session(other), 'active', '0') end
        redis.call('DEL', session(id), newest(token))
      end
      id, version = other, successor
    elseif version then
      version = tostring(version + 1)
      local previous = redis.call('HGET', session(id), 'previous')
      if previous then redis.call('HDEL', spent(previous), 'answer') end
      redis.call('DEL', newest(token))
      redis.call('HSET', session(id), 'token', next_token, 'previous', token, 'version', version, 'last_active', now)
    else
      id, version = fresh, '2'
      redis.call('HSET', session(id), 'user', user, 'active', '1', 'token', next_token, 'previous', token,
        'version', version, 'last_active', now)
    end
    redis.call('PEXPIRE', session(id), idle)
    redis.call('SET', newest(next_token), id, 'PX', idle)
    redis.call('DEL', spent(token))
    redis.call('HSET', spent(token), 'claim', claim, 'holder', holder, 'request', request, 'at', now,
      'session', id, 'version', version, 'answer', answer)
    redis.call('PEXPIRE', spent(token), window)
    return { id, version }`,
  release: `
    local row = redis.call('HMGET', spent(ARGV[2]), 'claim', 'version')
    if row[1] == ARGV[3] and not row[2] then redis.call('DEL', spent(ARGV[2])) end
    return {}`,
  begin: `
    if redis.call('SET', newest(ARGV[2]), ARGV[4], 'PX', ARGV[5], 'NX') then
      redis.call('HSET', session(ARGV[4]), 'user', ARGV[3], 'active', '1', 'token', ARGV[2], 'version', '1', 'last_active', now)
      redis.call('PEXPIRE', session(ARGV[4]), ARGV[5])
    end
    return {}`,
  end: `
    local id = redis.call('GET', newest(ARGV[2])) or redis.call('HGET', spent(ARGV[2]), 'session')
    if not id then return {} end
    local row = redis.call('HMGET', session(id), 'token', 'previous', 'active')
    if row[3] ~= '1' then return {} end
    redis.call('DEL', session(id), newest(row[1]))
    for _, token in ipairs({ ARGV[2], row[2] or ARGV[2] }) do
      if redis.call('HEXISTS', spent(token), 'version') == 1 then redis.call('DEL', spent(token)) end
    end
    return {}`,
  deactivate: `
    if redis.call('EXISTS', session(ARGV[2])) == 0 then return {} end
    redis.call('HSET', session(ARGV[2]), 'active', '0')
    local row = redis.call('HMGET', session(ARGV[2]), 'previous', 'version')
    if not row[1] or (redis.call('HEXISTS', spent(row[1]), 'claim') == 1 and redis.call('HEXISTS', spent(row[1]), 'version') == 0) then
      return {}
    end
    redis.call('HDEL', spent(row[1]), 'answer')
    redis.call('HSET', spent(row[1]), 'claim', '', 'session', ARGV[2], 'version', row[2], 'at', now)
    redis.call('PEXPIRE', spent(row[1]), ARGV[3])
    return {}`,
  claimVersion: `
    local token, claim, claimed, life, fresh, idle = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
    local row = redis.call('HMGET', known(token), 'session', 'outdated')
    local id = row[1]
    local version = id and redis.call('HGET', login(id), 'version')
    if not version then
      id, version = fresh, '0'
      redis.call('DEL', known(token))
      redis.call('HSET', known(token), 'session', id)
      redis.call('PEXPIRE', known(token), idle)
      redis.call('HSET', login(id), 'version', version)
      redis.call('PEXPIRE', login(id), idle)
    end
    version = tonumber(version)
    if (row[2] and id == row[1]) or claimed < version then return { 'outdated', id, string.format('%d', version) } end
    local target = string.format('%d', math.max(claimed, version) + 1)
    local held = redis.call('HMGET', login(id), 'claim', 'until')
    if held[1] and held[1] ~= claim and tonumber(held[2]) >= now then return { 'pending', id, target } end
    redis.call('HSET', login(id), 'claim', claim, 'until', now + life)
    return { 'claimed', id, target }`,
  renewVersion: `
    if redis.call('HGET', login(ARGV[2]), 'claim') == ARGV[3] then redis.call('HSET', login(ARGV[2]), 'until', now + ARGV[4]) end
    return {}`,
  settleVersion: `
    local token, claim, id, next_token, target, outdated, idle = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
    if tonumber(redis.call('HGET', login(id), 'version') or '0') < tonumber(target) then
      redis.call('HSET', login(id), 'version', target)
    end
    if redis.call('HGET', login(id), 'claim') == claim then redis.call('HDEL', login(id), 'claim') end
    redis.call('PEXPIRE', login(id), idle)
    if outdated == '0' then
      redis.call('DEL', known(token))
    else
      redis.call('HSET', known(token), 'session', id, 'outdated', '1')
      redis.call('PEXPIRE', known(token), outdated)
    end
    redis.call('DEL', known(next_token))
    redis.call('HSET', known(next_token), 'session', id)
    redis.call('PEXPIRE', known(next_token), idle)
    return {}`,
  releaseVersion: `
    local row = redis.call('HMGET', login(ARGV[3]), 'claim', 'version')
    if row[1] ~= ARGV[4] then return {} end
    if row[2] == '0' then
      redis.call('DEL', login(ARGV[3]), known(ARGV[2]))
    else
      redis.call('HDEL', login(ARGV[3]), 'claim')
    end
    return {}`,
  beginVersion: `
    if redis.call('EXISTS', known(ARGV[2])) == 1 then return {} end
    redis.call('HSET', known(ARGV[2]), 'session', ARGV[3])
    redis.call('PEXPIRE', known(ARGV[2]), ARGV[4])
    redis.call('HSET', login(ARGV[3]), 'version', '1')
    redis.call('PEXPIRE', login(ARGV[3]), ARGV[4])
    return {}`,
  endVersion: `
    local id = redis.call('HGET', known(ARGV[2]), 'session')
    if id then redis.call('DEL', login(id)) end
    redis.call('DEL', known(ARGV[2]))
    return {}`,
} as const;

/**
 * Sessions and versions in Redis 5 or newer, shared by any number of machines. Each call is one script, so it is atomic. Redis keeps the time,
 * and deletes rows when their time is over. Set `maxmemory-policy noeviction`: an evicted claim lets a token be spent twice. A fail-over may
 * lose the last second; its duplicates are then the authorization server's business again.
 *
 * @param client - a connected client of `ioredis` or `redis`; the store does not close it
 * @param options - the keys' prefix
 * @throws `ERR_CONFIGURATION` if the client or an option is not usable
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): ServerStore {
  const { prefix = '{one-refresh}:' } = Object(options) as RedisStoreOptions;
  check(
    'client',
    sender(client) !== undefined,
    'a client of ioredis or redis; for a cluster or sentinels, one of ioredis',
  );
  check('prefix', typeof prefix === 'string' && prefix !== '', 'a non-empty string');
  const send = sender(client) as Send;
  const loaded = new Map<keyof typeof SCRIPTS, string>();
  let closed = false;
  let opening: Promise<void> | undefined;

  const open = (): Promise<void> =>
    (opening ??= openSchema(send, prefix).catch((error: unknown) => {
      opening = undefined;
      throw error;
    }));

  async function run(name: keyof typeof SCRIPTS, ...values: (string | number)[]): Promise<string[]> {
    if (closed) throw new StoreClosed();
    await open();
    const script = HEAD + SCRIPTS[name];
    // The key only says which slot of a cluster is meant.
    const rest = ['1', `${prefix}slot`, prefix, ...values.map(String)];
    const sha = loaded.get(name) ?? String(await send(['SCRIPT', 'LOAD', script]));
    loaded.set(name, sha);
    try {
      return (await send(['EVALSHA', sha, ...rest])) as string[];
    } catch (error) {
      // After a restart Redis knows no scripts.
      if (!String(error).includes('NOSCRIPT')) throw error;
      return (await send(['EVAL', script, ...rest])) as string[];
    }
  }

  const rotation: RotationStore = {
    claim: async (token, claimId, { holder, request }, claimMs) =>
      readClaim(await run('claim', token, claimId, holder ?? '', request, claimMs)),
    renew: async (token, claimId, claimMs) => void (await run('renew', token, claimId, claimMs)),
    async settle(token, claimId, { requester: { holder, request }, next, userId, answer, windowMs }) {
      const fresh = crypto.randomUUID();
      const values = [token, claimId, holder ?? '', request, next, userId, answer, windowMs, fresh, IDLE_MS];
      const [sessionId = '', version] = await run('settle', ...values);
      return { sessionId, version: Number(version) };
    },
    release: async (token, claimId) => void (await run('release', token, claimId)),
    begin: async (token, userId) => void (await run('begin', token, userId, crypto.randomUUID(), IDLE_MS)),
    end: async (token) => void (await run('end', token)),
    deactivate: async (sessionId) => void (await run('deactivate', sessionId, IDLE_MS)),
  };

  const versions: VersionStore = {
    async claim(token, claimId, claimed, claimMs): Promise<VersionClaim> {
      const values = [token, claimId, claimed, claimMs, crypto.randomUUID(), IDLE_MS];
      const [state, sessionId = '', target] = await run('claimVersion', ...values);
      const newest = Number(target);
      if (state === 'claimed') return { state, sessionId, newest };
      return { state: 'conflict', reason: state as 'outdated' | 'pending', sessionId, newest };
    },
    renew: async (sessionId, claimId, claimMs) =>
      void (await run('renewVersion', sessionId, claimId, claimMs)),
    settle: async (token, claimId, { sessionId, next, newest, outdatedMs }) =>
      void (await run('settleVersion', token, claimId, sessionId, next, newest, outdatedMs, IDLE_MS)),
    release: async (token, sessionId, claimId) =>
      void (await run('releaseVersion', token, sessionId, claimId)),
    begin: async (token) => void (await run('beginVersion', token, crypto.randomUUID(), IDLE_MS)),
    end: async (token) => void (await run('endVersion', token)),
  };

  return {
    rotation,
    versions,
    // Redis deletes by itself. A sweep only looks whether the keys can be used.
    sweep: open,
    close: async () => {
      closed = true;
    },
  };
}

type Send = (command: string[]) => Promise<unknown>;

/**
 * The version of the keys' shape. A later version upgrades what it finds here. Where no version is found, the keys are of this shape, or there
 * are none.
 */
const SCHEMA = 1;

/** @throws `ERR_CONFIGURATION` if the keys are newer, and what the client rejects with */
async function openSchema(send: Send, prefix: string): Promise<void> {
  const key = `${prefix}schema`;
  await send(['SET', key, String(SCHEMA), 'NX']);
  refuseNewer(Number(await send(['GET', key])), SCHEMA);
}

/** `ioredis` has a `sendCommand`, too, which takes something else: `call` is asked for first. */
function sender(client: unknown): Send | undefined {
  const { call } = Object(client) as Partial<Record<string, unknown>>;
  if (typeof call === 'function')
    return ([command = '', ...values]) => Promise.resolve(call.call(client, command, ...values));
  if (sendsPlainCommands(client)) return (command) => Promise.resolve(client.sendCommand(command));
  return undefined;
}

function readClaim([state, version, sessionId = '', holder, request = '', ageMs, answer]: string[]): Claim {
  if (state !== 'spent') return { state: state as 'claimed' | 'pending' | 'inactive' };
  return {
    state,
    spent: {
      holder: holder || null,
      request,
      sessionId,
      version: Number(version),
      ageMs: Number(ageMs),
      answer: answer || null,
    },
  };
}
