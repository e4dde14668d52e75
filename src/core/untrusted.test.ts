import * as fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseMessage, toEnvelope } from './protocol.js';
import { audienceKey, newer, parseRecord } from './record.js';
import type { SessionRecord, Spare } from './record.js';

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

const members = [
  'schema',
  'startedAt',
  'term',
  'version',
  'sessionId',
  'accessTokens',
  'journal',
  'spares',
  'record',
  'type',
  'from',
  'protocol',
] as const;

/** A sound one in which something was replaced by anything. */
function spoilt(sound: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return fc
    .tuple(sound, fc.constantFrom(...members), fc.anything())
    .map(([one, member, value]) => ({ ...one, [member]: value }));
}

const message = fc
  .tuple(record, fc.constantFrom('pair', 'hello', 'refresh-request', 'no such type'))
  .map(([one, type]) => {
    const { sessionId, version, term } = one;
    return toEnvelope({ type, sessionId, version, term, record: one, unsaved: true } as never, 'tab');
  });

/** An example of which it does not hold, or of which the code under test throws. */
function counterexample<T>(property: fc.IProperty<T>): T | null {
  return fc.check(property).counterexample;
}

describe('what any script of the origin may write or post', () => {
  test('is read without a fault, and as a record only if it is one', () => {
    const value = fc.oneof(fc.anything(), spoilt(record));
    const isOne = fc.property(value, (one) => {
      const read = parseRecord(one);
      if (!read) return true;
      const { schema, startedAt, term, version, sessionId } = read;
      const counted = [schema, startedAt, term, version].every(Number.isFinite);
      const tokens = [...Object.values(read.accessTokens), ...(read.spares ?? []).map(ofSpare)];
      return counted && typeof sessionId === 'string' && tokens.every(isToken);
    });
    expect(counterexample(isOne)).toBeNull();
  });

  test('is parsed without a fault, and as a message with a record only of the session that it names', () => {
    const data = fc.oneof(fc.anything(), spoilt(message));
    const isItsOwn = fc.property(data, (one) => {
      const heard = parseMessage(one);
      if (!heard || !('record' in heard)) return true;
      const { sessionId, accessTokens, spares = [] } = heard.record;
      const tokens = [...Object.values(accessTokens), ...spares.map(ofSpare)];
      return sessionId === heard.sessionId && tokens.every(isToken);
    });
    expect(counterexample(isItsOwn)).toBeNull();
  });
});

const sound = {
  schema: 1,
  startedAt: 1,
  term: 1,
  version: 1,
  sessionId: 'a',
  accessTokens: {},
  journal: { attempt: 1, by: 'a', term: 1, failure: { at: 1, retryInMs: 1 } },
};

test.each([
  ['a failure that does not say when', { journal: { ...sound.journal, failure: {} } }],
  ['a version that cannot grow', { version: 2 ** 53 }],
  ['a leader that is no text', { leader: { toString: 1 } }],
])('%s makes no record', (_, member) => {
  expect(parseRecord(sound)).toEqual(sound);
  expect(parseRecord({ ...sound, ...member })).toBeUndefined();
});

test('a question about an audience that is no text is none', () => {
  const question = toEnvelope(
    { type: 'refresh-request', sessionId: 'a', version: 1, term: 1, memory: false },
    'b',
  );
  expect(parseMessage({ ...question, resource: 'https://api.example' })).toBeDefined();
  expect(parseMessage({ ...question, scope: 5 })).toBeUndefined();
});

test('what was written or posted is read as it was', () => {
  const isTheSame = fc.property(record, message, (written, posted) => {
    const read = [parseRecord(written), parseMessage(posted)];
    return isDeepStrictEqual(plain(read), plain([written, posted]));
  });
  expect(counterexample(isTheSame)).toBeNull();
});

function ofSpare({ accessToken }: Spare): unknown {
  return accessToken;
}

function isToken(value: unknown): boolean {
  return typeof (value as { token?: unknown }).token === 'string';
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test('the order of scopes does not matter, and nothing else is lost of an audience', () => {
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

test('the order in which two records are heard makes no difference, nor does hearing one again', () => {
  const isJoin = fc.property(record, record, (one, other) => {
    const [a, b] = [one, other] as unknown as [SessionRecord, SessionRecord];
    const newest = newer(a, b)!;
    const heard = [newer(b, a), newer(newest, a), newer(a, newest), newer(newest, b), newer(b, newest)];
    return heard.every((again) => isDeepStrictEqual(told(again!), told(newest)));
  });
  expect(fc.check(isJoin, { numRuns: 2_000 }).counterexample).toBeNull();
});

/** What the join tells apart: the same tokens of the same version are the same, wherever they were kept. */
function told({ startedAt: _, accessTokens: __, journal, spares = [], ...rest }: SessionRecord): object {
  const pairs = spares.map(({ refreshToken }) => String(refreshToken)).sort();
  return plain({ ...rest, attempt: journal?.attempt, pairs }) as object;
}
