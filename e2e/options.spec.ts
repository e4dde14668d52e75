// Bad options are named where they are given. (The app is built for production: the sentences are those of development.)
import { expect, test } from './fixtures.js';

const faults: { change: Record<string, unknown>; says: RegExp }[] = [
  { change: { name: undefined }, says: /name/ },
  { change: { name: '' }, says: /name/ },
  { change: { name: 7 }, says: /name/ },
  { change: { refresh: undefined }, says: /refresh/ },
  { change: { refresh: 'https://example.com/token' }, says: /refresh/ },
  { change: { refresh: { revoke: 'no refresh in here' } }, says: /refresh/ },
  { change: { refreshBeforeMs: -1 }, says: /refreshBeforeMs/ },
  { change: { refreshBeforeMs: '60000' }, says: /refreshBeforeMs/ },
  { change: { minValidityMs: Number.NaN }, says: /minValidityMs/ },
  { change: { refreshTimeoutMs: 0 }, says: /refreshTimeoutMs/ },
  { change: { leaderTimeoutMs: -5 }, says: /leaderTimeoutMs/ },
  { change: { proactive: 'sometimes' }, says: /proactive/ },
  { change: { broadcast: 'everything' }, says: /broadcast/ },
  { change: { isSessionLost: true }, says: /isSessionLost/ },
];

test('bad options are ERR_CONFIGURATION with a message that names them', async ({ newTab }) => {
  const tab = await newTab();
  for (const { change, says } of faults) {
    // `undefined` does not survive the way into the page.
    const plain = Object.entries(change).map(([key, value]) => [key, value ?? null] as const);
    const failure = await tab.evaluate(
      (entries) =>
        window.lab.tryOptions(Object.fromEntries(entries.map(([key, value]) => [key, value ?? undefined]))),
      plain,
    );
    expect(failure, JSON.stringify(change)).toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringMatching(says),
    });
  }
});

test('good options are not refused', async ({ newTab }) => {
  const tab = await newTab();
  for (const change of [
    { refreshBeforeMs: 0, minValidityMs: 0, refreshTimeoutMs: 1, leaderTimeoutMs: 1 },
    { proactive: 'always', broadcast: 'access-token' },
  ]) {
    expect(await tab.evaluate((options) => window.lab.tryOptions(options), change)).toBeUndefined();
  }
});

test('a token response without an access token is refused', async ({ newTab }) => {
  const tab = await newTab();
  const code = await tab.evaluate(async () => {
    const { coordinator } = window.lab;
    return coordinator.setSession({ token_type: 'Bearer' } as never).then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    );
  });
  expect(code).toBe('ERR_CONFIGURATION');
  expect(await tab.evaluate(() => window.lab.coordinator.getSnapshot().status)).toBe('signed-out');
});
