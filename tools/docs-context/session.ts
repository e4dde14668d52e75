// The content of an app's own file of this name; the documentation imports it from there.
import { createTokenCoordinator, type TokenCoordinator } from 'one-refresh';
import { createLogin, type Login } from 'one-refresh/login';
import { refreshTokenGrant } from 'one-refresh/oauth';

export const coordinator: TokenCoordinator = createTokenCoordinator({
  name: 'my-app',
  refresh: refreshTokenGrant({ issuer: 'https://id.example.com', clientId: 'my-app' }),
});
export const login: Login = createLogin({
  coordinator,
  issuer: 'https://id.example.com',
  clientId: 'my-app',
  redirectUri: '/callback',
});
