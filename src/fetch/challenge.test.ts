import { expect, test } from 'vitest';
import { parseChallenges, readRefusal } from './challenge.js';

test.each([
  ['Bearer', [['bearer', {}]]],
  ['Bearer error="invalid_token"', [['bearer', { error: 'invalid_token' }]]],
  ['bearer error=invalid_token, realm=x', [['bearer', { error: 'invalid_token', realm: 'x' }]]],
  ['Bearer realm="a, b", error = "invalid_token"', [['bearer', { realm: 'a, b', error: 'invalid_token' }]]],
  [
    'Bearer realm="say \\"Basic x=1\\", please", error="invalid_token"',
    [['bearer', { realm: 'say "Basic x=1", please', error: 'invalid_token' }]],
  ],
  [
    'DPoP algs="ES256", error="use_dpop_nonce", Bearer',
    [
      ['dpop', { algs: 'ES256', error: 'use_dpop_nonce' }],
      ['bearer', {}],
    ],
  ],
  [
    'Negotiate dG9rZW4=, Basic realm="x", Bearer',
    [
      ['negotiate', { dg9rzw4: '' }],
      ['basic', { realm: 'x' }],
      ['bearer', {}],
    ],
  ],
  // Servers that forget the comma.
  ['Bearer scope="x" error="insufficient_scope"', [['bearer', { scope: 'x', error: 'insufficient_scope' }]]],
  ['OAuth "Facebook Platform" "invalid_token"', [['oauth', {}]]],
  [
    'Basic realm=, Bearer',
    [
      ['basic', { realm: '' }],
      ['bearer', {}],
    ],
  ],
  ['Bearer realm="say \\"', [['bearer', { realm: '"say \\"' }]]],
  [', ,', []],
  ['', []],
  ['Bearer realm="never closed', [['bearer', { realm: '"never closed' }]]],
])('%s', (header, expected) => {
  const read = parseChallenges(header).map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ]);
  expect(read).toEqual(expected);
});

test.each([
  [undefined, 'token'],
  ['Bearer', 'token'],
  ['Bearer error="invalid_token", error_description="expired"', 'token'],
  ['Bearer error="something_of_its_own"', 'token'],
  ['Basic realm="x", Bearer realm="y"', 'token'],
  ['DPoP error="invalid_token", algs="ES256"', 'token'],
  ['Bearer error="insufficient_scope", scope="a b"', 'other'],
  ['Bearer error="insufficient_user_authentication", max_age=5', 'other'],
  ['Bearer error="invalid_request"', 'other'],
  ['Basic realm="x"', 'other'],
  ['Negotiate', 'other'],
  ['DPoP error="invalid_dpop_proof"', 'proof'],
  ['DPoP error="use_dpop_nonce"', 'proof'],
  ['Bearer, DPoP error="use_dpop_nonce", algs="ES256"', 'proof'],
])('a 401 with %s is about: %s', (header, expected) => {
  expect(readRefusal(new Headers(header ? { 'www-authenticate': header } : {}))).toBe(expected);
});

// 250 KB of each; reading twice for every character takes minutes.
test.each([
  ['spaces', `Bearer a=b${' '.repeat(250_000)}c`],
  ['tabs before "="', `Bearer a${'\t'.repeat(250_000)}=b`],
  ['quotes', `Bearer a=${'"'.repeat(250_000)}`],
  ['escapes', `Bearer a="${'\\"'.repeat(125_000)}`],
  ['one long word', `${'a'.repeat(250_000)}=`],
  ['commas', ','.repeat(250_000)],
  ['equals signs', `Bearer ${'='.repeat(250_000)}`],
  ['parameters', `Bearer ${'a=b,'.repeat(62_500)}`],
  ['parameters without a value', `Bearer ${'a= ,'.repeat(62_500)}`],
])('reads a header of many %s in linear time', (_name, header) => {
  const start = performance.now();
  parseChallenges(header);
  expect(performance.now() - start).toBeLessThan(2_000);
});
