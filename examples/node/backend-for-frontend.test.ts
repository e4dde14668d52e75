import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSessions, folderShared, type Sessions } from 'one-refresh/node';
import { Origin } from '../../test/support/tabs.js';
import { refreshByCookie } from '../cookie-backend.js';
import { createBackend, signIn } from './backend-for-frontend.js';

let folder: string;
let replicas: { server: Server; sessions: Sessions; origin: string }[];
let cookie: string;
let refreshes: string[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-bff-'));
  refreshes = [];
  // A folder stands for the store that three machines would share.
  replicas = await Promise.all(
    [1, 2, 3].map(async () => {
      const sessions = createSessions({
        shared: folderShared(folder),
        refresh: async ({ refreshToken = '' }) => {
          refreshes.push(refreshToken);
          await new Promise((resolve) => setTimeout(resolve, 20));
          return { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 60 };
        },
      });
      const server = createServer(createBackend(sessions));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return { server, sessions, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    }),
  );
  const response = { setHeader: (_: string, value: string) => (cookie = value.split(';')[0]!) };
  const tokens = { access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 0 };
  await signIn(replicas[0]!.sessions, response as unknown as ServerResponse, tokens);
});
afterEach(async () => {
  for (const { server, sessions } of replicas) {
    await sessions.close();
    server.close();
    server.closeAllConnections();
  }
  await rm(folder, { recursive: true });
});

const ask = (replica: number, method = 'POST', headers: Record<string, string> = {}) =>
  fetch(`${replicas[replica]!.origin}/session`, {
    method,
    headers: { cookie, 'x-requested-with': 'one-refresh', ...headers },
  });

test('three replicas refresh once, and all answer', async () => {
  const answers = await Promise.all([0, 1, 2, 0, 1, 2].map((replica) => ask(replica)));
  for (const answer of answers) {
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toMatchObject({ access_token: 'access-2' });
  }
  expect(refreshes).toEqual(['refresh-1']);
});

test('a sign-out at one replica ends the session at all', async () => {
  expect((await ask(1)).status).toBe(200);
  expect((await ask(2, 'DELETE')).status).toBe(204);
  expect((await ask(1)).status).toBe(401);
});

test('without the cookie or the header there is nothing', async () => {
  expect((await ask(0, 'POST', { cookie: '' })).status).toBe(401);
  expect((await ask(0, 'POST', { 'x-requested-with': '' })).status).toBe(401);
});

test('three tabs of the page ask one replica once', async () => {
  let asked = 0;
  const ofPage = refreshByCookie(`${replicas[1]!.origin}/session/refresh`);
  const page = new Origin();
  const plainFetch = globalThis.fetch;
  // The browser would add its cookie.
  globalThis.fetch = (input, init) =>
    plainFetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), cookie } });
  try {
    const refresh: typeof ofPage = (request) => (asked++, ofPage(request));
    const tabs = [1, 2, 3].map(() => page.open({ refresh }));
    await tabs[0]!.setSession({ access_token: 'access-1', expires_in: 0 });
    const tokens = await Promise.all(tabs.map((tab) => tab.getAccessToken()));
    expect(new Set(tokens)).toEqual(new Set(['access-2']));
    expect(asked).toBe(1);
    await Promise.all(tabs.map((tab) => tab.close()));
  } finally {
    globalThis.fetch = plainFetch;
  }
});
