// The recipes, run: each shows a change, and is told nothing more when its owner has gone. And that they stay short.
import '@angular/compiler';
import {
  createEnvironmentInjector,
  type EnvironmentInjector,
  Injector,
  runInInjectionContext,
} from '@angular/core';
import { readFileSync } from 'node:fs';
import type { Snapshot, TokenCoordinator } from 'one-refresh';
import { createFakeCoordinator } from 'one-refresh/testing';
import { createRoot } from 'solid-js';
import { expect, test } from 'vitest';
import { effectScope } from 'vue';
import { injectSession } from './angular.js';
import { createSession } from './solid.js';
import { sessionStore } from './svelte.js';
import { useSession } from './vue.js';

interface Mounted {
  readonly shown: () => Snapshot;
  readonly unmount: () => void;
}

const recipes: [name: string, mount: (coordinator: TokenCoordinator) => Mounted][] = [
  [
    'svelte',
    (coordinator) => {
      let latest: Snapshot | undefined;
      const unmount = sessionStore(coordinator).subscribe((session) => (latest = session));
      return { shown: () => latest!, unmount };
    },
  ],
  [
    'vue',
    (coordinator) => {
      const scope = effectScope();
      const session = scope.run(() => useSession(coordinator))!;
      return { shown: () => session.value, unmount: () => scope.stop() };
    },
  ],
  ['solid', (coordinator) => createRoot((unmount) => ({ shown: createSession(coordinator), unmount }))],
  [
    'angular',
    (coordinator) => {
      const injector = createEnvironmentInjector([], Injector.NULL as EnvironmentInjector);
      const session = runInInjectionContext(injector, () => injectSession(coordinator));
      return { shown: session, unmount: () => injector.destroy() };
    },
  ],
];

test.each(recipes)('%s shows each change until it is unmounted', (name, mount) => {
  const coordinator = createFakeCoordinator({ status: 'loading' });
  let subscribers = 0;
  const { shown, unmount } = mount({
    ...coordinator,
    subscribe(listener) {
      subscribers++;
      const stop = coordinator.subscribe(listener);
      return () => {
        subscribers--;
        stop();
      };
    },
  });
  expect(shown().status).toBe('loading');
  coordinator.set({ status: 'signed-in', version: 3 });
  expect(shown()).toBe(coordinator.getSnapshot());
  expect(subscribers).toBe(1);
  unmount();
  expect(subscribers).toBe(0);
  const source = readFileSync(new URL(`${name}.ts`, import.meta.url), 'utf8');
  expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(15);
});
