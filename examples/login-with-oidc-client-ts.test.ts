// @vitest-environment jsdom
import { OidcClient } from 'oidc-client-ts';
import { expect, test, vi } from 'vitest';
import { createFakeCoordinator } from '../test/support/fake-coordinator.js';
import { json } from '../test/support/loopback-server.js';
import { startSignInServer } from '../test/support/sign-in-server.js';
import { createUserManager, finishLogin } from './login-with-oidc-client-ts.js';

test('the tokens of the code exchange begin a session', async () => {
  const server = await startSignInServer();
  const coordinator = createFakeCoordinator();
  const setSession = vi.spyOn(coordinator, 'setSession');
  const settings = {
    authority: server.origin,
    client_id: 'app',
    redirect_uri: 'https://app.example/callback',
    scope: 'openid offline_access',
    metadata: server.metadata,
  };
  const userManager = createUserManager(settings);
  // The work of signinRedirect() before it leaves the page.
  const { url } = await new OidcClient(settings).createSigninRequest({ request_type: 'si:r' });
  const callback = server.approve(new URL(url));
  server.answer(json(200, server.tokens()));
  await finishLogin(userManager, callback.href, coordinator);

  expect(server.isVerified()).toBe(true);
  expect(setSession).toHaveBeenCalledExactlyOnceWith(
    { ...server.tokens(), expires_in: expect.closeTo(60, -1) as number },
    { subject: 'ada' },
  );
  expect(await userManager.getUser()).toBeNull();
  expect([localStorage.length, sessionStorage.length]).toEqual([0, 0]);
  await server.close();
});
