import type { Message } from '../../src/core/protocol.js';
import type { SessionRecord } from '../../src/core/record.js';
import type { HostileChecks } from '../judge/check-hostile.js';
import { createRandom } from './random.js';
import { count, type World } from './world.js';

/** A script of the origin that writes and posts anything, at any time, until the calm. */
export interface Hostile {
  /** Its actions and their times; any of it can be spared. */
  readonly acts: readonly { readonly id: string; readonly at: number }[];
  readonly act: (id: string, note: (what: string) => void) => void;
}

type Members = Record<string, unknown>;

/** Of all kinds, so that the parser is not all that is asked. */
const TYPES: readonly (Message['type'] | 'no-such-type')[] = [
  'pair',
  'session-started',
  'signed-out',
  'leader-changed',
  'leader-resigned',
  'leader-pong',
  'reauth-required',
  'refresh-failed',
  'conflict',
  'journal',
  'hello',
  'refresh-request',
  'refresh-accepted',
  'changed',
  'no-such-type',
];
const YEAR_MS = 365 * 86_400_000;
/** One character more than a record may hold. */
const LONG = 'x'.repeat(2 ** 20 + 1);

export function createHostile(world: World, checks: HostileChecks): Hostile {
  const { plan, database, hub, participants } = world;
  const random = createRandom(plan.seed, 11);
  const { pick, int, chance, next } = random;
  /** Records that it has seen, to write them again. */
  const records: SessionRecord[] = [];

  /** @param given - a number to be near to, unless it is one of its own oddities */
  function number(given: unknown): unknown {
    const near = typeof given === 'number' ? given : 1;
    const wall = participants[0]!.tab.clock.wall();
    const ofTime = [0, wall - 60_000, wall, wall + 60_000, wall + YEAR_MS, wall + 99 * YEAR_MS];
    const large = [2 ** 31, 2 ** 50 - 1, 2 ** 50, 2 ** 50 + 1, 2 ** 53 - 1, 8.64e15, 1e300, Infinity];
    const odd = [-1, 0.5, NaN, `${near}`, null, undefined];
    return pick<unknown>([near, near + 1, near - 1, near + int(2, 50), pick(ofTime), pick(large), pick(odd)]);
  }

  function anything(was: unknown): unknown {
    if (typeof was === 'number' && chance(0.8)) return number(was);
    return pick<unknown>([
      undefined,
      null,
      true,
      'forged',
      chance(0.1) ? LONG : 'forged too',
      number(0),
      [],
      {},
      { toString: 1, token: 1 },
      Array.from({ length: 200 }, () => ({ token: 'forged' })),
      JSON.parse('{"__proto__":{"token":"forged"},"length":-1}'),
      new Date(0),
    ]);
  }

  /** One member, however deep, becomes something else, or goes. */
  function spoil<T extends object>(sound: T): T {
    const copy = structuredClone(sound) as Members;
    let place = copy;
    for (;;) {
      const names = Object.keys(place);
      const name = names.length > 0 ? pick(names) : 'more';
      const inner = place[name];
      if (typeof inner === 'object' && inner !== null && chance(0.7)) {
        place = inner as Members;
        continue;
      }
      if (chance(0.1)) delete place[name];
      else place[name] = anything(inner);
      return copy as T;
    }
  }

  /** A record that it has seen, or made up, as somebody might want it to be. */
  function record(): SessionRecord {
    const seen = database.value();
    if (seen && typeof seen === 'object' && chance(0.3)) records.push(structuredClone(seen));
    const [one, other] = [
      records.length > 0 ? pick(records) : made(),
      records.length > 0 ? pick(records) : made(),
    ];
    const forged: Members = { ...structuredClone(one) };
    if (chance(0.3)) forged['sessionId'] = pick([other.sessionId, `forged-${int(1, 3)}`]);
    for (const name of ['startedAt', 'term', 'version', 'schema'])
      if (chance(0.2)) forged[name] = number(typeof forged[name] === 'number' ? forged[name] : 1);
    if (chance(0.2)) forged['ended'] = pick([undefined, { kind: 'signed-out' }, { kind: 'reauth-required' }]);
    if (chance(0.3)) forged['leader'] = pick([undefined, 'forged', other.leader]);
    if (chance(0.2)) forged['refreshToken'] = pick([undefined, 'forged', other.refreshToken]);
    if (chance(0.2)) forged['accessTokens'] = pick([{}, other.accessTokens, many()]);
    if (chance(0.2)) forged['journal'] = journal();
    return (chance(0.3) ? spoil(forged) : forged) as unknown as SessionRecord;
  }

  function made(): SessionRecord {
    const wall = participants[0]!.tab.clock.wall();
    const token = { token: 'forged', type: 'Bearer', version: 1, obtainedAt: wall, expiresAt: wall + 60_000 };
    return {
      schema: 1,
      startedAt: wall,
      term: 1,
      sessionId: 'forged',
      version: 1,
      refreshToken: 'forged',
      accessTokens: { '': token },
    };
  }

  function many(): SessionRecord['accessTokens'] {
    const { '': token } = made().accessTokens;
    return Object.fromEntries(Array.from({ length: 200 }, (_, n) => [n ? `["${n}",[]]` : '', token!]));
  }

  function journal(): unknown {
    const wall = participants[0]!.tab.clock.wall();
    return pick<unknown>([
      undefined,
      {
        attempt: number(1),
        by: pick(['forged', participants[0]!.state()?.me]),
        term: number(1),
        at: number(wall),
        doubts: number(0),
        failures: number(0),
        resource: pick([undefined, 'https://a.test']),
        failure: pick([undefined, { at: wall, retryInMs: number(1_000), unspent: chance(0.5) }]),
      },
    ]);
  }

  function message(): Members {
    const about = record();
    const { sessionId, version, term, leader } = pick(participants).state()?.record ?? about;
    const position = {
      sessionId,
      version,
      term,
      leader,
      journal: undefined as unknown,
      ended: undefined as unknown,
    };
    if (chance(0.3)) position.version = number(version) as number;
    if (chance(0.3)) position.term = number(term) as number;
    if (chance(0.3)) position.leader = pick([undefined, 'forged', leader]);
    if (chance(0.3)) position.journal = journal();
    if (chance(0.2))
      position.ended = pick([{ kind: 'signed-out' }, { kind: 'reauth-required', reason: 'forged' }]);
    const forged: Members = {
      protocol: chance(0.95) ? 1 : number(1),
      from: pick(['forged', pick(participants).state()?.me]),
      type: pick(TYPES),
      ...position,
      ...(chance(0.5) && { memory: chance(0.5), to: pick(participants).state()?.me }),
      ...(chance(0.2) && { resource: pick(['https://a.test', 'https://forged.test']) }),
      ...(chance(0.4) && {
        ...pick([position, about]),
        record: about,
        unsaved: chance(0.5),
        withheld: chance(0.2),
      }),
    };
    if ('record' in forged && chance(0.8)) forged['sessionId'] = about.sessionId;
    return chance(0.3) ? spoil(forged) : forged;
  }

  /** It can mix what it knows; whatever comes of that is its doing. */
  function post(data: Members): void {
    checks.forged(data['record']);
    hub.inject(data);
    count(world.stats.faults, 'hostile: posts');
  }

  function write(): void {
    const value = chance(0.1) ? (anything(undefined) ?? undefined) : record();
    checks.forged(value);
    database.overwrite(value as SessionRecord | undefined);
    count(world.stats.faults, 'hostile: writes');
  }

  const total = int(1, 12);
  return {
    acts: Array.from({ length: total }, (_, n) => ({ id: `h${n}`, at: next() * plan.lengthMs })),
    act(_id, note) {
      const times = chance(0.2) ? int(5, 20) : 1;
      for (let n = 0; n < times; n++) {
        if (chance(0.3)) {
          write();
          note('writes to the store');
          continue;
        }
        const data = checks.said.length > 0 && chance(0.25) ? structuredClone(pick(checks.said)) : message();
        post(data as Members);
        note(`posts ${nameOf((data as Members)['type'])}`);
      }
    },
  };
}

function nameOf(type: unknown): string {
  return typeof type === 'string' ? type.slice(0, 40) : typeof type;
}
