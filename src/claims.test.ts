import { expect, test } from 'vitest';
import { jwt } from '../test/support/jwt.js';
import { claimedLife, readClaims } from './claims.js';

test('a token lives from iat to exp, by any clock', () => {
  expect(claimedLife(jwt({ iat: 1_000, exp: 1_060 }), 5_000_000_000)).toBe(60);
});

test('without iat the local clock counts; without exp none', () => {
  expect(claimedLife(jwt({ exp: 5_090 }), 5_000_000)).toBe(90);
  expect(claimedLife(jwt({ iat: 1_000 }), 0)).toBeNaN();
});

test.each(['opaque', '', 'a.b.c', `a.${btoa('null')}.c`, undefined, 7])(
  'reads no claims from %j',
  (token) => {
    expect(readClaims(token)).toEqual({});
  },
);

test('reads claims in every script', () => {
  const name = 'Åsa 李 🙂';
  const payload = Buffer.from(JSON.stringify({ name })).toString('base64url');
  expect(readClaims(`e30.${payload}.`)).toEqual({ name });
});
