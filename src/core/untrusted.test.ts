import * as fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseMessage, parseRecord } from './parse.js';
import { toEnvelope } from './protocol.js';
import { audienceKey } from './record.js';
import { newer } from './join.js';
import { toAccessToken, withPair, withSpare } from './pair.js';
import type { SessionRecord } from './record.js';

/** Few values of each kind, so that two records often agree in all but one thing; for undefined, the member is absent. */
const few = fc.integer({ min: 1, max: 3 });
const name = fc.constantFrom('a', 'b', 'c');
const token = fc.record({ token: name, version: few, obtainedAt: few });
const record = fc
  .record(
    {
      schema: fc.constant(1),
      startedAt: few,
      term: few,
      leader: name,
      sessionId: name,
      version: few,
      refreshToken: name,
      accessTokens: fc.dictionary(fc.constantFrom('', 'b'), token),
      journal: fc.record({ attempt: few, by: name, term: few }),
      spares: fc.uniqueArray(fc.record({ refreshToken: name, audience: name, accessToken: token }), {
        selector: (spare) => spare.refreshToken,
        maxLength: 2,
      }),
    },
    { requiredKeys: ['schema', 'startedAt', 'term', 'sessionId', 'version', 'accessTokens'] },
  )
  // A pair is never its own spare (`withSpare`).
  .map(({ spares, ...one }) => ({
    ...one,
    ...(spares && { spares: spares.filter(({ refreshToken }) => refreshToken !== one.refreshToken) }),
  }));

const numbers = [-1, 0.5, 2 ** 50 + 1, 2 ** 53, 8.64e15 + 1, 1e300, Infinity, NaN];
/** Values that none of us writes, in any place. */
const odd: readonly unknown[] = [
  ...numbers,
  null,
  undefined,
  true,
  10n,
  '',
  'x'.repeat(2 ** 20 + 1),
  '\u0000',
  [],
  [null],
  {},
  { toString: 1 },
  { length: 2 ** 32 },
  Object.create(null),
  JSON.parse('{"__proto__":{"token":"x"},"constructor":1}'),
  new Date(0),
  new Map([['token', 'x']]),
];

/** A copy in which one member, however deep, is something else, or is not there, or is there under another name. */
function spoil(sound: object, [depth, choice, oddity]: readonly [number, number, number]): object {
  const copy = structuredClone(sound);
  let place = copy as Record<string, unknown>;
  for (let level = 0; ; level++) {
    const names = Object.keys(place);
    const name = names[(choice + level) % Math.max(1, names.length)] ?? 'more';
    const inner = place[name];
    if (level < depth && typeof inner === 'object' && inner !== null) {
      place = inner as typeof place;
      continue;
    }
    if (oddity < odd.length) place[name] = odd[oddity];
    else if (oddity === odd.length) delete place[name];
    else Object.assign(place, { [`${name}?`]: inner, more: inner });
    return copy;
  }
}

const NOW = Date.UTC(2026, 0, 1);

const sound: SessionRecord = {
  schema: 1,
  startedAt: NOW,
  term: 1,
  version: 1,
  sessionId: 'a',
  leader: 'b',
  subject: 'c',
  refreshToken: 'r',
  idToken: 'i',
  accessTokens: {
    '': { token: 't', type: 'Bearer', version: 1, obtainedAt: NOW, expiresAt: NOW + 1 },
    '["https://api.example",[]]': { token: 'u', type: 'DPoP', version: 1, obtainedAt: 0.5 },
  },
  journal: {
    attempt: 1,
    by: 'a',
    term: 1,
    at: 1,
    doubts: 0,
    failures: 1,
    resource: 'https://api.example',
    scope: 'read',
    failure: {
      at: 1,
      retryInMs: 0.5,
      unspent: true,
      error: 'e',
      errorDescription: 'd',
      fault: { code: 'ERR_UNSUPPORTED', message: 'm' },
    },
  },
  spares: [
    { refreshToken: 's', audience: '', accessToken: { token: 'v', type: 'x', version: 1, obtainedAt: 1 } },
  ],
  ended: { kind: 'reauth-required', reason: 'refresh_rejected' },
};
const told = toEnvelope(
  {
    type: 'pair',
    sessionId: 'a',
    version: 1,
    term: 1,
    leader: 'b',
    journal: sound.journal,
    ended: sound.ended,
    record: sound,
    unsaved: true,
    withheld: false,
  },
  'tab',
);
const question = toEnvelope(
  {
    type: 'refresh-request',
    sessionId: 'a',
    version: 1,
    term: 1,
    memory: false,
    resource: 'https://api.example',
  },
  'b',
);

