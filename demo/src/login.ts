// Signing in and out: `one-refresh/login`, with what this demo's server wants.
import type { TokenCoordinator } from 'one-refresh';
import { createLogin, type Login } from 'one-refresh/login';
import type { DemoConfig } from './token-options.js';

export function createDemoLogin(config: DemoConfig, coordinator: TokenCoordinator): Login {
  return createLogin({
    coordinator,
    issuer: config.issuer,
    clientId: config.clientId,
    redirectUri: '/callback',
    postLogoutRedirectUri: '/',
    scope: config.scope,
    resource: config.resource,
    // Always ask who it is: this demo is about changing users, too.
    parameters: { prompt: 'login consent' },
  });
}
