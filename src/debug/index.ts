import { describe, type Step } from './describe.js';

export type { Step };

/** Prints lines, and brings along what writes them. */
export interface DebugLog {
  /** Prints a line with `console.debug`. */
  (line: string): void;
  /** One line for a step of the coordinator; `undefined` if there is nothing to say. Never a token in it. */
  readonly describe: (step: Step) => string | undefined;
}

/**
 * For the option `debug`: prints each step of the coordinator in one line with `console.debug` (shown as "Verbose" or "Debug" in browsers), without
 * tokens. The same as `debug: true`, but that nothing has to be loaded later, so it works in a refresh worker as well.
 *
 * @param line - what to print
 * @throws nothing
 * @example
 * import { createTokenCoordinator } from 'one-refresh'
 * import { debugLog } from 'one-refresh/debug'
 * import { refreshTokenGrant } from 'one-refresh/oauth'
 *
 * const refresh = refreshTokenGrant({ issuer: 'https://login.example.com', clientId: 'my-app' })
 * createTokenCoordinator({ name: 'shop', refresh, debug: import.meta.env.DEV ? debugLog : undefined })
 */
export const debugLog: DebugLog = Object.assign(print, { describe });

function print(line: string): void {
  // oxlint-disable-next-line no-console -- that is what it is for
  console.debug(line);
}