/** By what every step relies on: written down here once more, in other words. */
function isSound(value: unknown, name = ''): boolean {
  switch (typeof value) {
    case 'undefined':
      return true;
    case 'boolean':
      return ['unspent', 'unsaved', 'withheld', 'memory'].includes(name);
    case 'string':
      return value.length <= 2 ** 20 && !counted.includes(name) && !timed.includes(name);
    case 'number':
      return (counted.includes(name) && Number.isSafeInteger(value)) || timed.includes(name)
        ? Number.isFinite(value + 1) && value + 1 > value
        : false;
    default: {
      const all = Object.entries(value as object);
      const isPlain = [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value) as object);
      const most = name === 'accessTokens' ? 64 : 20;
      return value !== null && isPlain && all.length <= most && all.every(([key, one]) => isSound(one, key));
    }
  }
}
const counted = [
  'schema',
  'startedAt',
  'term',
  'version',
  'attempt',
  'doubts',
  'failures',
  'conflicts',
  'protocol',
];
const timed = ['obtainedAt', 'expiresAt', 'at', 'retryInMs'];

/** An example of which it does not hold, or of which the code under test throws. */
function counterexample<T>(property: fc.IProperty<T>, numRuns = 1_000): T | null {
  return fc.check(property, { numRuns }).counterexample;
}

describe('input of other scripts of the origin', () => {
  const place = fc.tuple(fc.nat(4), fc.nat(20), fc.nat(odd.length + 1));

  test.each([
    ['record', sound, (one: unknown) => parseRecord(one, NOW)],
    ['message', told, (one: unknown) => parseMessage(one, NOW)],
    ['question', question, (one: unknown) => parseMessage(one, NOW)],
  ])('is read as a sound copy or not: %s', (_, whole, parse) => {
    const isFine = (one: unknown): boolean => {
      const read = parse(one);
      return read === undefined || (isSound(read) && isDeepStrictEqual(parse(read), read));
    };
    expect(parse(whole)).toEqual(plain(whole));
    expect(counterexample(fc.property(fc.anything(), isFine), 8_000)).toBeNull();
    const once = fc.property(place, (where) => isFine(spoil(whole, where)));
    const twice = fc.property(place, place, (one, other) => isFine(spoil(spoil(whole, one), other)));
    expect(counterexample(once, 15_000)).toBeNull();
    expect(counterexample(twice, 12_000)).toBeNull();
  });

  test('nothing of what was read is shared with it', () => {
    const read = parseRecord(sound, NOW)!;
    expect(read.accessTokens).not.toBe(sound.accessTokens);
    expect(read.journal?.failure).not.toBe(sound.journal!.failure);
    expect(read.spares![0]!.accessToken).not.toBe(sound.spares![0]!.accessToken);
  });
});

describe.each(['startedAt', 'schema', 'term', 'version', 'sessionId', 'accessTokens'])(
  'without %s',
  (name) => {
    test('there is no record', () => {
      expect(parseRecord({ ...sound, [name]: undefined }, NOW)).toBeUndefined();
    });
    test('inherited members do not count', () => {
      const own = Object.fromEntries(Object.entries(sound).filter(([key]) => key !== name)) as object;
      expect(parseRecord(Object.setPrototypeOf(own, sound), NOW)).toBeUndefined();
    });
  },
);

test.each([
  ['a failure that does not say when', { journal: { ...sound.journal, failure: {} } }],
  [
    'a wait that is none',
    { journal: { ...sound.journal, failure: { at: 1, retryInMs: -1, unspent: true } } },
  ],
  ['a journal without its failures', { journal: { ...sound.journal, failures: undefined } }],
  ['a version that cannot grow', { version: 2 ** 50 + 1 }],
  ['a term that is no whole number', { term: 1.5 }],
  ['a leader that is no text', { leader: { toString: 1 } }],
  ['an end of no kind', { ended: { kind: 'never' } }],
  ['a start in another century', { startedAt: NOW + 101 * 365 * 86_400_000 }],
  ['text longer than any token', { refreshToken: 'x'.repeat(2 ** 20 + 1) }],
])('%s makes no record', (_, member) => {
  expect(parseRecord({ ...sound, ...member }, NOW)).toBeUndefined();
  const message = { ...told, record: { ...sound, ...member } };
  expect(parseMessage(message, NOW)).toBeUndefined();
});

test('a session whose numbers cannot grow is over', () => {
  const { sessionId, startedAt, journal } = sound;
  const over = { sessionId, startedAt, accessTokens: {}, ended: { kind: 'signed-out' } };
  const at = (count: number): SessionRecord[] => [
    { ...sound, version: count },
    { ...sound, term: count },
    { ...sound, journal: { ...journal!, attempt: count } },
  ];
  for (const last of at(2 ** 50)) {
    expect(parseRecord(last, NOW)).toMatchObject(over);
    expect(parseRecord(last, NOW)?.refreshToken).toBeUndefined();
    expect(parseMessage({ ...told, record: last }, NOW)).toMatchObject({ record: over });
  }
  for (const previous of at(2 ** 50 - 1)) expect(parseRecord(previous, NOW)).toEqual(previous);
});

test('a session that was signed out has no tokens', () => {
  const { sessionId, startedAt, term, version } = sound;
  const ended = { kind: 'signed-out' };
  const read = parseRecord({ ...sound, ended }, NOW)!;
  expect(read).toMatchObject({ sessionId, startedAt, term, version, ended, accessTokens: {} });
  expect([read.refreshToken, read.idToken, read.spares]).toEqual([undefined, undefined, undefined]);
});

