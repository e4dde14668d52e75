// @vitest-environment jsdom
import { act, render, screen } from '@testing-library/react';
import { createElement, type ReactElement } from 'react';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { TokenCoordinatorError } from '../core/errors.js';
import { createFetch } from '../fetch/create-fetch.js';
import { useAccessToken } from '../react/index.js';
import type { TokenCoordinator } from '../types.js';
import { createFakeCoordinator } from './fake-coordinator.js';

afterEach(() => {
  vi.useRealTimers();
});

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error as TokenCoordinatorError).code,
  );

test('is signed in by default, and serves its token', async () => {
  const coordinator = createFakeCoordinator();
  expect(coordinator.getSnapshot()).toMatchObject({ status: 'signed-in', version: 1, role: 'follower' });
  expect(Object.isFrozen(coordinator.getSnapshot())).toBe(true);
  const { getAccessToken, peekAccessToken } = coordinator;
  expect(await getAccessToken()).toBe(peekAccessToken());
  expect(await coordinator.getAuthorizationHeaders({ url: '/' })).toEqual({
    Authorization: 'Bearer fake-token-1',
  });
});

test('without a session there is no token', async () => {
  const coordinator = createFakeCoordinator({ status: 'signed-out' });
  expect(coordinator.peekAccessToken()).toBeUndefined();
  expect(coordinator.getSnapshot()).toMatchObject({ version: 0, role: 'none' });
  expect(await codeOf(coordinator.getAccessToken())).toBe('ERR_SIGNED_OUT');
});

describe('set', () => {
  test('changes everything at once and tells once', () => {
    const coordinator = createFakeCoordinator();
    const told = vi.fn<() => void>();
    coordinator.subscribe(told);
    coordinator.set({ version: 2, accessToken: 'second' });
    expect(told).toHaveBeenCalledTimes(1);
    const before = coordinator.getSnapshot();
    coordinator.set({ version: 2, accessToken: 'second' });
    expect(told).toHaveBeenCalledTimes(1);
    expect(coordinator.getSnapshot()).toBe(before);
    expect(JSON.stringify(before)).not.toContain('second');
  });

  test('undefined: required members stay, the rest goes', () => {
    const coordinator = createFakeCoordinator({ status: undefined, version: undefined, subject: 'Ada' });
    expect(coordinator.getSnapshot()).toMatchObject({ status: 'signed-in', version: 1, subject: 'Ada' });
    coordinator.set({ role: undefined, subject: undefined });
    expect(coordinator.getSnapshot()).toMatchObject({ role: 'follower', subject: undefined });
  });

  test('ends the loading that callers wait for', async () => {
    const coordinator = createFakeCoordinator({ status: 'loading' });
    const call = coordinator.getAccessToken();
    coordinator.set({ status: 'signed-in', accessToken: 'here' });
    expect(await call).toBe('here');
  });
});

describe('a refresh', () => {
  test('is shared by calls at once', async () => {
    const refresh = vi.fn<() => { access_token: string; expires_in: number }>(() => ({
      access_token: 'fresh',
      expires_in: 60,
    }));
    const coordinator = createFakeCoordinator({ refresh, expiresAt: Date.now() - 1 });
    const events: string[] = [];
    for (const type of ['refresh-started', 'refresh-succeeded'] as const)
      coordinator.on(type, ({ version }) => events.push(`${type} ${version}`));
    const calls = [coordinator.getAccessToken(), coordinator.getAccessToken({ forceRefresh: true })];
    expect(coordinator.getSnapshot().refreshStatus).toBe('refreshing');
    expect(await Promise.all(calls)).toEqual(['fresh', 'fresh']);
    expect(refresh).toHaveBeenCalledTimes(1);
    expect(coordinator.getSnapshot()).toMatchObject({ version: 2, refreshStatus: 'idle' });
    expect(events).toEqual(['refresh-started 1', 'refresh-succeeded 2']);
  });

  test('a failed one pauses and tells the code', async () => {
    let answer = (): { access_token: string } => {
      throw new Error('offline');
    };
    const coordinator = createFakeCoordinator({ refresh: () => answer(), accessToken: undefined });
    expect(await codeOf(coordinator.getAccessToken())).toBe('ERR_REFRESH_UNAVAILABLE');
    expect(coordinator.getSnapshot()).toMatchObject({ refreshStatus: 'paused', status: 'signed-in' });
    answer = () => ({ access_token: 'healed' });
    expect(await coordinator.getAccessToken()).toBe('healed');
    expect(coordinator.getSnapshot().error).toBeUndefined();
  });

  test('that loses the session says so', async () => {
    const lost = new TokenCoordinatorError('ERR_REAUTH_REQUIRED', 'lost', { reason: 'response_lost' });
    const coordinator = createFakeCoordinator({
      accessToken: undefined,
      refresh: () => Promise.reject(lost),
    });
    const announced = vi.fn<(event: { reason?: string | undefined }) => void>();
    coordinator.on('reauth-required', announced);
    await expect(coordinator.getAccessToken()).rejects.toBe(lost);
    expect(coordinator.getSnapshot()).toMatchObject({ status: 'reauth-required', error: lost });
    expect(announced.mock.calls[0]?.[0]).toMatchObject({ reason: 'response_lost' });
  });

  test('that a sign-out overtakes brings nothing', async () => {
    const coordinator = createFakeCoordinator();
    const call = codeOf(coordinator.getAccessToken({ forceRefresh: true }));
    await coordinator.signOut();
    expect(await call).toBe('ERR_SIGNED_OUT');
    expect(coordinator.getSnapshot()).toMatchObject({ status: 'signed-out', version: 0 });
  });
});

