import { audienceKey } from '../../src/core/record.js';
import type { SessionRecord } from '../../src/core/record.js';
import { lateness } from './check-calls.js';
import type { Check, Violate } from './check.js';
import type { Call, Participant } from '../world/participant.js';
import { idTokenOf, readToken } from '../world/server.js';
import type { World } from '../world/world.js';

/**
 * The promises next to a script of the origin that writes and posts anything. It can sign the user out, replace the session, spend and
 * read tokens, and mix those that it knows: none of that is a violation. These are:
 *
 * - H1: something throws.
 * - H2: a call does not settle within its limit.
 * - H3: a caller is given a token of another session, or for another audience, than it asked for, or such a refresh token is sent.
 * - H4: more steps, messages or requests than a few for each thing that was said or asked.
 * - H5: after one sign-in, once the script has stopped, not everybody is served from that session.
 * - H6: malformed input is believed.
 */
export interface HostileChecks {
  readonly check: Check;
  /** The honest tabs' messages, to be said again. */
  readonly said: readonly object[];
  /** The script says so; mixed parts are its own doing. */
  readonly forged: (record: unknown) => void;
  /** From now on nobody is hostile, and this tab signs in. */
  readonly healing: (by: Participant) => void;
  readonly healed: () => void;
  readonly atEnd: () => void;
}

/** For each thing that a script or a user does, so many. */
const MOST_REQUESTS = 4;
const MOST_MESSAGES = 60;