test('a clock wrong by decades takes no record away', () => {
  expect(parseRecord(sound, 0)).toEqual(sound);
  expect(parseRecord({ ...sound, startedAt: Date.UTC(2106, 1, 7) }, NOW)).toBeDefined();
});

test('members that nobody knows are left out', () => {
  expect(parseRecord({ ...sound, more: { token: 'x' } }, NOW)).toEqual(sound);
  expect(parseMessage({ ...told, events: [] }, NOW)).toEqual(plain(told));
});

test('of access tokens and spares the sound ones are read', () => {
  const { '': own } = sound.accessTokens;
  const token = (change: object): object => ({ '': own, '["x",[]]': { ...own, ...change } });
  const odds = [
    { token: 1 },
    { version: undefined },
    { obtainedAt: undefined },
    { expiresAt: '2026-01-01' },
    { expiresAt: NaN },
    { version: sound.version + 1 },
  ];
  for (const one of odds) {
    expect(parseRecord({ ...sound, accessTokens: token(one) }, NOW)?.accessTokens).toEqual({ '': own });
  }
  const named = JSON.parse('{"__proto__":{},"constructor":{}}') as object;
  expect(parseRecord({ ...sound, accessTokens: named }, NOW)?.accessTokens).toEqual({});
  expect(parseRecord({ ...sound, spares: [null, ...sound.spares!] }, NOW)?.spares).toEqual(sound.spares);
});

test('no more than 64 audiences and 16 spares are read', () => {
  const { '': own } = sound.accessTokens;
  const many = Array.from({ length: 1_000 }, (_, n) => n);
  const read = parseRecord(
    {
      ...sound,
      accessTokens: { '': own, ...Object.fromEntries(many.map((n) => [`["${n}",[]]`, own])) },
      spares: many.map((n) => ({ ...sound.spares![0], refreshToken: `${n}` })),
    },
    NOW,
  )!;
  expect(Object.keys(read.accessTokens)).toHaveLength(64);
  expect(read.accessTokens['']).toEqual(own);
  expect(read.spares).toHaveLength(16);
});

test('writes no more of them than it reads', () => {
  const { '': own } = sound.accessTokens;
  let record = sound;
  for (let n = 0; n < 100; n++) {
    record = withPair(record, { refreshToken: 'r', audience: `["${n}",[]]`, accessToken: own! });
  }
  expect(Object.keys(record.accessTokens)).toHaveLength(64);
  expect(record.accessTokens['']).toBe(own);
  expect(record.accessTokens['["99",[]]']!.version).toBe(101);
  for (let n = 0; n < 100; n++) record = withSpare(record, { ...sound.spares![0]!, refreshToken: `${n}` });
  expect(parseRecord(record, NOW)).toEqual(record);
});

test('a life beyond all dates is written as the longest', () => {
  const { expiresAt } = toAccessToken({ access_token: 'a', expires_in: 1e300 }, 1, NOW);
  expect(expiresAt).toBe(8.64e15);
});

test('a record of another session than its message is none', () => {
  expect(parseMessage({ ...told, sessionId: 'b' }, NOW)).toBeUndefined();
});

test('another protocol is not understood', () => {
  expect(parseMessage({ ...told, protocol: 2 }, NOW)).toBeUndefined();
});

function plain(value: unknown): unknown {
  const { events: _, ...rest } = JSON.parse(JSON.stringify(value)) as { events?: unknown };
  return rest;
}

test('the order of scopes does not matter', () => {
  const scopes = fc.array(name);
  const tells = fc.property(scopes, fc.option(name, { nil: undefined }), (some, resource) => {
    const key = audienceKey({ resource, scope: some.join(' ') });
    return (
      audienceKey({ resource, scope: [...some].reverse().join('  ') }) === key &&
      audienceKey({ resource, scope: [...some, 'd'].join(' ') }) !== key &&
      audienceKey({ resource: 'd', scope: some.join(' ') }) !== key
    );
  });
  expect(counterexample(tells)).toBeNull();
});

test('the order of hearing two records does not matter', () => {
  const isJoin = fc.property(record, record, (one, other) => {
    const [a, b] = [one, other] as unknown as [SessionRecord, SessionRecord];
    const newest = newer(a, b)!;
    const heard = [newer(b, a), newer(newest, a), newer(a, newest), newer(newest, b), newer(b, newest)];
    return heard.every((again) => isDeepStrictEqual(essence(again!), essence(newest)));
  });
  expect(fc.check(isJoin, { numRuns: 2_000 }).counterexample).toBeNull();
});

/** The differences that the join sees: the same tokens of the same version are the same, wherever they were kept. */
function essence({ accessTokens: _, journal, spares = [], ...rest }: SessionRecord): object {
  const pairs = spares.map(({ refreshToken }) => String(refreshToken)).sort();
  return plain({ ...rest, attempt: journal?.attempt, pairs }) as object;
}
