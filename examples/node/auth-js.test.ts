import { Auth, type AuthConfig } from '@auth/core';
import { decode, encode } from '@auth/core/jwt';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSessions, folderShared, type Sessions } from 'one-refresh/node';
import { endSession, refreshingCallbacks } from './auth-js.js';

let folder: string;
let processes: Sessions[];
let requests: number;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'one-refresh-auth-js-'));
  requests = 0;
  const refresh = async () => {
    requests++;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 60 };
  };
  processes = [1, 2].map(() => createSessions({ shared: folderShared(folder), refresh }));
});
afterEach(async () => {
  await Promise.all(processes.map((sessions) => sessions.close()));
  await rm(folder, { recursive: true });
});

const secret = 'a secret for tests';
const salt = 'authjs.session-token';
const config = (sessions: Sessions): AuthConfig => ({
  secret,
  trustHost: true,
  basePath: '/auth',
  providers: [],
  callbacks: refreshingCallbacks(sessions),
});

/** The cookie after the sign-in. */
async function signIn(sessions: Sessions): Promise<string> {
  const account = {
    access_token: 'access-1',
    refresh_token: 'refresh-1',
    expires_at: Math.floor(Date.now() / 1000),
    provider: 'test',
    providerAccountId: 'alice',
    type: 'oidc' as const,
  };
  const { jwt } = refreshingCallbacks(sessions);
  const token = await jwt({ token: { sub: 'alice' }, account, user: {} });
  return encode({ token: token!, secret, salt });
}

async function readSession(sessions: Sessions, cookie: string): Promise<unknown> {
  const headers = { cookie: `${salt}=${cookie}` };
  const response = await Auth(new Request('http://localhost/auth/session', { headers }), config(sessions));
  return response.json();
}

test('four requests in two processes refresh once', async () => {
  const cookie = await signIn(processes[0]!);
  expect(JSON.stringify(await decode({ token: cookie, secret, salt }))).not.toContain('refresh-1');
  const all = [...processes, ...processes].map((sessions) => readSession(sessions, cookie));
  for (const session of await Promise.all(all)) expect(session).toMatchObject({ accessToken: 'access-2' });
  expect(requests).toBe(1);
});

test('a session that is over says so', async () => {
  const cookie = await signIn(processes[0]!);
  await endSession(processes[1]!, await decode({ token: cookie, secret, salt }));
  expect(await readSession(processes[0]!, cookie)).toMatchObject({ error: 'RefreshTokenError' });
});
