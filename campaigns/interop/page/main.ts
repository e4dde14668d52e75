// The app of the interop run: as in docs/getting-started.md, and a handle for the run to move it. It knows its settings, not its server.
import { createTokenCoordinator, type Snapshot, type TokenCoordinatorError } from 'one-refresh';
import { createLogin } from 'one-refresh/login';
import { refreshTokenGrant } from 'one-refresh/oauth';
import type { ClientSettings } from '../../../test/interop/servers/real-server.js';

export interface App {
  /** Leaves the page, if nothing goes wrong. */
  signIn(): void;
  signOut(): Promise<void>;
  snapshot(): Pick<Snapshot, 'status' | 'version'>;
  /** Waits until the access token has expired, then asks twice: `token`, or why there is none. */
  askAtExpiry(): Promise<string[]>;
  /** The reasons with which this tab was told to ask its user to sign in. */
  readonly asked: string[];
  readonly errors: string[];
}

declare global {
  interface Window {
    app?: App;
  }
}

const settings = (await (await fetch('/settings.json')).json()) as ClientSettings;
const { clientId, issuer, endpoints, dpop, scope, parameters } = settings;
const coordinator = createTokenCoordinator({
  name: 'interop',
  // Every refresh is one that all tabs ask for at the same time.
  proactive: 'never',
  refresh: refreshTokenGrant({
    clientId,
    dpop,
    issuer,
    tokenEndpoint: endpoints?.token_endpoint,
    revocationEndpoint: endpoints?.revocation_endpoint,
  }),
});
const login = createLogin({
  coordinator,
  clientId,
  issuer,
  endpoints,
  dpop,
  scope,
  parameters,
  redirectUri: '/callback',
});

const asked: string[] = [];
const errors: string[] = [];
const complain = (error: unknown): void => void errors.push(String(error));
addEventListener('unhandledrejection', ({ reason }) => complain(reason));
addEventListener('error', ({ message }) => complain(message));
coordinator.on('reauth-required', ({ reason }) => asked.push(reason ?? 'no reason'));

const ask = (): Promise<string> =>
  coordinator.getAccessToken().then(
    () => 'token',
    (error: unknown) => (error as TokenCoordinatorError).code,
  );

await login.finish().catch(complain);
await coordinator.ready;
window.app = {
  signIn: () => void login.start({ returnTo: '/' }).catch(complain),
  signOut: () => coordinator.signOut(),
  snapshot: () => coordinator.getSnapshot(),
  async askAtExpiry() {
    const { expiresAt = 0 } = coordinator.getSnapshot();
    await new Promise((resolve) => setTimeout(resolve, expiresAt - Date.now()));
    return Promise.all([ask(), ask()]);
  },
  asked,
  errors,
};
