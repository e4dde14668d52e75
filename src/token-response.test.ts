import { expect, test } from 'vitest';
import { jwt } from '../test/support/jwt.js';
import { tokensWithLife, usableTokens } from './token-response.js';

const nested = (depth: number): unknown => {
  let value: unknown = [];
  for (let n = 0; n < depth; n++) value = [value];
  return value;
};

test.each([
  [-1, 0],
  ['-60', 0],
  ['37', 37],
  [1.5, 1.5],
  ['1e400', Infinity],
  ['NaN', undefined],
  [null, undefined],
  [true, undefined],
  [[60], undefined],
  [{}, undefined],
  [nested(10_000), undefined],
])('reads expires_in %#', (given, seconds) => {
  expect(usableTokens({ access_token: 'a', expires_in: given })?.expires_in).toBe(seconds);
});

test('leaves out nested members instead of throwing', () => {
  const deep = nested(10_000);
  const given = { access_token: 'a', scope: deep, token_type: deep, refresh_token: deep, id_token: deep };
  expect(usableTokens(given)).toStrictEqual({ access_token: 'a' });
});

test.each([undefined, null, '<html>', 7, {}, { access_token: ['a'] }, { access_token: '' }])(
  'finds no tokens in %j',
  (given) => {
    expect(usableTokens(given)).toBeUndefined();
  },
);

test('a claimed life that is over is none', () => {
  expect(tokensWithLife({ access_token: jwt({ iat: 9, exp: 3 }) }, 0)?.expires_in).toBe(0);
});
