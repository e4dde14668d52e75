// The page that the tests of the login drive, at `/login/` and, as the redirect page, at `/callback`.
import { createTokenCoordinator } from 'one-refresh';
import { createLogin, requireSession, type LoginError, type LoginOptions } from 'one-refresh/login';
import { refreshTokenGrant } from 'one-refresh/oauth';

/** The options of a test; kept where every page of the browser finds it. */
export type LoginPageOptions = Partial<
  Pick<LoginOptions, 'scope' | 'resource' | 'parameters' | 'dpop' | 'par'>
> & {
  issuer?: string;
  clientId?: string;
};

const given = new URLSearchParams(location.search).get('options');
if (given !== null) localStorage.setItem('login-page', given);
const chosen = JSON.parse(localStorage.getItem('login-page') ?? '{}') as LoginPageOptions;

const response = await fetch('/config.json');
const config = (await response.json()) as Record<'issuer' | 'clientId' | 'resource' | 'scope', string>;
const { issuer = config.issuer, clientId = config.clientId, ...options } = chosen;

const coordinator = createTokenCoordinator({
  name: 'login',
  proactive: 'never',
  refresh: refreshTokenGrant({ issuer, clientId, dpop: chosen.dpop }),
});
const login = createLogin({
  coordinator,
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  scope: config.scope,
  // (Another server does not know it.)
  ...(chosen.issuer === undefined && { resource: config.resource }),
  // Without it this server gives the scope offline_access to nobody; and `login_hint` signs in without a page.
  parameters: { prompt: 'consent' },
  ...options,
});

const failureOf = ({ name, code, message }: LoginError) => ({ name, code, message });

const page = {
  coordinator,
  login,
  requireSession,
  /** The outcome of `finish()`. */
  finished: await login.finish().then(
    (done) => ({ done }),
    (error: unknown) => ({ error: failureOf(error as LoginError) }),
  ),
  /** The browser was sent away; another page comes next. */
  left: false,
  /** The outcome of a popup; `undefined` while it is open. */
  popup: undefined as { error?: ReturnType<typeof failureOf> } | undefined,
  async callApi(): Promise<number> {
    const url = new URL('/api/me', location.href).href;
    const headers = await coordinator.getAuthorizationHeaders({ url });
    return (await fetch(url, { headers })).status;
  },
};

declare global {
  interface Window {
    page: typeof page;
  }
}
const button = document.createElement('button');
button.textContent = 'Sign in in a window';
button.addEventListener('click', () => {
  page.popup = undefined;
  login.popup(chosen.parameters ? {} : { loginHint: 'alice' }).then(
    () => (page.popup = {}),
    (error: unknown) => (page.popup = { error: failureOf(error as LoginError) }),
  );
});
document.body.append(button);
await coordinator.ready;
window.page = page;
