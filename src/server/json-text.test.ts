import { expect, test } from 'vitest';
import { membersOf, withMembers } from './json-text.js';

const BODIES = [
  '{}',
  ' { } ',
  '{"a":1}',
  ' {\n  "a" : [1, {"b": "}"}, []],\t"b":{"a":{}} , "c":"x\\"}," }\n',
  '{"a":12345678901234567890,"n":1.0,"e":-1e-7,"t":true,"z":null}',
  '{"\\u0061":1,"a\\\\":"\\\\","":""}',
  '{"a":"é ü 𝄞","k":[[],{}]}',
  '{"a":{"token_version":5},"b":[{"token_version":6}]}',
];

test.each(BODIES)('finds the members of %j', (text) => {
  const found = membersOf(text).map(({ name, start, end }) => [name, JSON.parse(text.slice(start, end))]);
  expect(found).toEqual(Object.entries(JSON.parse(text) as object));
});

test.each(BODIES)('adds to %j and changes it', (text) => {
  const body = JSON.parse(text) as object;
  const added = withMembers(text, { token_version: 2, other: 'x"}' });
  expect(JSON.parse(added)).toEqual({ ...body, token_version: 2, other: 'x"}' });
  expect(JSON.parse(withMembers(added, { token_version: 3 }))).toEqual({
    ...body,
    token_version: 3,
    other: 'x"}',
  });
  expect(withMembers(text, {})).toBe(text);
});

test('leaves every other character as it is', () => {
  const text = ' {"id": 12345678901234567890, "expires_in" :60, "f":1.0}\n';
  expect(withMembers(text, { expires_in: 58, v: 1 })).toBe(
    ' {"id": 12345678901234567890, "expires_in" :58, "f":1.0,"v":1}\n',
  );
});

test('changes a member that comes twice in both places', () => {
  expect(withMembers('{"a":1,"b":2,"a":3}', { a: 0 })).toBe('{"a":0,"b":2,"a":0}');
});

test('reads a long string', () => {
  const text = JSON.stringify({ a: '\\"'.repeat(1_000_000), b: 1 });
  expect(withMembers(text, { b: 2 })).toBe(text.replace(/1}$/, '2}'));
});
