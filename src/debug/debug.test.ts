import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Origin, pass } from '../../test/support/tabs.js';
import { RefreshRejectedError } from '../core/errors.js';
import type { TokenCoordinatorOptions } from '../types.js';
import { debugLog } from './index.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const tokens = {
  access_token: 'secret-access-1',
  refresh_token: 'secret-refresh-1',
  expires_in: 600,
  id_token: 'secret.id.1',
};

/** A sign-in, a refresh, one that is rejected with a token in its words, and a sign-out. */
async function live(debug: TokenCoordinatorOptions['debug']): Promise<void> {
  const answers = [
    async () => ({ ...tokens, access_token: 'secret-access-2', refresh_token: 'secret-refresh-2' }),
    async () => {
      throw new RefreshRejectedError({
        error: 'invalid_client',
        errorDescription: 'not secret-refresh-2',
        status: 401,
      });
    },
  ];
  const tab = new Origin().open({ proactive: 'never', refresh: async () => answers.shift()!(), debug });
  void tab.setSession(tokens);
  await pass(100);
  for (const _ of [1, 2]) {
    void tab.getAccessToken({ forceRefresh: true, failFast: true }).catch(() => {});
    await pass(1_000);
  }
  void tab.signOut();
  await pass(100);
}

test('each step is one readable line without a token', async () => {
  const lines: string[] = [];
  await live(Object.assign((line: string) => void lines.push(line), { describe: debugLog.describe }));
  const text = lines.map((line) => line.replace(/^one-refresh test [\d:.]{12} \S+ {2}/, '')).join('\n');
  for (const said of [
    'starts → loading',
    'signs in',
    'call 2: wants a newer token → idle to queued',
    'sends attempt 1 of version 1',
    'answer: new tokens → sending to committing',
    'signed-in, version 2',
    'call 2: has its token',
    'answer: rejected (401 invalid_client not [token])',
    'paused until a wake-up (ERR_REFRESH_REJECTED)',
    'call 3: ERR_REFRESH_REJECTED',
    'signs out → signed-out',
  ])
    expect(text).toContain(said);
  expect(lines.every((line) => line.startsWith('one-refresh test ') && !line.includes('\n'))).toBe(true);
  expect(lines.join()).not.toMatch(/secret/);
});

test('true prints with console.debug, from the first step on', async () => {
  const debug = vi.spyOn(console, 'debug').mockImplementation(() => {});
  await live(true);
  await vi.waitFor(() => expect(debug).toHaveBeenCalled());
  expect(String(debug.mock.calls[0]![0])).toMatch(/^one-refresh test .* starts/);
});

test('debugLog prints with console.debug', () => {
  const debug = vi.spyOn(console, 'debug').mockImplementation(() => {});
  debugLog('a line');
  expect(debug).toHaveBeenCalledWith('a line');
});

test('a log that throws stops nothing', async () => {
  const lines: string[] = [];
  const broken = (line: string): void => {
    lines.push(line);
    throw new Error('full');
  };
  await live(Object.assign(broken, { describe: debugLog.describe }));
  expect(lines.at(-1)).toMatch(/call 4: done/);
});
