import { expect, test } from 'vitest';
import type { LockMode } from '../../src/core/ports.js';
import { createLockManager } from './lock-manager.js';
import { createRandom } from './random.js';
import { createScheduler } from './scheduler.js';
import { createTab, type Tab } from './tab.js';

function world(): {
  ask: (tab: Tab, mode: LockMode, as: string) => () => void;
  tabs: Tab[];
  seen: string[];
  wait: () => Promise<void>;
} {
  const scheduler = createScheduler();
  const manager = createLockManager(scheduler, createRandom(1));
  const tabs = [0, 1, 2].map((index) =>
    createTab(index, scheduler, createRandom(1, index), { active: true, visible: true, skew: 0 }),
  );
  const ports = new Map(tabs.map((tab) => [tab, manager.portOf(tab)]));
  const seen: string[] = [];
  return {
    tabs,
    seen,
    ask: (tab, mode, as) => ports.get(tab)!.request('lock', mode, (outcome) => seen.push(`${as} ${outcome}`)),
    wait: () => scheduler.run(scheduler.now() + 100, () => false),
  };
}

test('queues, refuses, and passes on', async () => {
  const { ask, tabs, seen, wait } = world();
  const release = ask(tabs[0]!, 'wait', 'a');
  await wait();
  ask(tabs[1]!, 'wait', 'b');
  ask(tabs[2]!, 'try', 'c');
  await wait();
  expect(seen).toEqual(['a granted', 'c refused']);
  release();
  await wait();
  expect(seen.at(-1)).toBe('b granted');
});

test('a steal takes the lock, and its victim hears', async () => {
  const { ask, tabs, seen, wait } = world();
  ask(tabs[0]!, 'wait', 'a');
  await wait();
  ask(tabs[1]!, 'steal', 'b');
  await wait();
  expect(seen.sort()).toEqual(['a granted', 'a lost', 'b granted']);
});

test("a dead page's lock passes on, a frozen page's stays", async () => {
  const { ask, tabs, seen, wait } = world();
  ask(tabs[0]!, 'wait', 'a');
  await wait();
  ask(tabs[1]!, 'wait', 'b');
  await wait();
  ask(tabs[2]!, 'wait', 'c');
  await wait();
  tabs[1]!.freeze(false);
  tabs[0]!.kill();
  await wait();
  expect(seen).toEqual(['a granted']);
  tabs[1]!.thaw();
  await wait();
  expect(seen).toEqual(['a granted', 'b granted']);
});
