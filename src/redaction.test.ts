import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Origin, pass } from '../test/support/tabs.js';
import { RefreshRejectedError, TokenCoordinatorError } from './core/errors.js';
import type { RefreshFunction } from './types.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const tokens = {
  access_token: 'access-hUq0Pn',
  refresh_token: 'refresh-Vw81Zk',
  id_token: 'id-token-5Tcd9x',
  expires_in: 60,
};
const ofOtherApi = { access_token: 'other-api-Mm37Ly', refresh_token: 'rotated-Qe44Bd', expires_in: 60 };
const all = [...Object.values(tokens), ...Object.values(ofOtherApi)].filter((one) => typeof one === 'string');

/** The result when `refresh` throws this, with every token of the session in its text. */
async function thrown(make: (text: string) => unknown) {
  const origin = new Origin();
  let refresh: RefreshFunction = async () => ofOtherApi;
  const tab = origin.open({ refresh: (request) => refresh(request), proactive: 'never' });
  void tab.setSession(tokens);
  await pass(100);
  void tab.getAccessToken({ resource: 'https://other.example' });
  await pass(100);
  // (The first refresh token was spent with success: nobody remembers it.)
  refresh = async () => {
    throw make(`tokens: ${all.filter((one) => one !== tokens.refresh_token).join(', ')}`);
  };
  const before = origin.messages.length;
  const error = tab.getAccessToken({ forceRefresh: true, failFast: true }).catch((reason: unknown) => reason);
  await pass(100);
  const { snapshot, failure } = {
    snapshot: tab.getSnapshot(),
    failure: origin.record?.journal?.failure,
  };
  const told = origin.messages.slice(before);
  const shown = await error;
  const text = JSON.stringify([
    shown,
    String(shown),
    snapshot,
    snapshot.error?.message,
    failure,
    told,
    tab.events,
  ]);
  return { error: shown as TokenCoordinatorError, text, told, failure };
}

test.each([
  ['an OAuth error', (text: string) => new RefreshRejectedError({ error: text })],
  [
    'its description',
    (text: string) => new RefreshRejectedError({ error: 'invalid_client', errorDescription: text }),
  ],
  ['a fault of configuration', (text: string) => new TokenCoordinatorError('ERR_CONFIGURATION', text)],
  ['an error of somebody else', (text: string) => new Error(text)],
])('%s shows no token anywhere', async (_, make) => {
  const { text, told } = await thrown(make);
  expect(told.map(({ type }) => type)).toContain('refresh-failed');
  for (const token of all) expect(text).not.toContain(token);
});

test('the rest of a description is told', async () => {
  const { error, failure } = await thrown(
    (text) => new RefreshRejectedError({ error: 'invalid_client', errorDescription: `"${text}"` }),
  );
  const errorDescription = 'tokens: [token], [token], [token], [token]';
  expect(error).toMatchObject({ code: 'ERR_REFRESH_REJECTED', error: 'invalid_client', errorDescription });
  expect(failure).toMatchObject({ error: 'invalid_client', errorDescription });
});

test('a code alone makes no fault of a foreign error', async () => {
  const { error, failure } = await thrown((text) =>
    Object.assign(new Error(text), { code: 'ERR_UNSUPPORTED' }),
  );
  expect(error.code).toBe('ERR_REFRESH_UNAVAILABLE');
  expect(failure?.fault).toBeUndefined();
});
