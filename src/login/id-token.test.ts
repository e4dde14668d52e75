import { expect, test } from 'vitest';
import { CLIENT_ID, idToken } from '../../test/support/login-world.js';
import { encodeBytes, sha } from './base64url.js';
import { checkIdToken } from './id-token.js';

const expected = { issuer: 'https://id.example', clientId: CLIENT_ID, nonce: 'n' };
const tokenWith = (alg: string, atHash: string): string =>
  idToken({ iss: expected.issuer, aud: CLIENT_ID, sub: 'ada', nonce: 'n', exp: 9e9, at_hash: atHash }, alg);

test.each([
  ['RS256', 256],
  ['ES256K', 256],
  ['PS384', 384],
  ['HS512', 512],
  ['EdDSA', 512],
  ['Ed25519', 512],
])('the access token is compared by %s', async (alg, bits) => {
  const half = encodeBytes((await sha(bits, 'access')).subarray(0, bits / 16));
  const check = (atHash: string): Promise<string> =>
    checkIdToken({ access_token: 'access', id_token: tokenWith(alg, atHash) }, expected);
  expect(await check(half)).toBe('ada');
  await expect(check(`${half}x`)).rejects.toMatchObject({ code: 'id_token_invalid' });
});

test.each(['Ed448', 'ML-DSA-44', 'none'])('an unknown hash ends no sign-in: %s', async (alg) => {
  const tokens = { access_token: 'access', id_token: tokenWith(alg, 'unknown') };
  expect(await checkIdToken(tokens, expected)).toBe('ada');
});
