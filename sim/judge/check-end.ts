import { lateness } from './check-calls.js';
import type { Violate } from './check.js';
import { asSeenBy, isOpen } from '../../src/core/record.js';
import { asOf } from '../../src/core/session-end.js';
import type { Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

/** After a quiet time without faults: I2 (all agree), I3 (nobody waits), I8 (silence) and I9 (no lock). */
export function checkEnd(world: World, truth: Truth, violate: Violate): void {
  const { participants, database, locks, network } = world;
  const live = participants.filter(({ tab, closed }) => tab.running() && !closed);
  const value = database.value();
  const stored = value;

  for (const { tab, waiting } of participants) {
    if (!tab.running()) continue;
    for (const call of waiting) {
      const waited = tab.age() - call.since;
      if (waited > call.limitMs + lateness(call)) {
        violate(
          'I3',
          `call ${call.number} of ${tab.name} (${call.kind}) has not settled after ${Math.round(waited)} ms`,
        );
      }
    }
  }
  for (const { tab, state } of live) {
    const record = state()?.record;
    const stored = asOf(asSeenBy(state()?.options.binding, value), tab.clock.wall());
    // Its refresh token went with a store that forgot it and with the tabs that had seen it. So the store is given nothing that would show that
    // it works.
    if (record?.withheld && truth.storeReset() && (stored?.version ?? 0) < record.version) continue;
    // It has worked for minutes.
    if (record && state()?.storage === 'memory') violate('I3', `${tab.name} ends without the store`);
    // Signed out is signed out, whether there is a tombstone or nothing.
    if (!isOpen(record) && !isOpen(stored)) continue;
    if (record?.sessionId !== stored?.sessionId || record?.version !== stored?.version) {
      violate(
        'I2',
        `${tab.name} ends with ${record?.sessionId} v${record?.version}, the store with ${stored?.sessionId} v${stored?.version}`,
      );
    }
    if (record?.ended?.kind !== stored?.ended?.kind) {
      violate(
        'I2',
        `${tab.name} says ${record?.ended?.kind ?? 'open'}, the store ${stored?.ended?.kind ?? 'open'}`,
      );
    }
    if (state()?.flight) violate('I8', `${tab.name} is still ${state()?.flight?.phase}`);
    if (tab.timers() > 1) violate('I8', `${tab.name} has ${tab.timers()} timers`);
  }
  if (live.length > 0) {
    for (const { number, request, outcome, tab } of network.exchanges()) {
      if (outcome !== 'tokens' || !participants[tab.index]!.tab.alive()) continue;
      // It closed in good faith that the store had it, and the store was wiped; or the store took nothing when it did.
      if (truth.storeHurt() && participants[tab.index]!.closed) continue;
      if (!stored || stored.sessionId !== request.sessionId || !isOpen(stored)) continue;
      if (stored.version <= request.version) {
        violate(
          'I2',
          `the pair of request ${number} (version ${request.version}) is lost: the store has v${stored.version}`,
        );
      }
    }
  }
  if (stored?.ended?.kind === 'reauth-required' && stored.spares?.length)
    violate('I2', 'the session ended, though a spare was left to be tried');
  // Three refusals in a row are enough, or a dead token is asked about for ever. A request that was lost on its way, or hung, begins a new row:
  //
  //     A  400 ─ 10 s ─ 400 ─ offline: no answer ─ 400 ─ 10 s ─ 400 ─ (10 s ─ 400: lost)
  const failure = stored?.journal?.failure;
  const refusedAt: number[] = [];
  for (const { outcome, heardAt = Infinity, begunAt } of truth.requests.get(stored?.refreshToken ?? '') ??
    []) {
    const isInTime = heardAt - begunAt < (world.plan.options.refreshTimeoutMs ?? 30_000);
    if (outcome === 'wordless' && isInTime) refusedAt.push(heardAt);
    // (Of a page that died before its deadline nothing is noted.)
    else if (outcome !== 'unheard' || !isInTime) refusedAt.length = 0;
  }
  const far = refusedAt.filter((at, n) => n === 0 || at - refusedAt[n - 1]! > 10_000).length;
  // By a clock that is set back two may seem to have followed too soon:
  //
  //     400 at 117 s ─ (back by 16 s) ─ 400 at 112 s ─ 400 at 123 s ─ 400 at 407 s: the second that counts
  const mostUncounted = 'jump' in world.stats.faults ? 2 : 0;
  // (By the clocks of several machines, one of which jumps, any number may.)
  const isSkewed = world.plan.leases && 'jump' in world.stats.faults;
  if (
    failure?.status === 400 &&
    !failure.refused &&
    !stored?.ended &&
    far > 3 + mostUncounted &&
    !truth.storeHurt() &&
    !isSkewed
  )
    violate('I3', `version ${stored!.version} was refused ${far} times without a word, and no end is said`);
  const kept = world.server.find(stored?.refreshToken);
  if (stored?.ended?.kind === 'reauth-required' && kept && !kept.family.revoked && !kept.superseded) {
    // (After a wipe, or blindly, two tabs came to two pairs of one version: no message tells which of them is meant by the word
    // that it is dead.)
    const other = network
      .exchanges()
      .some(
        ({ request, outcome }) =>
          outcome === 'lost' &&
          request.sessionId === stored.sessionId &&
          request.version === stored.version &&
          request.refreshToken !== stored.refreshToken,
      );
    const two = other && (truth.storeReset() || truth.excuses.get(kept.parent ?? '')?.has('blind'));
    // The client ends it by itself, a moment before the server does.
    const isExpired = stored.ended.reason === 'no_refresh_token' || kept.endsAt <= world.scheduler.now();
    // It was refused three times without a word, and nobody woke up since who could try it again: a process never does, and for a tab
    // that knows when the session ends it is over from then on.
    const asked = truth.requests.get(stored.refreshToken ?? '') ?? [];
    const { end = { at: Infinity } } = stored;
    const calmFor = world.scheduler.now() - world.calmSince;
    const isAwake = !world.plan.leases && live.some(({ tab }) => end.at > tab.clock.wall() - calmFor);
    const isTried = isAwake && asked.every(({ heardAt = Infinity }) => heardAt < world.calmSince);
    const isStopped = stored.ended.reason === 'refresh_unanswered' && !isTried;
    if (kept.spentAt === undefined && !two && !isExpired && !isStopped)
      violate('I2', 'the session ended, but its refresh token lives');
  }
  for (const { outcome, answer, request, tab } of network.exchanges()) {
    if (outcome !== 'tokens' || answer?.kind !== 'tokens' || truth.storeHurt()) continue;
    // It may have died with its page.
    if (!tab.alive()) continue;
    const { refresh_token: given } = answer.tokens;
    const over =
      truth.signedOut.has(request.sessionId) &&
      !truth.committed.has(`${request.sessionId}.${request.version + 1}`);
    if (over && given && !world.server.find(given)?.family.revoked && !truth.revoked.has(given)) {
      violate('I4', 'a pair that came after the sign-out was not revoked');
    }
  }
  for (const { tab, name, held } of locks.list()) {
    if (tab.alive()) violate('I9', `${tab.name} still ${held ? 'holds' : 'waits for'} ${name}`);
  }
}
