import { TokenCoordinatorError } from './core/errors.js';
import type { CoreOptions } from './core/state.js';
import type { TokenClient, TokenCoordinatorOptions } from './types.js';

/** Options after the check, with their defaults. */
export interface CheckedOptions extends Omit<CoreOptions, 'locks'> {
  readonly client: TokenClient;
  readonly isSessionLost: ((error: unknown) => boolean) | undefined;
}

/**
 * Checks what a developer gave and fills in the defaults.
 * @throws `ERR_CONFIGURATION` with a sentence that says what to change
 */
export function checkOptions(options: TokenCoordinatorOptions): CheckedOptions {
  if (typeof options !== 'object' || (options as unknown) === null) return reject('options', 'an object');
  const { name, refresh, isSessionLost, worker } = options;
  if (typeof name !== 'string' || name === '') reject('name', 'a non-empty string');
  const client = typeof refresh === 'function' ? { refresh } : refresh;
  if (typeof client?.refresh !== 'function') {
    reject('refresh', 'a function, or a client such as refreshTokenGrant() returns');
  }
  if (isSessionLost !== undefined && typeof isSessionLost !== 'function')
    reject('isSessionLost', 'a function');
  const url: unknown = worker instanceof Object && 'url' in worker ? worker.url : worker;
  if (url !== undefined && typeof url !== 'string' && !(url instanceof URL)) {
    reject('worker', 'a URL, or { url, scope }');
  }

  return {
    client,
    isSessionLost,
    refreshBeforeMs: duration(options, 'refreshBeforeMs', 0),
    minValidityMs: duration(options, 'minValidityMs', 0),
    refreshTimeoutMs: duration(options, 'refreshTimeoutMs', 1) ?? 30_000,
    leaderTimeoutMs: duration(options, 'leaderTimeoutMs', 1) ?? 1_500,
    proactive: oneOf(options, 'proactive', ['visible', 'always', 'never']),
    broadcast: oneOf(options, 'broadcast', ['pair', 'access-token']),
    answers: true,
  };
}

function duration(
  options: TokenCoordinatorOptions,
  key: 'refreshBeforeMs' | 'minValidityMs' | 'refreshTimeoutMs' | 'leaderTimeoutMs',
  least: number,
): number | undefined {
  const value: unknown = options[key];
  if (value === undefined || (typeof value === 'number' && value >= least && value < 2 ** 31)) return value;
  return reject(key, `a number of milliseconds from ${least} to 2147483647`);
}

function oneOf<T extends string>(
  options: TokenCoordinatorOptions,
  key: 'proactive' | 'broadcast',
  values: readonly [T, ...T[]],
): T {
  const value = options[key] as T | undefined;
  if (value === undefined) return values[0];
  return values.includes(value) ? value : reject(key, `one of '${values.join("', '")}'`);
}

function reject(key: string, expected: string): never {
  throw new TokenCoordinatorError(
    'ERR_CONFIGURATION',
    `createTokenCoordinator: \`${key}\` must be ${expected}`,
  );
}
