import { misused } from './core/calls.js';
import type { CoreOptions } from './core/options.js';
import type { Word } from './core/texts.development.js';
import type { Debug } from './observe-steps.js';
import type { IdleOptions, TokenClient, TokenCoordinatorOptions } from './types.js';

/** Options after the check, with their defaults. */
export interface CheckedOptions extends Omit<CoreOptions, 'locks' | 'worker'> {
  readonly name: string;
  readonly client: TokenClient;
  readonly isSessionLost: ((error: unknown) => boolean) | undefined;
  readonly debug: Debug;
}

/**
 * Checks what a developer gave and fills in the defaults.
 * @throws `ERR_CONFIGURATION` with a sentence that says what to change
 */
export function checkOptions(options: TokenCoordinatorOptions): CheckedOptions {
  const given: TokenCoordinatorOptions = Object(options);
  const { refresh, isSessionLost, worker, debug } = given;
  const client = typeof refresh === 'function' ? { refresh } : refresh;

  const check = (key: Word & keyof TokenCoordinatorOptions, sound: boolean): void => {
    if (!sound) throw misused(key);
  };
  const duration = (
    key: 'refreshBeforeMs' | 'minValidityMs' | 'refreshTimeoutMs' | 'leaderTimeoutMs',
    least: number,
  ): number | undefined => {
    const value = given[key];
    const sound = value === undefined || (typeof value === 'number' && value >= least && value < 2 ** 31);
    check(key, sound);
    return value;
  };
  const oneOf = <V extends string>(key: 'proactive' | 'broadcast' | 'storage', ...values: V[]): V => {
    const value = (given[key] ?? values[0]) as V;
    check(key, values.includes(value));
    return value;
  };

  check('name', typeof given.name === 'string' && given.name !== '');
  check('refresh', typeof client?.refresh === 'function');
  check('isSessionLost', ['undefined', 'function'].includes(typeof isSessionLost));
  check('debug', ['undefined', 'boolean', 'function'].includes(typeof debug));
  const url: unknown = (worker as { url?: unknown } | undefined)?.url ?? worker;
  const { timeoutMs, warnBeforeMs = 0 } = Object(given.idle) as IdleOptions;
  check(
    'idle',
    given.idle === undefined ||
      (typeof timeoutMs === 'number' &&
        timeoutMs > warnBeforeMs &&
        warnBeforeMs >= 0 &&
        timeoutMs < Infinity),
  );
  const binding = given.binding ?? client.binding;
  check('binding', binding === undefined || (typeof binding === 'string' && binding !== ''));
  check(
    'worker',
    // (An instance of which URL? Test runners have more than one.)
    url === undefined || typeof url === 'string' || typeof Object(url).href === 'string',
  );
  oneOf('storage', 'persistent', 'session');
  return {
    name: given.name,
    client,
    isSessionLost,
    debug,
    refreshBeforeMs: duration('refreshBeforeMs', 0),
    minValidityMs: duration('minValidityMs', 0),
    refreshTimeoutMs: duration('refreshTimeoutMs', 1) ?? 30_000,
    leaderTimeoutMs: duration('leaderTimeoutMs', 1) ?? 1_500,
    proactive: oneOf('proactive', 'visible', 'always', 'never'),
    broadcast: oneOf('broadcast', 'pair', 'access-token'),
    binding,
    needsRefreshToken: client.needsRefreshToken === true,
    answers: true,
    candidate: true,
  };
}
