// The messages of an app in production: see `imports` in package.json. All other tests run with the messages of development.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { say } from '#texts';
import {
  createTokenCoordinator,
  type TokenCoordinatorError,
  type TokenCoordinatorOptions,
} from 'one-refresh';
import { Origin, pass, type Tab } from '../support/tabs.js';

const TOKENS = { access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 10 };
const PAGE = 'see https://one-refresh.github.io/one-refresh/errors';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function signedIn(options: Partial<TokenCoordinatorOptions>): Promise<Tab> {
  const tab = new Origin().open({ proactive: 'never', refresh: async () => TOKENS, ...options });
  await pass(10);
  void tab.setSession(TOKENS);
  await pass(10);
  return tab;
}

const failure = async (promise: Promise<unknown>): Promise<TokenCoordinatorError> =>
  promise.then(
    () => expect.fail('it succeeded'),
    (error: TokenCoordinatorError) => error,
  );

test('a wrong option is refused by its name', () => {
  const refresh = async (): Promise<typeof TOKENS> => TOKENS;
  const make = (wrong: object): unknown => createTokenCoordinator({ name: 'app', refresh, ...wrong });
  for (const [option, value] of Object.entries({
    name: '',
    refresh: 1,
    refreshTimeoutMs: '30',
    proactive: 'sometimes',
    idle: {},
    worker: 5,
  }))
    expect(() => make({ [option]: value })).toThrowError(
      expect.objectContaining({
        code: 'ERR_CONFIGURATION',
        message: `ERR_CONFIGURATION ${option}, ${PAGE}`,
      }),
    );
});

test('a wrong argument is refused by name without effect', async () => {
  const tab = await signedIn({});
  const error = await failure(tab.setSession({ access_token: 'access-2' }, { sessionExpiresAt: 1 }));
  expect(error).toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: `ERR_CONFIGURATION sessionExpiresAt, ${PAGE}`,
  });
  expect(tab.peekAccessToken()).toBe('access-1');
});

test('an error has its code, its reason and the page', async () => {
  const refused = Object.assign(new Error('no'), {
    refreshOutcome: 'rejected',
    error: 'invalid_grant',
    status: 400,
  });
  const tab = await signedIn({ refresh: () => Promise.reject(refused) });
  await pass(11_000);
  const failed = failure(tab.getAccessToken());
  await pass(3_000);
  expect(await failed).toMatchObject({
    code: 'ERR_REAUTH_REQUIRED',
    reason: 'refresh_rejected',
    message: `ERR_REAUTH_REQUIRED, ${PAGE} (refresh_rejected; 400; invalid_grant)`,
  });
});

describe('a refresh function that waits for its own coordinator', () => {
  test('times out; the session stays', async () => {
    const errors: unknown[] = [];
    const tab: Tab = await signedIn({
      refreshTimeoutMs: 2_000,
      async refresh() {
        await pass(0);
        return { ...TOKENS, access_token: await tab.getAccessToken({ timeoutMs: 5_000 }) };
      },
    });
    await pass(11_000);
    tab.getAccessToken({ timeoutMs: 5_000 }).catch((error: unknown) => errors.push(error));
    await pass(10_000);
    expect(errors).toMatchObject([{ code: 'ERR_TIMEOUT' }]);
    expect(tab.getSnapshot().status).toBe('signed-in');
  });
});

test('the values of the case stand behind its word', () => {
  expect(say('ERR_CONFIGURATION', 'foreign', '"a"', '"b"')).toBe(
    `ERR_CONFIGURATION foreign "a" "b", ${PAGE}`,
  );
});