describe('a refresh that does not end', () => {
  const never = () => new Promise<never>(() => {});

  test.each([
    ['an abort', 'ERR_ABORTED'],
    ['close', 'ERR_CLOSED'],
    ['signOut', 'ERR_SIGNED_OUT'],
    ['setSession', 'ERR_SIGNED_OUT'],
  ])('keeps no caller after %s', async (what, code) => {
    const coordinator = createFakeCoordinator({ refresh: never });
    const controller = new AbortController();
    const call = codeOf(coordinator.getAccessToken({ forceRefresh: true, signal: controller.signal }));
    if (what === 'an abort') controller.abort();
    else if (what === 'setSession') await coordinator.setSession({ access_token: 'next' });
    else await coordinator[what as 'close' | 'signOut']();
    expect(await call).toBe(code);
  });
});

test('a listener that throws stops nobody', async () => {
  const uncaught = vi.fn<(error: unknown) => void>();
  vi.stubGlobal('reportError', uncaught);
  const { on, subscribe, setSession, exportSession, getSnapshot } = createFakeCoordinator();
  const fail = () => {
    throw new Error('mine');
  };
  on('*', fail);
  subscribe(fail);
  await setSession({ access_token: 'next' });
  expect(await exportSession()).toMatchObject({ access_token: 'next' });
  expect(getSnapshot().status).toBe('signed-out');
  expect(uncaught).toHaveBeenCalled();
  expect(await codeOf(setSession(null as never))).toBe('ERR_CONFIGURATION');
  vi.unstubAllGlobals();
});

test('setSession, signOut and close look like the real ones', async () => {
  const coordinator = createFakeCoordinator({ status: 'signed-out' });
  const events: string[] = [];
  const all: string[] = [];
  coordinator.on('session-started', ({ type }) => events.push(type));
  coordinator.on('signed-out', ({ type }) => events.push(type));
  coordinator.on('*', ({ type }) => all.push(type));
  await coordinator.setSession({ access_token: 'one', id_token: 'id' }, { subject: 'Ada' });
  await coordinator.setSession({ access_token: 'two' }, { ifSignedOut: true });
  expect(await coordinator.getAccessToken()).toBe('one');
  expect(coordinator.peekIdToken()).toBe('id');
  expect(coordinator.getSnapshot()).toMatchObject({ subject: 'Ada', role: 'leader' });
  await coordinator.signOut();
  await coordinator.signOut();
  expect(coordinator.peekIdToken()).toBeUndefined();
  expect(events).toEqual(['session-started', 'signed-out']);
  expect(all).toEqual(events);
  await coordinator.close();
  expect(await codeOf(coordinator.getAccessToken())).toBe('ERR_CLOSED');
});

test('loading ends for a caller that aborts', async () => {
  const coordinator = createFakeCoordinator({ status: 'loading' });
  const stop = new AbortController();
  const calls = [
    codeOf(coordinator.getAccessToken({ signal: stop.signal })),
    codeOf(coordinator.getAccessToken()),
  ];
  stop.abort();
  await coordinator.close();
  expect(await Promise.all(calls)).toEqual(['ERR_ABORTED', 'ERR_CLOSED']);
});

describe('in a component test', () => {
  function Greeting({ coordinator }: { coordinator: TokenCoordinator }): ReactElement {
    const { status, error } = useAccessToken(coordinator);
    return createElement('p', { role: 'status' }, error ? error.code : status);
  }

  test('React shows what is set', () => {
    const coordinator = createFakeCoordinator({ status: 'loading' });
    render(createElement(Greeting, { coordinator }));
    const shown = (): string | null => screen.getByRole('status').textContent;
    expect(shown()).toBe('loading');
    act(() => coordinator.set({ status: 'signed-in', accessToken: 'a' }));
    expect(shown()).toBe('signed-in');
    const error = new TokenCoordinatorError('ERR_REAUTH_REQUIRED', 'again', { reason: 'refresh_rejected' });
    act(() => coordinator.set({ status: 'reauth-required', error }));
    expect(shown()).toBe('ERR_REAUTH_REQUIRED');
  });

  test('createFetch works on it', async () => {
    const fetch = vi.fn<typeof globalThis.fetch>(async () => new Response('ok'));
    const apiFetch = createFetch(createFakeCoordinator(), { fetch, allowedOrigins: ['https://api.example'] });
    await apiFetch('https://api.example/me');
    const headers = new Headers(fetch.mock.calls[0]?.[1]?.headers);
    expect(headers.get('authorization')).toBe('Bearer fake-token-1');
  });
});
