import type { ClockPort } from './core/ports.js';
import type { Event } from './core/state.js';

/** Finds out that `refresh` waits for its own coordinator. */
export interface MisuseWatch {
  /** Remembers an error that a caller is given. */
  readonly gave: (error: object) => void;
  /** Whether this error, or a cause of it, is one that a caller was given. */
  readonly gaveCauseOf: (error: unknown) => boolean;
  /** Watches a request, which begins now, and the calls with this number and above. Returns how to stop. */
  readonly watch: (first: number) => () => void;
}

export type WatchForMisuse = (
  clock: ClockPort,
  refreshTimeoutMs: number,
  pending: ReadonlyMap<number, unknown>,
  dispatch: (event: Event) => void,
) => MisuseWatch;

const none: MisuseWatch = { gave() {}, gaveCauseOf: () => false, watch: () => () => {} };

/**
 * In production nobody watches: such a call waits until its own `timeoutMs`. `#misuse` means this module, or `misuse.development.ts` under
 * the conditions `development` and `node`; see `imports` in package.json.
 */
export const watchForMisuse: WatchForMisuse = () => none;
