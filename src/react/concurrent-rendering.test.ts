// @vitest-environment jsdom
import { act, cleanup, render, screen } from '@testing-library/react';
import {
  createElement,
  lazy,
  startTransition,
  StrictMode,
  Suspense,
  useLayoutEffect,
  useState,
  version,
} from 'react';
import type { ComponentType, LazyExoticComponent, ReactElement, ReactNode } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToPipeableStream, version as serverVersion } from 'react-dom/server';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFakeCoordinator, type FakeCoordinator } from '../../test/support/fake-coordinator.js';
import { useAccessToken } from './index.js';

const start = Date.UTC(2030, 0, 1);
let coordinator: FakeCoordinator;
beforeEach(() => {
  vi.useFakeTimers({ now: start, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  coordinator = createFakeCoordinator({ expiresAt: start + 60_000 }, 'access-1');
});
afterEach(() => {
  cleanup();
  if (coordinator.subscribers() + vi.getTimerCount() > 0) throw new Error('Something was left behind');
  vi.useRealTimers();
});

function Token({ name = 'token' }: { name?: string }): ReactElement {
  return createElement('p', { 'data-testid': name }, useAccessToken(coordinator).accessToken);
}
const shown = (name = 'token'): string | null | undefined => screen.queryByTestId(name)?.textContent;
const fallback = createElement('p', { 'data-testid': 'fallback' }, 'One moment');
const suspended = (children: ReactNode): ReactElement => createElement(Suspense, { fallback }, children);

/** A component that is not there yet, and how to bring it. */
function later(component: ComponentType): [LazyExoticComponent<ComponentType>, () => Promise<void>] {
  let arrive: (module: { default: ComponentType }) => void = () => undefined;
  const loaded = new Promise<{ default: ComponentType }>((resolve) => (arrive = resolve));
  return [lazy(() => loaded), () => act(async () => arrive({ default: component }))];
}

const refresh = (): void => {
  act(() => coordinator.set({ version: 2, expiresAt: start + 120_000 }, { accessToken: 'access-2' }));
};

test('this is the React that was asked for', () => {
  const major = process.env['REACT_MAJOR'] ?? '19';
  expect([version.split('.')[0], serverVersion.split('.')[0]]).toEqual([major, major]);
});

describe('Suspense', () => {
  test('a first render that waits subscribes to nothing', async () => {
    coordinator.set({ expiresAt: start - 1 });
    const [Waiting, arrive] = later(() => createElement(Token));
    render(suspended([createElement(Token, { key: 1, name: 'beside' }), createElement(Waiting, { key: 2 })]));
    expect([shown('fallback'), coordinator.subscribers(), coordinator.asked]).toEqual(['One moment', 0, 0]);
    refresh();
    await arrive();
    expect([shown('fallback'), shown(), shown('beside')]).toEqual([undefined, 'access-2', 'access-2']);
    expect([coordinator.subscribers(), coordinator.asked, vi.getTimerCount()]).toEqual([1, 0, 1]);
  });

  test('a part behind a fallback follows a refresh', async () => {
    const [Waiting, arrive] = later(() => null);
    const page = (waiting: boolean): ReactElement =>
      suspended([createElement(Token, { key: 1 }), waiting && createElement(Waiting, { key: 2 })]);
    const { rerender } = render(page(false));
    rerender(page(true));
    expect([shown('fallback'), screen.getByTestId('token').style.display]).toEqual(['One moment', 'none']);
    refresh();
    await arrive();
    expect([shown('fallback'), shown()]).toEqual([undefined, 'access-2']);
    expect(coordinator.subscribers()).toBe(1);
  });

  test('the same in Strict Mode', async () => {
    const [Waiting, arrive] = later(() => createElement(Token));
    render(createElement(StrictMode, null, suspended(createElement(Waiting))));
    await arrive();
    refresh();
    expect([shown(), coordinator.subscribers(), vi.getTimerCount()]).toEqual(['access-2', 1, 1]);
  });
});

describe('a transition', () => {
  test('a waiting one ends with the newest token', async () => {
    const [Next, arrive] = later(() => createElement(Token, { name: 'next' }));
    function App(): ReactElement {
      const [page, setPage] = useState('first');
      const link = createElement('button', { onClick: () => startTransition(() => setPage('next')) });
      return createElement('div', null, link, createElement(page === 'first' ? Token : Next));
    }
    render(suspended(createElement(App)));
    act(() => screen.getByRole('button').click());
    expect([shown(), shown('fallback')]).toEqual(['access-1', undefined]);
    refresh();
    expect([shown(), shown('fallback')]).toEqual(['access-2', undefined]);
    await arrive();
    expect([shown(), shown('next'), coordinator.subscribers()]).toEqual([undefined, 'access-2', 1]);
  });

  test('a sliced render never shows two tokens at once', async () => {
    const commits: string[][] = [];
    const rendered: string[] = [];
    /** Takes longer than React keeps the thread: every one is a slice of its own. */
    function Slow({ name }: { name: string }): ReactElement {
      const until = performance.now() + 8;
      while (performance.now() < until);
      rendered.push(name);
      return createElement(Token, { name });
    }
    function App(): ReactElement {
      const [page, setPage] = useState('first');
      useLayoutEffect(
        () => void commits.push([page, ...['a', 'b', 'c', 'd'].map((name) => `${shown(name)}`)]),
      );
      return createElement(
        'div',
        null,
        createElement('button', { onClick: () => startTransition(() => setPage('second')) }),
        ['a', 'b', 'c', 'd'].map((name) => createElement(Slow, { key: `${page} ${name}`, name })),
      );
    }
    render(createElement(App));
    expect(commits).toEqual([['first', 'access-1', 'access-1', 'access-1', 'access-1']]);

    const environment = globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean };
    environment.IS_REACT_ACT_ENVIRONMENT = false;
    rendered.length = 0;
    screen.getByRole('button').click();
    while (rendered.length < 2) await new Promise(setImmediate);
    // In the middle of the transition.
    expect(rendered.length).toBeLessThan(4);
    coordinator.set({ version: 2, expiresAt: start + 120_000 }, { accessToken: 'access-2' });
    while (commits.at(-1)?.[0] !== 'second') await new Promise(setImmediate);
    environment.IS_REACT_ACT_ENVIRONMENT = true;
    expect(commits.filter(([, ...tokens]) => new Set(tokens).size > 1)).toEqual([]);
    expect(commits.at(-1)).toEqual(['second', 'access-2', 'access-2', 'access-2', 'access-2']);
  });
});

describe('a page that a server streams', () => {
  test('is hydrated part by part with the current session', async () => {
    const complaints = vi.spyOn(console, 'error');
    const page = (Part: ComponentType): ReactElement =>
      createElement('main', null, createElement(Token), suspended(createElement(Part)));
    const streamed = new PassThrough();
    const { pipe } = renderToPipeableStream(
      page(() => createElement(Token, { name: 'part' })),
      { onAllReady: () => pipe(streamed) },
    );
    const container = document.createElement('div');
    container.innerHTML = await text(streamed);
    document.body.append(container);
    expect([shown(), shown('part'), coordinator.subscribers()]).toEqual(['', '', 0]);

    const [Part, arrive] = later(() => createElement(Token, { name: 'part' }));
    const onRecoverableError = vi.fn<() => void>();
    const root = await act(async () => hydrateRoot(container, page(Part), { onRecoverableError }));
    // The part waits as the server rendered it.
    expect([shown(), shown('part')]).toEqual(['access-1', '']);
    await arrive();
    expect([shown(), shown('part'), coordinator.subscribers()]).toEqual(['access-1', 'access-1', 1]);
    expect(onRecoverableError).not.toHaveBeenCalled();
    expect(complaints).not.toHaveBeenCalled();
    act(() => root.unmount());
    container.remove();
  });
});
