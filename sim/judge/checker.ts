import type { Check, Violate } from './check.js';
import { checkBinding } from './check-binding.js';
import { checkBroadcast } from './check-broadcast.js';
import { checkConduct } from './check-conduct.js';
import { checkCalls } from './check-calls.js';
import { checkEnd } from './check-end.js';
import { checkEndings } from './check-endings.js';
import { checkHostile, type HostileChecks } from './check-hostile.js';
import { checkKnowledge } from './check-knowledge.js';
import { checkRevocations } from './check-revocations.js';
import { checkSessions } from './check-sessions.js';
import { checkSpending } from './check-spending.js';
import { createTruth, type Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

/** The knowledge of an observer who sees everything, and his complaints about the protocol. */
export interface Checker extends Required<Check> {
  readonly truth: Truth;
  /** The first thing that was wrong. */
  readonly violation: () => Violation | undefined;
  readonly violate: Violate;
  readonly atEnd: () => void;
  /** Where somebody writes and posts anything, the protocol cannot be held to what it promises: then other things count. */
  readonly hostile: HostileChecks | undefined;
}

export interface Violation {
  readonly invariant: string;
  readonly message: string;
  /** Virtual time. */
  readonly at: number;
}

export function createChecker(world: World): Checker {
  let violation: Violation | undefined;
  const violate: Violate = (invariant, message) => {
    violation ??= { invariant, message, at: world.scheduler.now() };
  };
  const truth = createTruth(world);
  const hostile = world.plan.profile === 'hostile' ? checkHostile(world, violate) : undefined;
  const revocations = checkRevocations(world, truth, violate);
  const honest = (): Check[] => [
    revocations.check,
    checkSpending(world, truth, violate),
    checkSessions(world, truth, violate),
    checkCalls(world, truth, violate),
    checkConduct(world, truth, violate),
    checkKnowledge(world, violate),
    checkBinding(world, violate),
    checkEndings(world, truth, violate),
  ];
  const broadcast = checkBroadcast(world, truth, violate);
  const checks = [truth.check, broadcast, ...(hostile ? [hostile.check] : honest())];
  type Told<K extends keyof Check> = NonNullable<Check[K]>;
  const each = <K extends keyof Check>(name: K): Told<K> => {
    const tellers = checks.flatMap((check) => (check[name] ?? []) as ((...told: unknown[]) => void)[]);
    // No check is told more than five things; a list of them made for every step takes its time.
    return (a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown) => {
      for (const tell of tellers) tell(a, b, c, d, e);
    };
  };
  return {
    truth,
    violation: () => violation,
    violate,
    step: each('step'),
    sent: each('sent'),
    heard: each('heard'),
    executed: each('executed'),
    written: each('written'),
    posted: each('posted'),
    revoked: each('revoked'),
    asked: each('asked'),
    settled: each('settled'),
    retired: each('retired'),
    lossAnnounced: each('lossAnnounced'),
    endAnnounced: each('endAnnounced'),
    hostile,
    atEnd() {
      if (hostile) return hostile.atEnd();
      checkEnd(world, truth, violate);
      revocations.atEnd();
    },
  };
}
