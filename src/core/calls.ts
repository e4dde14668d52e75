import { TokenCoordinatorError } from './errors.js';
import { lifeOf, minValidity } from './expiry.js';
import type { Now } from './expiry.js';
import type { AccessToken } from './record.js';
import { audienceKey, isOpen } from './record.js';
import { lifeLeft, tokenOf } from './knowledge.js';
import type { Caller, Event, State, Turn } from './state.js';

/** Least life of a token handed out without a word about it. */
export function requiredLife(s: State, token: AccessToken): number {
  return minValidity(lifeOf(token), s.options.minValidityMs);
}

/** Takes on somebody who needs a token; `settleCallers` answers, perhaps in this very step. */
export function call(t: Turn, event: Extract<Event, { type: 'call' }>): void {
  const { id, audience, force, minValidityMs, timeoutMs } = event;
  const until = t.now.mono + timeoutMs;
  const caller = { ...audience, id, key: audienceKey(audience), force, minValidityMs, until };
  t.s.callers = [...t.s.callers, caller];
  // What waiting does not heal may have been healed by a person meanwhile: a forced call tries again.
  if (force && t.s.pause?.until === Infinity) t.s.pause = undefined;
}

/** Answers everybody who can be answered with what is known now. */
export function settleCallers(t: Turn): void {
  if (t.s.callers.length === 0) return;
  const waiting: Caller[] = [];
  for (const caller of t.s.callers) {
    const known = caller.asked ? caller : question(t.s, caller);
    const answer = verdict(t.s, known, t.now);
    if (answer === undefined) waiting.push(known);
    else if (typeof answer === 'string') t.effects.push({ type: 'settle', id: caller.id, token: answer });
    else t.effects.push({ type: 'settle', id: caller.id, error: answer });
  }
  t.s.callers = waiting;
}

/** Fixes what a caller asks for: under which session, and something newer than which version. */
function question(s: State, caller: Caller): Caller {
  if (!s.loaded || !isOpen(s.record)) return caller;
  return {
    ...caller,
    asked: { sessionId: s.record.sessionId, version: tokenOf(s, caller.key)?.version ?? 0 },
  };
}

function verdict(s: State, caller: Caller, now: Now): string | TokenCoordinatorError | undefined {
  const { record, pause } = s;
  const late = now.mono >= caller.until;
  if (!s.loaded) return late ? timeout() : undefined;
  if (!isOpen(record)) return new TokenCoordinatorError('ERR_SIGNED_OUT', 'Nobody is signed in');
  if (caller.asked?.sessionId !== record.sessionId) {
    return new TokenCoordinatorError(
      'ERR_SIGNED_OUT',
      'The session was replaced while waiting for its token',
    );
  }

  const token = tokenOf(s, caller.key);
  if (token) {
    const left = lifeLeft(s, caller.key, now);
    // Anything newer than what was found wanting will do, or a short-lived token would never be handed out.
    if (token.version > caller.asked.version && (left > 0 || token.version === s.received))
      return token.token;
    if (!caller.force) {
      const least = caller.minValidityMs ?? requiredLife(s, token);
      // No better one is to be had for now, so a live one is served.
      if (left > (pause || record.ended ? 0 : least)) return token.token;
    }
  }
  if (record.ended) {
    const { reason } = record.ended as { reason: 'refresh_rejected' | 'response_lost' };
    const message = 'The server ended the session; the user has to sign in again';
    return new TokenCoordinatorError('ERR_REAUTH_REQUIRED', message, { reason });
  }
  if (pause && pause.until >= caller.until) {
    if (pause.until === Infinity) return pause.error;
    const retryAfterMs = Math.ceil(pause.until - now.mono);
    return new TokenCoordinatorError(pause.error.code, pause.error.message, {
      retryAfterMs,
      cause: pause.error,
    });
  }
  return late ? timeout() : undefined;
}

function timeout(): TokenCoordinatorError {
  return new TokenCoordinatorError('ERR_TIMEOUT', 'No token within the time limit of this call');
}
