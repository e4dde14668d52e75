import { describe, expect, test } from 'vitest';
import { refreshTokenGrant, type RefreshTokenGrantOptions } from './index.js';

const good = { tokenEndpoint: 'https://login.example/token', clientId: 'app' };

describe('options that cannot work are refused with advice', () => {
  const table: [string, unknown, RegExp][] = [
    ['nothing', undefined, /give an object/],
    ['no clientId', { ...good, clientId: '' }, /clientId/],
    ['neither tokenEndpoint nor issuer', { clientId: 'app' }, /tokenEndpoint, or issuer/],
    ['a relative URL', { ...good, tokenEndpoint: '/token' }, /tokenEndpoint must be an absolute URL/],
    ['plain http', { ...good, tokenEndpoint: 'http://login.example/token' }, /tokenEndpoint must use https/],
    [
      'plain http on a name that only looks local',
      { ...good, tokenEndpoint: 'http://localhost.example/' },
      /https/,
    ],
    ['plain http on a private address', { ...good, tokenEndpoint: 'http://192.168.0.1/token' }, /https/],
    ['another scheme', { ...good, tokenEndpoint: 'ftp://localhost/token' }, /https/],
    ['a plain http issuer', { clientId: 'app', issuer: 'http://login.example' }, /issuer must use https/],
    [
      'a plain http revocation endpoint',
      { ...good, revocationEndpoint: 'http://x.example' },
      /revocationEndpoint/,
    ],
    ['an empty scope', { ...good, scope: '' }, /scope/],
    ['scopes as a list', { ...good, scope: ['openid'] }, /scope must be a non-empty string/],
    ['an empty versionParameter', { ...good, versionParameter: '' }, /versionParameter/],
    [
      'a versionParameter of the grant itself',
      { ...good, versionParameter: 'refresh_token' },
      /refresh_token/,
    ],
    ['a parameter of the grant itself', { ...good, parameters: { grant_type: 'password' } }, /grant_type/],
    ['a parameter that is no string', { ...good, parameters: { n: 1 } }, /parameters\.n must be a string/],
    ['parameters that are no object', { ...good, parameters: 'a=b' }, /parameters must be an object/],
    ['an impossible header', { ...good, idempotencyHeader: 'Idempotency Key' }, /name of an HTTP header/],
    [
      'a header with a meaning of its own',
      { ...good, idempotencyHeader: 'Authorization' },
      /meaning of its own/,
    ],
    ['dpop that is neither a boolean nor the support', { ...good, dpop: 'yes' }, /dpop must be true/],
    ['dpop that is null', { ...good, dpop: null }, /dpop must be true/],
    ['a fetch that is no function', { ...good, fetch: 'fetch' }, /fetch must be a function/],
  ];
  test.each(table)('%s', (_name, options, message) => {
    let error: unknown;
    try {
      refreshTokenGrant(options as RefreshTokenGrantOptions);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ name: 'TokenCoordinatorError', code: 'ERR_CONFIGURATION' });
    expect((error as Error).message).toMatch(message);
  });
});

test.each([
  'http://localhost:3000/token',
  'http://127.0.0.1/token',
  'http://[::1]:8080/token',
  'https://a.example',
])('%s works without an option', (tokenEndpoint) => {
  expect(refreshTokenGrant({ ...good, tokenEndpoint }).refresh).toBeTypeOf('function');
  expect(refreshTokenGrant({ ...good, tokenEndpoint: new URL(tokenEndpoint) }).refresh).toBeTypeOf(
    'function',
  );
});

test('options may be present and undefined', () => {
  const none = {
    scope: undefined,
    issuer: undefined,
    parameters: undefined,
    fetch: undefined,
    dpop: undefined,
  };
  expect(refreshTokenGrant({ ...good, ...none })).not.toHaveProperty('revoke');
});
