import { expect, test } from 'vitest';
import { unpack } from './token-response.js';

test.each([
  ['expires_in', 60, 58],
  ['refresh_token_timeout', 600, 598],
  ['refresh_token_expires_in', 600, 598],
  ['refresh_expires_in', 600, 598],
  ['refresh_expires_in', 1, 1],
  // Keycloak's offline sessions: no end. One second would end the session.
  ['refresh_expires_in', 0, 0],
  ['expires_in', '60', '60'],
])('repeats %s %j after 1.2 s as %j', async (name, life, left) => {
  const text = JSON.stringify({ headers: [], body: { access_token: 'a', [name]: life } });
  expect(await unpack(text, 1_200).json()).toEqual({ access_token: 'a', [name]: left });
});
