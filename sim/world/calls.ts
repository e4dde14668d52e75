import type { TokenCoordinatorError } from '../../src/core/errors.js';
import { patienceMs } from '../../src/core/limits.js';
import { parseRecord } from '../../src/core/parse.js';
import { isOpen } from '../../src/core/record.js';
import type { AccessTokenOptions } from '../../src/types.js';
import type { Checker } from '../judge/checker.js';
import type { Call, Participant } from './participant.js';
import type { World } from './world.js';

/** The user's code of a simulated page. */
export interface Calls {
  readonly get: (by: Participant, options: AccessTokenOptions) => void;
  readonly signIn: (by: Participant, ifSignedOut: boolean) => void;
  readonly signOut: (by: Participant) => void;
  readonly total: () => number;
}

export function createCalls(
  world: World,
  checker: Checker,
  note: ((by: Participant, text: () => string) => void) | undefined,
): Calls {
  const timeout = world.plan.options.refreshTimeoutMs ?? 30_000;
  let total = 0;

  function start(
    by: Participant,
    kind: Call['kind'],
    options: AccessTokenOptions,
    limitMs: number,
    run: (call: Call) => Promise<string | void>,
  ): void {
    // (A worker has no user's code.)
    if (!by.tab.running() || by.closed || by.serve) return;
    const { sessionId, version, status } = by.coordinator.getSnapshot();
    // It means the session that is about to begin.
    const isEarly = status === 'reauth-required' && (by.state()?.signingIn ?? 0) > 0;
    const call: Call = {
      number: ++total,
      by,
      kind,
      options,
      session: status === 'loading' || isEarly ? undefined : sessionId,
      version,
      held: status === 'loading' ? undefined : by.coordinator.peekAccessToken(options),
      unread: status === 'loading' ? storedBefore(by) : undefined,
      since: by.tab.age(),
      limitMs,
      outcome: undefined,
    };
    by.waiting.add(call);
    const { forceRefresh, resource } = options;
    note?.(
      by,
      () =>
        `calls ${kind}${forceRefresh ? ' (force)' : ''}${resource ? ` for ${resource}` : ''} #${call.number}`,
    );
    const settle = (outcome: NonNullable<Call['outcome']>): void => {
      // Nobody hears the words of a page that has died.
      if (!by.tab.alive() || !by.waiting.delete(call)) return;
      call.outcome = outcome;
      note?.(by, () => `#${call.number} settles: ${outcome.code ?? 'ok'}`);
      checker.settled(call);
    };
    run(call).then(
      (token) => settle(typeof token === 'string' ? { token } : {}),
      (error: unknown) => settle({ code: (error as TokenCoordinatorError).code ?? String(error) }),
    );
    world.scheduler.settling();
  }

  function storedBefore({ tab }: Participant): string | undefined {
    // (A hostile script may have written anything.)
    const stored = parseRecord(world.database.value(), tab.clock.wall());
    if (!isOpen(stored) || tab.lastStill() > 0) return undefined;
    const since = checker.truth.committed.get(`${stored.sessionId}.1`) ?? Infinity;
    return since < world.scheduler.now() - tab.age() ? stored.sessionId : undefined;
  }

  function givenEnd({ tab }: Participant): number | undefined {
    const { sessionMs } = world.plan;
    return sessionMs === undefined ? undefined : tab.clock.wall() + sessionMs;
  }

  return {
    get: (by, options) =>
      start(by, 'get', options, options.timeoutMs ?? patienceMs({ refreshTimeoutMs: timeout }), (call) =>
        by.ask
          ? by.ask(options, (sessionId) => (call.session = sessionId))
          : by.coordinator.getAccessToken(options),
      ),
    signIn(by, ifSignedOut) {
      const { family, tokens } = world.serverOf(by).signIn();
      if (ifSignedOut) checker.truth.politeFamilies.set(family.id, by);
      start(by, 'session', {}, Infinity, () =>
        by.coordinator.setSession(tokens, {
          subject: family.id,
          ifSignedOut,
          sessionExpiresAt: givenEnd(by),
        }),
      );
    },
    signOut: (by) => start(by, 'sign-out', {}, Infinity, () => by.coordinator.signOut()),
    total: () => total,
  };
}
