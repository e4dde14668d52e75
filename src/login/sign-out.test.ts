import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFakeCoordinator, type FakeCoordinator } from '../../test/support/fake-coordinator.js';
import {
  APP,
  CLIENT_ID,
  idToken,
  optionsFor,
  startLoginWorld,
  type LoginWorld,
} from '../../test/support/login-world.js';
import { json } from '../../test/support/loopback-server.js';
import { TokenCoordinatorError } from '../core/errors.js';
import { refreshTokenGrant } from '../oauth/index.js';
import { createLogin, type LoginOptions } from './index.js';

let world: LoginWorld;
let coordinator: FakeCoordinator;
const hint = idToken({ sub: 'ada' });
beforeEach(async () => {
  world = await startLoginWorld();
  coordinator = createFakeCoordinator({}, 'access-1');
  coordinator.set({}, { idToken: hint });
  world.open('/orders');
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await world.server.close();
});

const make = (options: Partial<LoginOptions> = {}) =>
  createLogin({ ...optionsFor(world, coordinator), ...options });

test('ends the session here, then the one at the provider', async () => {
  const order: string[] = [];
  vi.spyOn(coordinator, 'signOut').mockImplementation(async () => {
    order.push(`signed out, ${world.visited.length} pages visited`);
    // Like the real one: the ID token is gone with the session.
    coordinator.set({ status: 'signed-out' }, { idToken: undefined });
  });
  await make({ postLogoutRedirectUri: '/bye' }).signOut();
  expect(order).toEqual(['signed out, 0 pages visited']);
  const url = new URL(world.visited[0] ?? '');
  expect(url.origin + url.pathname).toBe(`${world.server.origin}/logout`);
  expect(Object.fromEntries(url.searchParams)).toEqual({
    client_id: CLIENT_ID,
    id_token_hint: hint,
    post_logout_redirect_uri: `${APP}/bye`,
  });
});

test('two at once are one, with its ID token', async () => {
  const signOut = vi.spyOn(coordinator, 'signOut').mockImplementation(async () => {
    coordinator.set({ status: 'signed-out' }, { idToken: undefined });
  });
  const login = make();
  await Promise.all([login.signOut(), login.signOut()]);
  expect([signOut.mock.calls.length, world.visited.length]).toEqual([1, 1]);
  expect(new URL(world.visited[0] ?? '').searchParams.get('id_token_hint')).toBe(hint);
});

test('stays on the page where only this app is meant', async () => {
  const signOut = vi.spyOn(coordinator, 'signOut');
  await make().signOut({ everywhere: false });
  expect([signOut.mock.calls.length, world.visited, world.server.received]).toEqual([1, [], []]);
});

test.each<[string, object]>([
  ['has no logout', { end_session_endpoint: undefined }],
  ['does not answer', { issuer: undefined }],
])('ends the session here though the provider %s', async (_what, metadata) => {
  Object.assign(world.metadata, metadata);
  const signOut = vi.spyOn(coordinator, 'signOut');
  await make().signOut();
  expect([signOut.mock.calls.length, world.visited]).toEqual([1, []]);
});

test('ends nothing at the provider if it cannot here', async () => {
  vi.spyOn(coordinator, 'signOut').mockRejectedValue(new TokenCoordinatorError('ERR_STORAGE', 'full'));
  await expect(make().signOut()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
  expect(world.visited).toEqual([]);
});

test('lets the revocation leave before the page does', async () => {
  world.metadata['revocation_endpoint'] = `${world.server.origin}/revoke`;
  world.answers['/revoke'] = json(200, {});
  let sent = 0;
  let sentWhenLeft: number | undefined;
  let revoked: Promise<void> | undefined;
  const counting: typeof fetch = async (input, init) => {
    // An app's own fetch may take some turns before it sends.
    for (let n = 0; n < 50; n++) await Promise.resolve();
    if (new Request(input).url.endsWith('/revoke')) sent++;
    return fetch(input, init);
  };
  const grant = refreshTokenGrant({ issuer: world.server.origin, clientId: CLIENT_ID, fetch: counting });
  vi.spyOn(coordinator, 'signOut').mockImplementation(async () => {
    // Best effort, as the real one does it: nobody waits for it.
    revoked = grant.revoke?.('refresh-1', 'refresh_token');
  });
  vi.spyOn(location, 'assign').mockImplementation(() => void (sentWhenLeft = sent));
  await make().signOut();
  expect(sentWhenLeft).toBe(1);
  await revoked;
});
