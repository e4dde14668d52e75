import { watchForMisuse } from '#misuse';
import { say } from '#texts';
import { fault } from '../core/calls.js';
import { TokenCoordinatorError, type ErrorCode } from '../core/errors.js';
import type { ClockPort } from '../core/ports.js';
import type { Effect, Event } from '../core/state.js';
import type { MisuseWatch } from '../misuse.js';

/** The promises of those who wait for a step of the core. */
export interface Calls extends Pick<MisuseWatch, 'gaveCauseOf'> {
  /** Starts a call under a number of its own, by which it is settled. */
  readonly ask: (start: (id: number) => void, signal?: AbortSignal) => Promise<string>;
  readonly settle: (effect: Extract<Effect, { type: 'settle' }>) => void;
  /** Watches a request, which begins now, for calls that it makes itself. Returns how to stop. */
  readonly watch: () => () => void;
}

/** @param refusal - why no call may begin now */
export function createCalls(
  clock: ClockPort,
  refreshTimeoutMs: number,
  dispatch: (event: Event) => void,
  refusal: () => ErrorCode | undefined,
): Calls {
  const pending = new Map<number, { resolve: (token: string) => void; reject: (error: Error) => void }>();
  const misuse = watchForMisuse(clock, refreshTimeoutMs, pending, dispatch);
  let nextCall = 1;

  function ask(start: (id: number) => void, signal?: AbortSignal): Promise<string> {
    const refused = refusal();
    return new Promise((resolve, reject) => {
      const fail = (error: TokenCoordinatorError): void => {
        misuse.gave(error);
        reject(error);
      };
      const aborted = (): TokenCoordinatorError =>
        new TokenCoordinatorError('ERR_ABORTED', say('ERR_ABORTED'), { cause: signal?.reason });
      if (refused) return fail(fault(refused));
      if (signal?.aborted) return fail(aborted());
      const id = nextCall++;
      const abort = (): void => dispatch({ type: 'cancel', id, error: aborted() });
      const stop = (): void => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort);
      pending.set(id, {
        resolve: (token) => (stop(), resolve(token)),
        reject: (error) => (stop(), reject(error)),
      });
      start(id);
    });
  }

  function settle({ id, token, error }: Extract<Effect, { type: 'settle' }>): void {
    const call = pending.get(id);
    pending.delete(id);
    if (error) misuse.gave(error);
    return error ? call?.reject(error) : call?.resolve(token!);
  }

  return { ask, settle, watch: () => misuse.watch(nextCall), gaveCauseOf: misuse.gaveCauseOf };
}
