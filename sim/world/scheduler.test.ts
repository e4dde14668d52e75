import { expect, test } from 'vitest';
import { createScheduler } from './scheduler.js';

test('runs tasks by time, then by entry', async () => {
  const { at, cancel, run, now } = createScheduler();
  const seen: string[] = [];
  at(20, () => seen.push(`late ${now()}`));
  at(10, () => seen.push(`first ${now()}`));
  at(10, () => seen.push(`second ${now()}`));
  cancel(at(5, () => seen.push('never')));
  await run(15, () => false);
  expect(seen).toEqual(['first 10', 'second 10']);
  await run(100, () => false);
  expect(seen.at(-1)).toBe('late 20');
  expect(now()).toBe(100);
});

test('lets reactions of promises run before the next task', async () => {
  const { at, run, settling } = createScheduler();
  const seen: string[] = [];
  at(1, () => {
    void Promise.resolve()
      .then(() => {})
      .then(() => seen.push('reaction'));
    settling();
  });
  at(1, () => seen.push('next task'));
  await run(2, () => false);
  expect(seen).toEqual(['reaction', 'next task']);
});
