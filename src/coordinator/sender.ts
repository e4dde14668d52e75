import { fault } from '../core/calls.js';
import { RefreshUnavailableError } from '../core/errors.js';
import type { ClockPort } from '../core/ports.js';
import { idempotencyKey, isOpen, type Fault } from '../core/record.js';
import { tokensIn } from '../core/pair.js';
import { maySend } from '../core/refresh.js';
import { causeOf, messageOf, type Secrets } from '../core/sanitise.js';
import type { Attempt } from '../core/state.js';
import type { Outcome } from '../core/outcome.js';
import type { CheckedOptions } from '../options.js';
import { outcomeOf, programmingFault } from '../outcome.js';
import type { Runtime } from '../runtime.js';
import { refusalOf, tokensWithLife, typeOf } from '../token-response.js';
import type { Calls } from './calls.js';
import { report } from './listeners.js';

/** The only place where the user's `refresh` is called. */
export interface Sender {
  /** Calls it in this task; its end comes back as an `answered` event. */
  readonly send: (attempt: Attempt) => void;
  /** Whether it is being called right now. */
  readonly isSending: () => boolean;
  /** Gives up every request that is under way. */
  readonly abort: () => void;
}

export function createSender(
  { client, isSessionLost }: Pick<CheckedOptions, 'client' | 'isSessionLost'>,
  clock: ClockPort,
  calls: Pick<Calls, 'watch' | 'gaveCauseOf'>,
  runtime: () => Runtime,
): Sender {
  const controllers = new Map<number, AbortController>();
  /** The fault of `refresh`, as far as it was reported. */
  const faults = new Set<string>();
  let sending = false;

  function send(attempt: Attempt): void {
    const { tag, sessionId, version, refreshToken, resource, scope } = attempt;
    const { dispatch, state, now } = runtime();
    const { record } = state();
    const secrets = (): Secrets => [refreshToken, ...tokensIn(record), ...tokensIn(state().record)];
    const controller = new AbortController();
    controllers.set(tag, controller);
    let isSent = false;
    const assertSendable = (): void => {
      // A client that was let through once may have sent something.
      // guard: check before send: a client that prepares its request asks again
      if (!maySend(state(), attempt, now()))
        throw Object.assign(new RefreshUnavailableError(), { unspent: !isSent });
      isSent = true;
    };
    const cancelWatch = calls.watch();
    let isSameTask = true;
    const cancelTask = clock.setTimer(0, () => (isSameTask = false));
    sending = true;
    const answer = (async () =>
      client.refresh({
        refreshToken,
        resource,
        scope,
        sessionId,
        version,
        attempt: attempt.attempt,
        idempotencyKey: idempotencyKey(attempt),
        signal: controller.signal,
        assertSendable,
      }))();
    sending = false;
    void answer
      .then(
        (answered) => outcomeOfAnswer(answered, sessionId, secrets),
        (error: unknown): Outcome => {
          const message = programmingFault(error, isSameTask && !isSent, secrets());
          if (message === undefined)
            return outcomeOf(
              calls.gaveCauseOf(error) ? fault('ERR_CONFIGURATION') : error,
              isSessionLost,
              secrets(),
            );
          // Once: each wake-up tries again.
          if (!faults.has(message)) report(error);
          faults.add(message);
          const why = { cause: causeOf(error, secrets()) };
          // (A request may have left all the same, as without an `await`.)
          return { kind: 'fault', fault: { code: 'ERR_CONFIGURATION', message }, unspent: false, why };
        },
      )
      // An error, or an answer, that throws when it is looked at.
      .catch(() => outcomeOf(undefined, undefined))
      .then((outcome: Outcome) => {
        cancelWatch();
        cancelTask();
        controllers.delete(tag);
        dispatch({ type: 'answered', tag, outcome });
      });
  }

  /** Nothing here waits: the server has rotated, and a page that dies now loses the pair. */
  function outcomeOfAnswer(answered: unknown, sessionId: string, secrets: () => Secrets): Outcome {
    const tokens = tokensWithLife(answered, clock.wall());
    if (!tokens) return outcomeOf(undefined, undefined);
    const { record } = runtime().state();
    // (The commit finds out that this session is over.)
    if (!isOpen(record) || record.sessionId !== sessionId) return { kind: 'tokens', tokens };
    const refusal = refusalOf(tokens, record, client);
    const typed = { ...tokens, token_type: tokens.token_type ?? typeOf(record) };
    // guard: answers: of one that is refused nothing is served
    if (!refusal) return { kind: 'tokens', tokens: typed };
    const { access_token, refresh_token, id_token } = tokens;
    const message = messageOf(refusal.message, [...secrets(), access_token, refresh_token, id_token]);
    const refused: Fault = { code: 'ERR_CONFIGURATION', message };
    // guard: answers: of a foreign one nothing is kept
    // guard: answers: the refresh token of one that is refused is kept
    return refusal.isForeign
      ? { kind: 'foreign', refused, refreshToken: refresh_token }
      : { kind: 'tokens', tokens, refused };
  }

  return {
    send,
    isSending: () => sending,
    abort: () => controllers.forEach((controller) => controller.abort()),
  };
}
