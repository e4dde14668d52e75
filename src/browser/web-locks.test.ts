import { afterEach, expect, test, vi } from 'vitest';
import type { LockMode } from '../core/ports.js';
import { webLocks } from './web-locks.js';

afterEach(() => void vi.unstubAllGlobals());

type Hold = (lock: Lock | null) => Promise<void> | undefined;

/** The adapter's report of one request to a platform that answers like this. */
async function reported(mode: LockMode, request: (hold: Hold) => unknown): Promise<string[]> {
  vi.stubGlobal('navigator', {
    locks: { request: (_name: string, _options: object, hold: Hold) => request(hold) },
  });
  const outcomes: string[] = [];
  webLocks('test:')!.request('refresh', mode, (outcome) => outcomes.push(outcome));
  expect(outcomes).toEqual([]);
  await new Promise((resolve) => setTimeout(resolve));
  return outcomes;
}

/** Platforms answer in a later task. */
const later = Promise.resolve();

const abort = (): Error => new DOMException('Stolen', 'AbortError');

test('has no locks where the platform has none', () => {
  vi.stubGlobal('navigator', {});
  expect(webLocks('test:')).toBeUndefined();
});

test('refuses only a request that does not wait', async () => {
  expect(await reported('try', async (hold) => (await later, hold(null)))).toEqual(['refused']);
});

test.each(['wait', 'steal'] as const)('takes a null lock of `%s` for a fault', async (mode) => {
  expect(await reported(mode, async (hold) => (await later, hold(null)))).toEqual(['failed']);
});

test.each(['wait', 'try', 'steal'] as const)('survives a request that throws at once: %s', async (mode) => {
  const outcomes = await reported(mode, () => {
    throw new TypeError('not implemented');
  });
  expect(outcomes).toEqual(['failed']);
});

test('takes a rejection without an error for a fault', async () => {
  expect(await reported('wait', () => Promise.reject())).toEqual(['failed']);
});

test('reports a stolen lock as lost', async () => {
  const outcomes = await reported('wait', async (hold) => {
    await later;
    void hold({} as Lock);
    throw abort();
  });
  expect(outcomes).toEqual(['granted', 'lost']);
});

test('takes an abort before any grant for a fault', async () => {
  expect(await reported('wait', () => Promise.reject(abort()))).toEqual(['failed']);
});