export function checkHostile(world: World, violate: Violate): HostileChecks {
  const { participants, database, network, locks } = world;
  const said: object[] = [];
  /** The server's family of each session that an honest tab has begun. */
  const familyOf = new Map<string, string>();
  /** Sessions and families, and tokens and audiences, that the script has put together. */
  const mixed = new Set<string>();
  /** Sessions that the script wrote with another ID token, or with none: an answer for somebody else is not recognised. */
  const renamed = new Set<string>();
  let acts = 0;
  let posted = 0;
  let asked = 0;
  let healer: Participant | undefined;
  let session: string | undefined;

  /** The parts of a record that do not look like one; in other words than those of the parser. */
  function fault(value: unknown, name = ''): string | undefined {
    if (value === undefined) return undefined;
    if (typeof value === 'string') return value.length > 2 ** 20 ? `${name} is too long` : undefined;
    if (typeof value === 'boolean') return undefined;
    // (An honest tab may count one further than it may be told.)
    if (typeof value === 'number')
      return Number.isFinite(value) && value < 2 ** 53 && value > -(2 ** 53)
        ? undefined
        : `${name} is ${value}`;
    if (typeof value !== 'object' || value === null) return `${name} is ${typeof value}`;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== Array.prototype) return `${name} is no plain object`;
    const all = Object.entries(value);
    if (all.length > 70) return `${name} has ${all.length} entries`;
    for (const [key, one] of all) {
      const found = fault(one, key);
      if (found) return found;
    }
    return undefined;
  }

  function faultOf(record: SessionRecord): string | undefined {
    const { schema, startedAt, term, version, journal, accessTokens, spares = [] } = record;
    const counted = [schema, startedAt, term, version];
    if (journal) counted.push(journal.attempt, journal.doubts, journal.failures, journal.term, journal.at);
    const tokens = [...Object.values(accessTokens), ...spares.map((spare) => spare.accessToken)];
    counted.push(...tokens.flatMap((token) => [token.version, token.obtainedAt, token.expiresAt ?? 0]));
    if ([schema, term, version, journal?.attempt ?? 0].some((n) => n > 2 ** 51))
      return 'a number can hardly grow';
    if (!counted.every(Number.isFinite)) return 'a number is none';
    if (startedAt > participants[0]!.tab.clock.wall() + 101 * 365 * 86_400_000)
      return 'it begins in another century';
    if (tokens.some(({ token }) => typeof token !== 'string')) return 'a token is no text';
    if (Object.values(accessTokens).some((token) => token.version > version))
      return 'a token is of a version to come';
    return fault(record);
  }

  function checkToken(call: Call, token: string): void {
    if (!token.includes('/')) return;
    const { family, audience } = readToken(token);
    const key = audienceKey(call.options);
    const { session: of, by, number } = call;
    const isForeign = network
      .exchanges()
      .some(({ fault, request }) => fault === 'foreign-answer' && request.sessionId === of);
    const isMixed = mixed.has(`${of} ${family}`) || (isForeign && renamed.has(of ?? ''));
    if (of !== undefined && familyOf.get(of) !== family && !isMixed)
      violate('H3', `call ${number} of ${by.tab.name} asked in ${of} and got a token of ${family}`);
    // (A journal that the script has taken away told whom a replayed answer is for.)
    const replayed = network
      .exchanges()
      .some(
        ({ answer, request }) =>
          answer?.kind === 'tokens' &&
          answer.tokens.access_token === token &&
          audienceKey(request) !== audience,
      );
    if (audience !== key && !replayed && !mixed.has(`${token} ${key}`))
      violate('H3', `call ${number} of ${by.tab.name} got a token for '${audience}'`);
  }

  return {
    said,
    forged(value) {
      acts++;
      const { sessionId, idToken, refreshToken, accessTokens, spares } = Object(value) as SessionRecord;
      if (typeof sessionId === 'string' && idToken !== idTokenOf(familyOf.get(sessionId) ?? ''))
        renamed.add(sessionId);
      const tokens: unknown[] = [refreshToken];
      const given = [
        // (Of a long text, a million.)
        ...(typeof accessTokens === 'object' ? Object.entries(accessTokens ?? {}) : []),
        ...Array.from(Array.isArray(spares) ? spares : [], (spare: unknown) => {
          const {
            audience,
            refreshToken: other,
            accessToken,
          } = Object(spare) as NonNullable<typeof spares>[0];
          tokens.push(other);
          return [typeof audience === 'string' ? audience : '', accessToken] as const;
        }),
      ];
      for (const [key, token] of given) {
        const { token: text } = Object(token) as { token?: unknown };
        tokens.push(text);
        if (typeof text === 'string') mixed.add(`${text} ${key}`);
      }
      for (const token of tokens)
        if (typeof token === 'string' && typeof sessionId === 'string')
          mixed.add(`${sessionId} ${token.slice(0, token.indexOf('/'))}`);
    },
    healing(by) {
      healer = by;
    },
    healed() {
      if (session === undefined) return violate('H5', 'the sign-in that is to heal did not begin');
      for (const { tab, state, closed } of participants) {
        if (!tab.running() || closed) continue;
        const { sessionId, ended } = state()?.record ?? {};
        if (sessionId !== session || ended)
          violate('H5', `${tab.name} follows ${sessionId} (${ended?.kind ?? 'open'}), not ${session}`);
      }
      if (database.value()?.sessionId !== session)
        violate('H5', `the store has ${database.value()?.sessionId}, not ${session}`);
    },
    atEnd() {
      for (const { tab, waiting, closed, state } of participants) {
        if (!tab.running()) continue;
        for (const { number, kind } of waiting)
          violate('H2', `call ${number} of ${tab.name} (${kind}) hangs`);
        if (closed) continue;
        if (state()?.flight) violate('H4', `${tab.name} is still ${state()?.flight?.phase}`);
        if (tab.timers() > 1) violate('H4', `${tab.name} has ${tab.timers()} timers`);
      }
      for (const { tab, name } of locks.list()) if (tab.alive()) violate('H4', `${tab.name} keeps ${name}`);
      const requests = network.exchanges().length;
      if (requests > 60 + MOST_REQUESTS * (acts + asked))
        violate('H4', `${requests} requests for ${asked} calls and ${acts} hostile acts`);
      if (posted > 1_000 + MOST_MESSAGES * (acts + asked))
        violate('H4', `${posted} messages for ${asked} calls and ${acts} hostile acts`);
    },
    check: {
      step(by, event, before, after) {
        if (event.type === 'call') asked++;
        if (event.type === 'session') {
          familyOf.set(event.sessionId, readToken(event.tokens.access_token).family);
          if (by === healer) session ??= event.sessionId;
        }
        const { record } = after;
        const wrong = record && record !== before?.record ? faultOf(record) : undefined;
        if (wrong) violate('H6', `${by.tab.name} believes a record in which ${wrong}`);
      },
      posted(_by, message) {
        posted++;
        said.push(message);
        if (said.length > 40) said.shift();
      },
      sent({ request }) {
        const { sessionId, refreshToken = '' } = request;
        const family = refreshToken.slice(0, refreshToken.indexOf('/'));
        // (Of two configurations in one origin, a token of the other one would be seen here as well.)
        if (
          world.server.find(refreshToken) &&
          familyOf.get(sessionId) !== family &&
          !mixed.has(`${sessionId} ${family}`)
        )
          violate('H3', `the refresh token of ${family} is sent for ${sessionId}`);
      },
      settled(call) {
        const { by, kind, outcome, number } = call;
        const waited = by.tab.age() - call.since;
        if (kind === 'get' && waited > call.limitMs + lateness(call))
          violate('H2', `call ${number} of ${by.tab.name} settled after ${Math.round(waited)} ms`);
        if (outcome?.token !== undefined) checkToken(call, outcome.token);
        const isCode = outcome?.code?.startsWith('ERR_') ?? true;
        if (!isCode) violate('H1', `call ${number} of ${by.tab.name}: ${outcome?.code}`);
        if (session === undefined || kind !== 'get' || call.session !== session) return;
        if (outcome?.token === undefined)
          violate('H5', `call ${number} of ${by.tab.name} is told ${outcome?.code} after the sign-in`);
      },
    },
  };
}
