import type { SessionRecord } from '../../src/core/record.js';
import { idempotencyKey, isForeign, isOpen } from '../../src/core/record.js';
import type { Check, Violate } from './check.js';
import type { Participant } from '../world/participant.js';
import type { RefreshToken } from '../world/server.js';
import type { Truth } from '../world/truth.js';
import type { World } from '../world/world.js';

/** I4, I6 and I7: how sessions may end, and that an end is an end. */
export function checkSessions(world: World, truth: Truth, violate: Violate): Check {
  const { server, plan } = world;
  const judged = new Set<string>();
  /** The participants that called each version lost, and have not gone since. */
  const announced = new Map<string, { by: Participant; at: number }[]>();

  /** The server's definitive word about this very refresh token was heard. */
  function isRefused(refreshToken = ''): boolean {
    const asked = truth.requests.get(refreshToken) ?? [];
    return asked.some(({ outcome }) => outcome === 'lost') || isUnanswered(refreshToken);
  }

  /** It was refused three times, ten seconds apart, without a word. (By clocks that may have jumped, and be late.) */
  function isUnanswered(refreshToken = ''): boolean {
    const asked = truth.requests.get(refreshToken) ?? [];
    const at = asked.flatMap(({ outcome, heardAt }) => (outcome === 'wordless' ? [heardAt!] : []));
    const isLong = Math.max(...at) - Math.min(...at) >= 20_000 - 500;
    return at.length >= 3 && (isLong || world.stats.faults['jump'] !== undefined);
  }

  /** I6: only on the server's definitive word about this very refresh token; and the loss must have a reason. */
  function judgeLoss(by: Participant, { sessionId, version, refreshToken, end, ended }: SessionRecord): void {
    if (ended?.reason === 'no_refresh_token') {
      if (!end || end.at > by.tab.clock.wall())
        violate('I6', `${by.tab.name} ends a session that has no end`);
      return truth.countLoss('ended as announced');
    }
    // A loss without the server's word is judged when it is declared: while a later attempt brings the session back, others may still hear of it.
    //
    //     A  lost, refresh_unanswered ░░░ is looked at: sends ─ pair ─ commit
    //     B                                                         opens: reads of the loss
    const key = `${sessionId}.${version} ${ended?.reason === 'refresh_unanswered'}`;
    if (judged.has(key) || refreshToken === undefined) return;
    judged.add(key);
    const dead = server.find(refreshToken);
    // (A server that does not rotate takes a spent one again.)
    const isSpent = dead?.spentAt !== undefined && plan.server !== 'static';
    const isAlive = dead && !isSpent && !dead.family.revoked && !dead.superseded;
    if (ended?.reason === 'refresh_unanswered' && !isUnanswered(refreshToken))
      return violate(
        'I6',
        `session ended at version ${version} although the server had not refused it three times`,
      );
    // The next wake-up brings it back.
    if (ended?.reason === 'refresh_unanswered' && isAlive) return;
    if (!isRefused(refreshToken)) {
      return violate('I6', `session ended at version ${version} without the server's word about its token`);
    }
    const known = server.find(refreshToken);
    if (!known) return violate('I6', 'a refresh token that the server never gave');
    const { family } = known;
    if (known.endsAt <= world.scheduler.now()) return truth.countLoss('expired on its way');
    if (family.revoked === 'administrator') return truth.countLoss('revoked by the server');
    if (family.revoked === 'sign-out') {
      // A late pair of a session that was signed out is revoked, and the family with it.
      if (truth.signedOut.has(sessionId) || replaced(sessionId)) return truth.countLoss('signed out');
    }
    const cause = family.replayed ?? (known.superseded ? known.parent : refreshToken) ?? refreshToken;
    const excuse = excuseFor(cause) ?? excuseForSibling(known);
    if (excuse === undefined) {
      return violate(
        'I2',
        `session lost at version ${version} although every answer reached a live participant`,
      );
    }
    truth.countLoss(excuse);
  }

  /** Sessions that a participant left for a later one. */
  const left = new Set<string>();

  /** Another session came after it: in the store or, while that is away, in the memory of those who signed in or heard of it. */
  function replaced(sessionId: string): boolean {
    const current = world.database.value();
    return left.has(sessionId) || (current !== undefined && current.sessionId !== sessionId);
  }

  /** The successor of this token never reached a live participant, or in vain. */
  function excuseFor(token: string): string | undefined {
    for (const exchange of truth.requests.get(token) ?? []) {
      if (exchange.unread.length > 0) return 'duplicate delivery';
      if (exchange.answer?.kind === 'tokens' && exchange.outcome !== 'tokens') return 'answer lost';
    }
    for (const given of truth.excuses.get(token) ?? []) {
      if (given !== 'overtaken' || !allKept(token)) return given;
    }
    return truth.storeReset() ? 'store lost it' : undefined;
  }

  /**
   * A spare that its sibling had superseded before it came was tried only because that one, the pair at hand, was refused: its
   * end is to be excused.
   *
   *     server  r1 ─▶ r2, r1 ─▶ r3 (r2 is dead)   r3 ─▶ r4, unheard   r3 refused             r2 refused
   *     tabs    r3 committed, r2 its spare         in doubt            r2 becomes the pair    lost
   */
  function excuseForSibling({ superseded, parent }: RefreshToken): string | undefined {
    const sibling = superseded ? server.find(parent)?.successor?.refresh_token : undefined;
    const isRefused = truth.requests.get(sibling ?? '')?.some(({ outcome }) => outcome === 'lost');
    return isRefused ? excuseFor(sibling!) : undefined;
  }

  /** All that the server ever said about this token were pairs, and each was written down by somebody who lives. */
  function allKept(token: string): boolean {
    const arrived = (truth.requests.get(token) ?? []).filter(({ answer }) => answer);
    return arrived.every(({ answer, outcome, heardAt = Infinity, tab }) => {
      const isWritten = world.scheduler.now() - heardAt > 1_000 && !truth.storeHurt();
      const isKept = outcome === 'tokens' && isWritten && tab.alive() && tab.lastStill() < heardAt;
      return answer?.kind === 'tokens' && isKept;
    });
  }

  /** This participant knows that it is over: from the next moment on, since who was served just before may not know it yet. */
  function end(by: Participant, sessionId: string): void {
    world.scheduler.at(1, () => by.over.add(sessionId));
  }

  /** A tab that knows better hears that a session is lost, and says so: its sender does not go on believing it. */
  function contradicted(by: Participant, known: SessionRecord, from: string): void {
    // It has no refresh token to write down, and whoever had it is gone, with what the store forgot.
    if (known.withheld) return;
    const at = world.scheduler.now();
    // (One whose write failed tries again, and until then the others read the older pair.)
    const soon = truth.storeHurt() ? 10_000 : 2_000;
    world.scheduler.at(soon, () => {
      const sender = world.participants.find(({ state }) => state()?.me === from);
      const theirs = sender?.state()?.record;
      if (theirs?.sessionId !== known.sessionId || !theirs.ended || theirs.version >= known.version) return;
      const heard = [by, sender!].every(
        ({ tab, closed, left, returnedAt }) =>
          tab.running() && !closed && !left && Math.max(tab.lastStill(), returnedAt) < at - 50,
      );
      if (heard && !world.stats.faults['message: lost'])
        violate(
          'I2',
          `${sender!.tab.name} says that version ${theirs.version} is lost; ${by.tab.name} has ${known.version}`,
        );
    });
  }

  /** Participants that had no store for a while, or could not write what became of their request. */
  const storeless = new Set<Participant>();
  /**
   * The versions in which one without a store has led. Its term is in no store, so who reads that and who heard of it follow
   * another leader each:
   *
   *     A (no store)  elected: term 8, announces the loss ─▶ C hears of it ─ A is gone
   *     B                              opens, reads term 6 ─ elected: term 7, announces
   *     C                                                       asks A, no answer ─ elected: term 9, announces
   */
  const ledBlindly = new Set<string>();
  /** Losses that were declared although another attempt was about to be answered. */
  const early = new Map<string, number>();
  const T = plan.options.refreshTimeoutMs ?? 30_000;

  return {
    heard({ request, outcome, tab, begunAt }, by) {
      const { now } = world.scheduler;
      const { refreshToken = '' } = request;
      // (Without locks the first attempt of a version has nobody to wait for.)
      if (outcome === 'lost' && (plan.locks || request.attempt > 1)) early.set(refreshToken, now());
      const refusedAt = early.get(refreshToken) ?? -Infinity;
      // A tab that was not there when the other one was refused could not be waited for.
      const wasThere = Math.max(tab.lastStill(), by.returnedAt) < refusedAt - 50;
      if (outcome !== 'tokens' || by.left || !wasThere || now() - begunAt > 2 * T) return;
      const given = world.database.value();
      // (A known end waits for nobody.)
      const isRefused = given?.ended?.kind === 'reauth-required' && given.ended.reason !== 'no_refresh_token';
      const ended = isRefused && given.refreshToken === refreshToken;
      if (ended && !world.locks.forgotten() && now() - refusedAt < Math.min(T, 5_000) - 100) {
        violate(
          'I6',
          `session ended ${Math.round(now() - refusedAt)} ms before another attempt was answered`,
        );
      }
    },

    step(by, event, before, after) {
      const { record } = after;
      const was = before?.record;
      const isFailing = before?.flight?.phase === 'failing' || before?.flight?.phase === 'reconciling';
      if (isFailing && event.type === 'stored' && event.result.failed) storeless.add(by);
      if (after.storage === 'memory') {
        storeless.add(by);
        if (record?.leader === after.me) ledBlindly.add(idempotencyKey(record));
      }
      if (event.type === 'sign-out' && was) end(by, was.sessionId);
      if (event.type === 'message' && event.message.type === 'reauth-required' && record && !record.ended) {
        const { sessionId, version, from } = event.message;
        if (record.sessionId === sessionId && record.version > version) contradicted(by, record, from);
      }
      if (record === was) return;
      if (was && record && was.sessionId !== record.sessionId) left.add(was.sessionId);
      const isNews = !was?.ended || was.ended.reason === 'refresh_unanswered';
      if (record?.ended?.kind === 'reauth-required' && isNews) judgeLoss(by, record);
      // A tab that hears that one of two pairs is dead cannot tell which is meant; a tab that the server told can.
      if (event.type === 'stored' && event.result.won && before?.flight?.phase === 'reconciling') {
        const { ended, refreshToken } = event.result.record!;
        // (An end known in advance may be announced while another refusal is looked into.)
        const isForeseen = ended?.reason === 'no_refresh_token';
        if (ended?.kind === 'reauth-required' && !isForeseen && !isRefused(refreshToken))
          violate('I6', `${by.tab.name} ends the session for a refresh token that the server did not refuse`);
      }
      if (record?.ended?.kind === 'signed-out') {
        end(by, record.sessionId);
        if (!truth.signedOut.has(record.sessionId)) violate('I7', `${by.tab.name} signed out by nobody`);
      }
      if (was && !isForeign(was) && !record)
        violate('I7', `${by.tab.name} forgets its session at ${event.type}`);
      if (was && record && was.sessionId === record.sessionId) {
        // (A tombstone may be of an older version than its hearer's: an end is an end.)
        // (Of a foreign one it knows what the store says, be that old.)
        if (record.version < was.version && record.ended?.kind !== 'signed-out' && !isForeign(record)) {
          violate('I2', `${by.tab.name} goes back from version ${was.version} to ${record.version}`);
        }
        if (was.ended?.kind === 'signed-out' && isOpen(record)) {
          violate('I4', `${by.tab.name} takes a signed-out session back`);
        }
      }
    },

    written(by, before, after) {
      const { refreshToken: old, spares = [] } = before ?? {};
      const isPromoted = spares.some(({ refreshToken }) => refreshToken === after.refreshToken);
      const has = [after, ...(after.spares ?? [])].some(({ refreshToken }) => refreshToken === old);
      if (isPromoted && !has && !isRefused(old))
        violate('I2', `${by.tab.name} takes a spare for a refresh token that the server did not refuse`);
      if (after.ended?.kind === 'signed-out') {
        const { refreshToken, idToken, accessTokens } = after;
        if (refreshToken ?? idToken ?? Object.keys(accessTokens)[0])
          violate('I4', `${by.tab.name} writes tokens of a session that was signed out`);
        return;
      }
      if (truth.buried.has(after.sessionId) && !truth.storeReset()) {
        violate('I4', `${by.tab.name} writes a session back that was signed out`);
      }
      // (Tokens that wait to be revoked may be there without a session. A hostile script begins sessions with whatever tokens it likes.)
      const isWithheld = after.sessionId !== undefined && after.refreshToken === undefined && isOpen(after);
      if (isWithheld && plan.profile !== 'hostile')
        violate('I2', `${by.tab.name} writes version ${after.version} without its refresh token`);
      if (!before || truth.storeReset()) return;
      if (before.sessionId === after.sessionId && after.version < before.version) {
        violate('I2', `${by.tab.name} writes version ${after.version} over ${before.version}`);
      }
    },

    lossAnnounced(by, version) {
      const now = world.scheduler.now();
      const said = announced.get(version) ?? [];
      const lives = ({ by: { tab, closed, left }, at }: (typeof said)[number]): boolean =>
        tab.alive() && !closed && !left && tab.lastStill() < at;
      const present = said.filter(lives);
      const last = present.at(-1);
      // Of several, where one had no store, each may go, and is followed by the next leader.
      if (last && present.length === said.length) {
        const message = `the loss of ${version} is announced by ${last.by.tab.name} and by ${by.tab.name}`;
        // A leader whose sign of life was lost counts as gone: then there is no telling whether it has said it.
        const unheard = world.stats.faults['message: lost'] !== undefined;
        // A leader without a store is none for those who have one.
        const apart = storeless.has(last.by) || storeless.has(by) || ledBlindly.has(version);
        // Two won the same term, one before and one after the store forgot.
        const forgotten = truth.storeReset();
        // It won the word, stood still before it could say it, and was replaced.
        const late = by.tab.lastStill() >= last.at;
        // Or it had only just woken, and its word was still on the way.
        const crossed = now - last.at < 50 && last.by.tab.lastStill() > last.at - 50;
        // An end known in advance comes to each tab by its own clock; one whose clock was set back goes on, and may hear the server's word.
        const apartInTime = plan.profile === 'endings' && world.stats.faults['jump'] !== undefined;
        if (last.by !== by && (unheard || apart || forgotten || late || crossed || apartInTime))
          truth.countLoss('(said twice: the leader was not to be heard)');
        else violate('I6', message);
      }
      announced.set(version, [...present, { by, at: now }]);
      if (plan.profile === 'no-faults')
        violate('I7', `${by.tab.name} asks for a new sign-in without any fault`);
    },
  };
}
